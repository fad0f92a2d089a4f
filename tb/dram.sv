// The standard DRAM of all cycle figures: an AXI4 slave with one data beat per cycle for both directions together.
//
// Requests  each direction takes one burst per cycle, OUTSTANDING at a time (reads until their last beat, writes
//           until their response).
// Service   a burst's first beat moves `latency` cycles after its request at the earliest. Each cycle's one data
//           slot goes to the older of the two directions' front bursts (a read before a write of the same cycle);
//           if that one cannot move, because it is not yet due or its master is late with write data, the other
//           may use the slot. So bursts are served in order of arrival, and a late writer delays nobody.
//           A read beat that is offered and not taken keeps the slot.
// Response  of a write: `latency` cycles after its last beat.
// Beyond    BYTES: SLVERR; reads give zero, writes are dropped. Its first byte is at FIRST, that of the last 4 GiB of addresses unless
//           said otherwise: 0 where these have 32 bits. In files, addresses count from there.
//
// Plusargs
//   +dram_latency=N   cycles, at least 1 (40)
//   +dram_beats=B +dram_cycles=C   bandwidth: B beats in every C cycles (1 in 1)
//   +dram_jitter=N    up to N more cycles of latency, random per burst (0)
//   +dram_stall=P     each channel stalls in P of 100 cycles (0)
//   +dram_seed=N      of both (1)
//   +dram_image=FILE  lines "ADDRESS BYTES PATH": files that fill the memory at the start
//   +dram_dump=FILE   lines of the same form: written when `dump` rises
// Addresses and sizes in these files are decimal; addresses are multiples of the bus width, sizes are rounded up.

module tenon_dram #(
    parameter int DATA_BITS = 128,
    parameter int BYTES = 1 << 26,
    parameter int OUTSTANDING = 32,
    parameter int ID_BITS = 1,
    parameter int ADDRESS_BITS = 32,
    parameter logic [63:0] FIRST = (64'd1 << ADDRESS_BITS) - (64'd1 << 32)
) (
    input  logic clk,
    input  logic rst,
    input  logic dump,

    input  logic [ID_BITS-1:0] awid,
    input  logic [ADDRESS_BITS-1:0] awaddr,
    input  logic [7:0] awlen,
    input  logic awvalid,
    output logic awready,

    input  logic [DATA_BITS-1:0] wdata,
    input  logic [DATA_BITS/8-1:0] wstrb,
    input  logic wlast,
    input  logic wvalid,
    output logic wready,

    output logic [ID_BITS-1:0] bid,
    output logic [1:0] bresp,
    output logic bvalid,
    input  logic bready,

    input  logic [ID_BITS-1:0] arid,
    input  logic [ADDRESS_BITS-1:0] araddr,
    input  logic [7:0] arlen,
    input  logic arvalid,
    output logic arready,

    output logic [ID_BITS-1:0] rid,
    output logic [DATA_BITS-1:0] rdata,
    output logic [1:0] rresp,
    output logic rlast,
    output logic rvalid,
    input  logic rready
);
    localparam int BUS_BYTES = DATA_BITS / 8;
    localparam int SHIFT = $clog2(BUS_BYTES);
    localparam int WORDS = BYTES / BUS_BYTES;
    localparam int WORD_BITS = $clog2(WORDS);
    localparam int QUEUE_BITS = $clog2(OUTSTANDING);
    localparam logic [1:0] OKAY = 2'b00, SLVERR = 2'b10;

    // $fread fills a word from its top byte, so the first byte of a word is kept at the top.
    logic [DATA_BITS-1:0] memory[WORDS];

    function automatic logic [DATA_BITS-1:0] swapped(input logic [DATA_BITS-1:0] word);
        for (int i = 0; i < BUS_BYTES; i++) swapped[8*i+:8] = word[DATA_BITS-8-8*i+:8];
    endfunction

    function automatic logic [DATA_BITS-1:0] swapped_mask(input logic [BUS_BYTES-1:0] strobes);
        for (int i = 0; i < BUS_BYTES; i++) swapped_mask[DATA_BITS-8-8*i+:8] = {8{strobes[i]}};
    endfunction

    // Settings
    logic [63:0] noise;
    int latency = 40, beats = 1, cycles = 1, jitter = 0, stall = 0, seed = 1;
    int given;
    initial begin
        given = $value$plusargs("dram_latency=%d", latency);
        given = $value$plusargs("dram_beats=%d", beats);
        given = $value$plusargs("dram_cycles=%d", cycles);
        given = $value$plusargs("dram_jitter=%d", jitter);
        given = $value$plusargs("dram_stall=%d", stall);
        given = $value$plusargs("dram_seed=%d", seed);
        noise = {32'h9E3779B9, seed};
    end

    // Random bits of a cycle: xorshift64 (Marsaglia 2003), a byte for each channel, 24 bits for the jitter.
    function automatic logic [63:0] next_noise(input logic [63:0] x);
        x = x ^ (x << 13);
        x = x ^ (x >> 7);
        next_noise = x ^ (x << 17);
    endfunction
    logic stall_ar, stall_aw, stall_r, stall_w, stall_b;
    logic [7:0] threshold;
    assign threshold = 8'((stall * 256) / 100);
    assign stall_ar = noise[7:0] < threshold;
    assign stall_aw = noise[15:8] < threshold;
    assign stall_r = noise[23:16] < threshold;
    assign stall_w = noise[31:24] < threshold;
    assign stall_b = noise[39:32] < threshold;
    logic [63:0] extra;
    assign extra = jitter == 0 ? 64'd0 : 64'(noise[63:40]) % 64'(jitter + 1);

    // Bandwidth: `beats` slots spread evenly over every `cycles` cycles.
    int credit;
    logic slot;
    assign slot = credit >= cycles;

    // Queues of bursts. `arrival` orders both directions, `due` is the cycle of the first beat at the earliest.
    logic [63:0] now;
    logic [63:0] r_arrival[OUTSTANDING], r_due[OUTSTANDING], w_arrival[OUTSTANDING], w_due[OUTSTANDING];
    logic [63:0] b_due[OUTSTANDING];
    logic [ADDRESS_BITS-1:0] r_address[OUTSTANDING], w_address[OUTSTANDING];
    logic [7:0] r_length[OUTSTANDING], w_length[OUTSTANDING];
    logic [ID_BITS-1:0] r_id[OUTSTANDING], w_id[OUTSTANDING], b_id[OUTSTANDING];
    logic b_error[OUTSTANDING];
    logic [QUEUE_BITS-1:0] r_head, r_tail, w_head, w_tail, b_head, b_tail;
    logic [QUEUE_BITS:0] r_count, w_count, b_count;
    logic [7:0] r_beat, w_beat;  // of the front burst
    logic r_held, b_held;  // offered, not taken: stays offered
    logic w_error;

    assign arready = r_count < OUTSTANDING[QUEUE_BITS:0] && !stall_ar;
    assign awready = w_count + b_count < OUTSTANDING[QUEUE_BITS:0] && !stall_aw;

    logic r_can, w_can, r_older;
    assign r_older = w_count == 0 || r_arrival[r_head] <= w_arrival[w_head];
    assign r_can = r_count != 0 && now >= r_due[r_head] && slot && !stall_r;
    assign w_can = w_count != 0 && now >= w_due[w_head] && slot && !stall_w;
    assign rvalid = r_held || (r_can && (r_older || !w_can || !wvalid));
    assign wready = w_can && !rvalid;

    localparam logic [ADDRESS_BITS-1:0] ORIGIN = ADDRESS_BITS'(FIRST);
    logic [ADDRESS_BITS-1:0] r_word, w_word;
    logic r_inside, w_inside;
    assign r_word = ((r_address[r_head] - ORIGIN) >> SHIFT) + ADDRESS_BITS'(r_beat);
    assign w_word = ((w_address[w_head] - ORIGIN) >> SHIFT) + ADDRESS_BITS'(w_beat);
    assign r_inside = r_word < ADDRESS_BITS'(WORDS);
    assign w_inside = w_word < ADDRESS_BITS'(WORDS);
    assign rid = r_id[r_head];
    assign rdata = r_inside ? swapped(memory[r_word[WORD_BITS-1:0]]) : '0;
    assign rresp = r_inside ? OKAY : SLVERR;
    assign rlast = r_beat == r_length[r_head];

    assign bid = b_id[b_head];
    assign bresp = b_error[b_head] ? SLVERR : OKAY;
    assign bvalid = b_held || (b_count != 0 && now >= b_due[b_head] && !stall_b);

    logic take_ar, take_aw, take_r, take_w, take_b, end_r, end_w;
    assign take_ar = arvalid && arready;
    assign take_aw = awvalid && awready;
    assign take_r = rvalid && rready;
    assign take_w = wvalid && wready;
    assign take_b = bvalid && bready;
    assign end_r = take_r && rlast;
    assign end_w = take_w && w_beat == w_length[w_head];

    logic [DATA_BITS-1:0] w_mask;
    assign w_mask = swapped_mask(wstrb);

    always @(posedge clk) begin
        now <= now + 1;
        if (stall != 0 || jitter != 0) noise <= next_noise(noise);
        if (cycles != beats) begin
            if (take_w || (rvalid && !r_held)) credit <= credit - cycles + beats;
            else if (!slot) credit <= credit + beats;
        end
        if (take_ar) begin
            r_arrival[r_tail] <= now;
            r_due[r_tail] <= now + 64'(latency) + extra;
            r_address[r_tail] <= araddr;
            r_length[r_tail] <= arlen;
            r_id[r_tail] <= arid;
            r_tail <= r_tail + 1;
        end
        if (take_aw) begin
            w_arrival[w_tail] <= now;
            w_due[w_tail] <= now + 64'(latency) + extra;
            w_address[w_tail] <= awaddr;
            w_length[w_tail] <= awlen;
            w_id[w_tail] <= awid;
            w_tail <= w_tail + 1;
        end
        r_held <= rvalid && !rready;
        if (take_r) r_beat <= rlast ? 0 : r_beat + 1;
        if (end_r) r_head <= r_head + 1;
        if (take_w) begin
            if (w_inside)
                memory[w_word[WORD_BITS-1:0]] <= (memory[w_word[WORD_BITS-1:0]] & ~w_mask) | (swapped(wdata) & w_mask);
            w_beat <= end_w ? 0 : w_beat + 1;
            w_error <= !end_w && (w_error || !w_inside);
        end
        if (end_w) begin
            w_head <= w_head + 1;
            b_due[b_tail] <= now + 64'(latency);
            b_error[b_tail] <= w_error || !w_inside;
            b_id[b_tail] <= w_id[w_head];
            b_tail <= b_tail + 1;
        end
        b_held <= bvalid && !bready;
        if (take_b) b_head <= b_head + 1;
        r_count <= r_count + (QUEUE_BITS + 1)'(take_ar) - (QUEUE_BITS + 1)'(end_r);
        w_count <= w_count + (QUEUE_BITS + 1)'(take_aw) - (QUEUE_BITS + 1)'(end_w);
        b_count <= b_count + (QUEUE_BITS + 1)'(end_w) - (QUEUE_BITS + 1)'(take_b);
        if (rst) begin
            now <= 0;
            credit <= cycles;
            {r_head, r_tail, w_head, w_tail, b_head, b_tail} <= '0;
            {r_count, w_count, b_count} <= '0;
            {r_beat, w_beat} <= '0;
            {r_held, b_held, w_error} <= '0;
        end
    end

    // Contents: loaded at the start, written out on request.
    string manifest, path;
    int list, file, address, size, got;
    initial begin
        if ($value$plusargs("dram_image=%s", manifest)) begin
            list = $fopen(manifest, "r");
            while ($fscanf(list, "%d %d %s", address, size, path) == 3) begin
                file = $fopen(path, "rb");
                if (file == 0) $fatal(1, "dram: cannot open %s", path);
                got = $fread(memory, file, address / BUS_BYTES, (size + BUS_BYTES - 1) / BUS_BYTES);
                if (got < size) $fatal(1, "dram: %s has %0d bytes, not %0d", path, got, size);
                $fclose(file);
            end
            $fclose(list);
        end
    end

    string dump_manifest, dump_path;
    int dump_list, dump_file, dump_address, dump_size;
    logic [DATA_BITS-1:0] dumped;
    always @(posedge dump) begin
        if ($value$plusargs("dram_dump=%s", dump_manifest)) begin
            dump_list = $fopen(dump_manifest, "r");
            while ($fscanf(dump_list, "%d %d %s", dump_address, dump_size, dump_path) == 3) begin
                dump_file = $fopen(dump_path, "wb");
                for (int i = dump_address / BUS_BYTES; i < (dump_address + dump_size + BUS_BYTES - 1) / BUS_BYTES; i++) begin
                    dumped = swapped(memory[i[WORD_BITS-1:0]]);
                    for (int j = 0; j < DATA_BITS; j += 32) $fwrite(dump_file, "%u", dumped[j+:32]);
                end
                $fclose(dump_file);
            end
            $fclose(dump_list);
        end
    end
endmodule
