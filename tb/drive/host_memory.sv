// The host's memory behind an AXI4 port, as a PCIe endpoint would show it: answers come `latency` cycles after requests, a beat
// in each cycle. Its bytes are in host_memory.cpp, which also knows which of them the drive may touch.
//
// +host_latency=N   cycles (100)
// +host_stall=P     each channel stalls in P of 100 cycles (0)
// +host_seed=N      of that (1)
// +host_memory=FILE +host_rights=FILE +host_arenas=LIST +host_messages=PAGE

module tenon_host_memory #(
    parameter int DATA_BITS = 128,
    parameter int OUTSTANDING = 64
) (
    input  logic clk,
    input  logic rst,
    input  logic [63:0] awaddr, araddr,
    input  logic [7:0] awlen, arlen,
    input  logic awvalid, arvalid,
    output logic awready, arready,
    input  logic [DATA_BITS-1:0] wdata,
    input  logic [DATA_BITS/8-1:0] wstrb,
    input  logic wlast, wvalid,
    output logic wready,
    output logic [1:0] bresp, rresp,
    output logic bvalid, rvalid, rlast,
    input  logic bready, rready,
    output logic [DATA_BITS-1:0] rdata,
    output logic [31:0] messages,  // interrupts that were written
    output logic [31:0] broken,    // accesses that were not the drive's to make
    output logic [63:0] read_bytes, written_bytes
);
    import "DPI-C" function void host_open(input string memory, input string rights, input string list, input longint unsigned messages);
    import "DPI-C" function int host_read(input longint unsigned address, input int bytes, output bit [DATA_BITS-1:0] data);
    import "DPI-C" function int host_write(input longint unsigned address, input int bytes, input bit [DATA_BITS-1:0] data,
                                           input longint unsigned strobes);
    import "DPI-C" function int host_broken();

    localparam int BYTES = DATA_BITS / 8;
    localparam int BITS = $clog2(OUTSTANDING);
    localparam logic [1:0] OKAY = 2'b00, SLVERR = 2'b10;

    int latency = 100, stall = 0, seed = 1, given;
    logic [63:0] noise, page;
    string memory, rights, list;
    initial begin
        given = $value$plusargs("host_latency=%d", latency);
        given = $value$plusargs("host_stall=%d", stall);
        given = $value$plusargs("host_seed=%d", seed);
        noise = {32'h9E3779B9, seed};
        page = '1;
        given = $value$plusargs("host_messages=%h", page);
        if ($value$plusargs("host_memory=%s", memory) != 0 && $value$plusargs("host_rights=%s", rights) != 0
            && $value$plusargs("host_arenas=%s", list) != 0)
            host_open(memory, rights, list, page);
    end
    function automatic logic [63:0] next_noise(input logic [63:0] x);  // xorshift64 (Marsaglia 2003)
        x = x ^ (x << 13);
        x = x ^ (x >> 7);
        next_noise = x ^ (x << 17);
    endfunction
    logic [7:0] threshold;
    assign threshold = 8'((stall * 256) / 100);
    logic stall_ar, stall_aw, stall_r, stall_w, stall_b;
    assign {stall_ar, stall_aw, stall_r, stall_w, stall_b} = {noise[7:0] < threshold, noise[15:8] < threshold, noise[23:16] < threshold,
                                                              noise[31:24] < threshold, noise[39:32] < threshold};

    logic [63:0] now;
    logic [63:0] r_address[OUTSTANDING], r_due[OUTSTANDING], w_address[OUTSTANDING], b_due[OUTSTANDING];
    logic [7:0] r_length[OUTSTANDING];
    logic b_error[OUTSTANDING];
    logic [BITS-1:0] r_head, r_tail, w_head, w_tail, b_head, b_tail;
    logic [BITS:0] r_count, w_count, b_count;
    logic [7:0] r_beat;
    logic w_error;
    assign arready = r_count < OUTSTANDING[BITS:0] && !stall_ar;
    assign awready = w_count + b_count < OUTSTANDING[BITS:0] && !stall_aw;
    assign wready = w_count != 0 && !stall_w;
    assign bresp = b_error[b_head] ? SLVERR : OKAY;
    logic b_held;
    assign bvalid = b_held || (b_count != 0 && now >= b_due[b_head] && !stall_b);

    bit [DATA_BITS-1:0] word;
    int answer;
    logic take_r, give_r, end_r, take_aw, take_ar, take_w, take_b;
    assign take_ar = arvalid && arready;
    assign take_aw = awvalid && awready;
    assign take_w = wvalid && wready;
    assign take_b = bvalid && bready;
    assign take_r = rvalid && rready;
    assign give_r = (!rvalid || rready) && r_count != 0 && now >= r_due[r_head] && !stall_r;
    assign end_r = give_r && r_beat == r_length[r_head];

    always @(posedge clk) begin
        now <= now + 1;
        if (stall != 0) noise <= next_noise(noise);
        if (take_ar) begin
            r_address[r_tail] <= araddr;
            r_length[r_tail] <= arlen;
            r_due[r_tail] <= now + 64'(latency);
            r_tail <= r_tail + 1;
        end
        if (give_r) begin
            answer = host_read(r_address[r_head] + 64'(r_beat) * BYTES, BYTES, word);
            rdata <= answer == 0 ? '0 : word;
            rresp <= answer == 0 ? SLVERR : OKAY;
            rlast <= end_r;
            rvalid <= 1;
            read_bytes <= read_bytes + 64'(BYTES);
            r_beat <= end_r ? 0 : r_beat + 1;
            if (end_r) r_head <= r_head + 1;
        end else if (take_r) rvalid <= 0;
        if (take_aw) begin
            w_address[w_tail] <= awaddr;
            w_tail <= w_tail + 1;
        end
        if (take_w) begin
            answer = host_write(w_address[w_head], BYTES, wdata, 64'(wstrb));
            if (answer == 2) messages <= messages + 1;
            w_address[w_head] <= w_address[w_head] + 64'(BYTES);
            w_error <= !wlast && (w_error || answer == 0);
            written_bytes <= written_bytes + 64'($countones(wstrb));
            if (wlast) begin
                w_head <= w_head + 1;
                b_error[b_tail] <= w_error || answer == 0;
                b_due[b_tail] <= now + 64'(latency);
                b_tail <= b_tail + 1;
            end
        end
        b_held <= bvalid && !bready;
        if (take_b) b_head <= b_head + 1;
        r_count <= r_count + (BITS + 1)'(take_ar) - (BITS + 1)'(end_r);
        w_count <= w_count + (BITS + 1)'(take_aw) - (BITS + 1)'(take_w && wlast);
        b_count <= b_count + (BITS + 1)'(take_w && wlast) - (BITS + 1)'(take_b);
        broken <= host_broken();
        if (rst) begin
            now <= 0;
            {r_head, r_tail, w_head, w_tail, b_head, b_tail} <= '0;
            {r_count, w_count, b_count} <= '0;
            {rvalid, b_held, w_error} <= '0;
            r_beat <= 0;
            {messages, broken, read_bytes, written_bytes} <= '0;
        end
    end
endmodule
