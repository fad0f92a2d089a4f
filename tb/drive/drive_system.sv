// A drive between a host and its own DRAM.
//
// The bench asks for an access to BAR 0 by turning `request`; `done` follows it when the access is over. `events` counts what a
// host would notice: accesses that are over, interrupts, words of firmware's trace, the deadline, and that the guest is gone.
//
// With LINK = 1 a guest has BAR 0, interrupts and memory instead (link.cpp); its sockets are in +link_folder=FOLDER.

module tenon_drive_system #(
    parameter int HOST_BITS = 64,
    parameter int MEMORY_BITS = 32,
    parameter int ADDRESS_BITS = 36,
    parameter int DRAM_BYTES = 1 << 24,
    parameter int PERIOD_NS = 4,
    parameter bit LINK = 0,
    parameter int VECTORS = 2,
    parameter int IDENTIFIERS = 0,
    parameter int CHANNELS = 1,
    parameter int DIES = 1,
    parameter int WORD_BYTES = 2,
    parameter int PAGE_BYTES = 4320,
    parameter int PAGES = 16,
    parameter int BLOCKS = 64,
    parameter int READ_NS = 1000,
    parameter int PROGRAM_NS = 1000,
    parameter int ERASE_NS = 1000
) (
    output logic clk,
    input  logic reset,
    output logic [63:0] cycle,
    input  logic [63:0] deadline,
    output logic [31:0] events,

    input  logic request,
    input  logic write,
    input  logic [15:0] address,
    input  logic [31:0] value,
    output logic done,
    output logic [31:0] answer,

    input  logic msix_enable,
    input  logic msix_mask,
    output logic [31:0] messages,
    output logic [31:0] traced,
    output logic [31:0] trace_last,
    output logic [31:0] broken,
    output logic [31:0] violations,
    output logic [63:0] read_bytes, written_bytes,
    output logic gone,
    output logic [63:0] time_ns
);
    timeunit 1ns; timeprecision 1ps;
    initial clk = 0;
    always #(PERIOD_NS / 2) clk = !clk;
    initial cycle = 0;
    always @(posedge clk) cycle <= cycle + 1;

    // What the bench sets reaches the drive by registers alone: logic behind an input is evaluated at both edges.
    logic rst;
    always @(posedge clk) rst <= reset;

    // Accesses to BAR 0
    logic awvalid, awready, wvalid, wready, bvalid, arvalid, arready, rvalid;
    logic [31:0] rdata, to_value;
    logic [15:0] to_address;
    logic asked, go, go_write, over, idle;
    assign over = bvalid || rvalid;
    always @(posedge clk) begin
        asked <= request;
        if (go) begin
            awvalid <= go_write;
            wvalid <= go_write;
            arvalid <= !go_write;
        end else begin
            if (awready) awvalid <= 0;
            if (wready) wvalid <= 0;
            if (arready) arvalid <= 0;
        end
        if (rvalid) answer <= rdata;
        if (bvalid || rvalid) done <= request;
        if (rst) begin
            {awvalid, wvalid, arvalid} <= '0;
            {asked, done} <= {request, request};
        end
    end

    logic use_msix, hold_msix;
    generate if (LINK) begin : guest
        import "DPI-C" function void link_open(input string folder, input int vectors, input int identifiers);
        import "DPI-C" function int link_poll(input longint unsigned now, input int idle, output int unsigned address,
                                              output int unsigned value);
        import "DPI-C" function void link_done(input int unsigned value);
        import "DPI-C" function longint unsigned link_time(input longint unsigned now);
        import "DPI-C" function int link_msix();
        string folder;
        initial if ($value$plusargs("link_folder=%s", folder) != 0) link_open(folder, VECTORS, IDENTIFIERS);
        int found, address_asked, value_asked;
        logic busy;
        always @(posedge clk) begin
            go <= 0;
            if (rst) begin
                {busy, gone} <= '0;
            end else if (busy) begin
                if (over) begin
                    link_done(rdata);
                    busy <= 0;
                end
            end else if (!gone) begin
                found = link_poll(cycle * 64'(PERIOD_NS), 32'(idle), address_asked, value_asked);
                gone <= found == 3;
                if (found == 1 || found == 2) begin
                    {go, busy} <= 2'b11;
                    go_write <= found == 2;
                    to_address <= 16'(address_asked);
                    to_value <= value_asked;
                end
            end
            time_ns <= link_time(cycle * 64'(PERIOD_NS));
        end
        int msix;
        always @(posedge clk) msix = link_msix();
        assign {use_msix, hold_msix} = 2'(msix);
    end else begin : bench
        assign go = request != asked && request != done;
        always @(posedge clk) begin
            if (go) {to_address, to_value} <= {address, value};
            {use_msix, hold_msix} <= {msix_enable, msix_mask};
        end
        assign go_write = write;
        assign gone = 0;
        assign time_ns = cycle * 64'(PERIOD_NS);
    end endgenerate

    // What a host notices
    logic trace_valid;
    logic [31:0] trace_word, messages_was;
    logic late, gone_was;
    always @(posedge clk) begin
        messages_was <= messages;
        late <= cycle >= deadline;
        events <= events + 32'(bvalid || rvalid) + 32'(messages != messages_was) + 32'(trace_valid) + 32'(cycle >= deadline && !late)
                  + 32'(gone && !gone_was);
        gone_was <= gone;
        if (trace_valid) begin
            trace_last <= trace_word;
            traced <= traced + 1;
            $display("%0d trace: %08x", cycle, trace_word);
        end
        if (rst) {events, traced, late, messages_was, gone_was} <= '0;
    end

    logic [0:0] h_awid, h_arid, m_awid, m_arid;
    logic [63:0] h_awaddr, h_araddr;
    logic [ADDRESS_BITS-1:0] m_awaddr, m_araddr;
    logic [7:0] h_awlen, h_arlen, m_awlen, m_arlen;
    logic [2:0] h_awsize, h_arsize, m_awsize, m_arsize;
    logic [1:0] h_awburst, h_arburst, m_awburst, m_arburst, h_bresp, h_rresp, m_bresp, m_rresp;
    logic h_awvalid, h_awready, h_arvalid, h_arready, h_wvalid, h_wready, h_wlast, h_bvalid, h_bready, h_rvalid, h_rready, h_rlast;
    logic m_awvalid, m_awready, m_arvalid, m_arready, m_wvalid, m_wready, m_wlast, m_bvalid, m_bready, m_rvalid, m_rready, m_rlast;
    logic [HOST_BITS-1:0] h_wdata, h_rdata;
    logic [HOST_BITS/8-1:0] h_wstrb;
    logic [MEMORY_BITS-1:0] m_wdata, m_rdata;
    logic [MEMORY_BITS/8-1:0] m_wstrb;

    // Flash: what a die answers is its channel's two cycles after the strobe
    import "DPI-C" function int nand_broken();
    import "DPI-C" function void nand_report();
    localparam int WIDTH = 8 * WORD_BYTES;
    logic [CHANNELS*DIES-1:0] f_ce, f_ready, ce_late, ce_later;
    logic [CHANNELS-1:0] f_cle, f_ale, f_we, f_re;
    logic [CHANNELS*WIDTH-1:0] f_o, f_i;
    logic [WIDTH-1:0] each[CHANNELS*DIES];
    always @(posedge clk) {ce_later, ce_late} <= {ce_late, f_ce};
    always_comb begin
        f_i = '0;
        for (int d = 0; d < CHANNELS * DIES; d++) if (ce_later[d]) f_i[d/DIES*WIDTH+:WIDTH] = each[d];
    end
    generate for (genvar d = 0; d < CHANNELS * DIES; d++) begin : dies
        tenon_nand #(.WORD_BYTES(WORD_BYTES), .PAGE_BYTES(PAGE_BYTES), .PAGES(PAGES), .BLOCKS(BLOCKS), .READ_CYCLES(READ_NS / PERIOD_NS),
                     .PROGRAM_CYCLES(PROGRAM_NS / PERIOD_NS), .ERASE_CYCLES(ERASE_NS / PERIOD_NS)) die (
            .clk(clk), .rst(rst), .ce(f_ce[d]), .cle(f_cle[d/DIES]), .ale(f_ale[d/DIES]), .we(f_we[d/DIES]), .re(f_re[d/DIES]),
            .o(f_o[d/DIES*WIDTH+:WIDTH]), .i(each[d]), .ready(f_ready[d]));
    end endgenerate
    final nand_report();

    tenon_drive drive (
        .flash_ce(f_ce), .flash_cle(f_cle), .flash_ale(f_ale), .flash_we(f_we), .flash_re(f_re), .flash_o(f_o), .flash_i(f_i),
        .flash_ready(f_ready),
        .clk(clk), .rst(rst),
        .s_axil_awaddr(to_address), .s_axil_awvalid(awvalid), .s_axil_awready(awready),
        .s_axil_wdata(to_value), .s_axil_wstrb(4'hF), .s_axil_wvalid(wvalid), .s_axil_wready(wready),
        .s_axil_bresp(), .s_axil_bvalid(bvalid), .s_axil_bready(1'b1),
        .s_axil_araddr(to_address), .s_axil_arvalid(arvalid), .s_axil_arready(arready),
        .s_axil_rdata(rdata), .s_axil_rresp(), .s_axil_rvalid(rvalid), .s_axil_rready(1'b1),
        .host_axi_awid(h_awid), .host_axi_awaddr(h_awaddr), .host_axi_awlen(h_awlen), .host_axi_awsize(h_awsize),
        .host_axi_awburst(h_awburst), .host_axi_awlock(), .host_axi_awprot(), .host_axi_awcache(), .host_axi_awqos(),
        .host_axi_awvalid(h_awvalid), .host_axi_awready(h_awready),
        .host_axi_wdata(h_wdata), .host_axi_wstrb(h_wstrb), .host_axi_wlast(h_wlast), .host_axi_wvalid(h_wvalid),
        .host_axi_wready(h_wready), .host_axi_bid(1'b0), .host_axi_bresp(h_bresp), .host_axi_bvalid(h_bvalid), .host_axi_bready(h_bready),
        .host_axi_arid(h_arid), .host_axi_araddr(h_araddr), .host_axi_arlen(h_arlen), .host_axi_arsize(h_arsize),
        .host_axi_arburst(h_arburst), .host_axi_arlock(), .host_axi_arprot(), .host_axi_arcache(), .host_axi_arqos(),
        .host_axi_arvalid(h_arvalid), .host_axi_arready(h_arready),
        .host_axi_rid(1'b0), .host_axi_rdata(h_rdata), .host_axi_rresp(h_rresp), .host_axi_rlast(h_rlast), .host_axi_rvalid(h_rvalid),
        .host_axi_rready(h_rready),
        .memory_axi_awid(m_awid), .memory_axi_awaddr(m_awaddr), .memory_axi_awlen(m_awlen), .memory_axi_awsize(m_awsize),
        .memory_axi_awburst(m_awburst), .memory_axi_awlock(), .memory_axi_awprot(), .memory_axi_awcache(), .memory_axi_awqos(),
        .memory_axi_awvalid(m_awvalid), .memory_axi_awready(m_awready),
        .memory_axi_wdata(m_wdata), .memory_axi_wstrb(m_wstrb), .memory_axi_wlast(m_wlast), .memory_axi_wvalid(m_wvalid),
        .memory_axi_wready(m_wready), .memory_axi_bid(1'b0), .memory_axi_bresp(m_bresp), .memory_axi_bvalid(m_bvalid),
        .memory_axi_bready(m_bready),
        .memory_axi_arid(m_arid), .memory_axi_araddr(m_araddr), .memory_axi_arlen(m_arlen), .memory_axi_arsize(m_arsize),
        .memory_axi_arburst(m_arburst), .memory_axi_arlock(), .memory_axi_arprot(), .memory_axi_arcache(), .memory_axi_arqos(),
        .memory_axi_arvalid(m_arvalid), .memory_axi_arready(m_arready),
        .memory_axi_rid(1'b0), .memory_axi_rdata(m_rdata), .memory_axi_rresp(m_rresp), .memory_axi_rlast(m_rlast),
        .memory_axi_rvalid(m_rvalid), .memory_axi_rready(m_rready),
        .msix_enable(use_msix), .msix_mask(hold_msix), .time_ns(time_ns), .idle(idle), .trace_valid(trace_valid), .trace(trace_word)
    );

    tenon_host_memory #(.DATA_BITS(HOST_BITS)) host (
        .clk(clk), .rst(rst), .awaddr(h_awaddr), .awlen(h_awlen), .awvalid(h_awvalid), .awready(h_awready),
        .wdata(h_wdata), .wstrb(h_wstrb), .wlast(h_wlast), .wvalid(h_wvalid), .wready(h_wready),
        .bresp(h_bresp), .bvalid(h_bvalid), .bready(h_bready),
        .araddr(h_araddr), .arlen(h_arlen), .arvalid(h_arvalid), .arready(h_arready),
        .rdata(h_rdata), .rresp(h_rresp), .rlast(h_rlast), .rvalid(h_rvalid), .rready(h_rready),
        .messages(messages), .broken(broken), .read_bytes(read_bytes), .written_bytes(written_bytes)
    );
    tenon_dram #(.DATA_BITS(MEMORY_BITS), .BYTES(DRAM_BYTES), .ADDRESS_BITS(ADDRESS_BITS), .FIRST(0)) dram (
        .clk(clk), .rst(rst), .dump(1'b0),
        .awid(m_awid), .awaddr(m_awaddr), .awlen(m_awlen), .awvalid(m_awvalid), .awready(m_awready),
        .wdata(m_wdata), .wstrb(m_wstrb), .wlast(m_wlast), .wvalid(m_wvalid), .wready(m_wready),
        .bid(), .bresp(m_bresp), .bvalid(m_bvalid), .bready(m_bready),
        .arid(m_arid), .araddr(m_araddr), .arlen(m_arlen), .arvalid(m_arvalid), .arready(m_arready),
        .rid(), .rdata(m_rdata), .rresp(m_rresp), .rlast(m_rlast), .rvalid(m_rvalid), .rready(m_rready)
    );

    // Who is busy: dies, flash buses, host's memory, device's memory
    logic [CHANNELS*DIES-1:0] dies_busy;
    assign dies_busy = ~f_ready;
    tenon_tracks #(.PARTS(CHANNELS * DIES + CHANNELS + 4)) tracks (
        .clk(clk), .rst(rst), .cycle(cycle),
        .active({m_wvalid && m_wready, m_rvalid && m_rready, h_wvalid && h_wready, h_rvalid && h_rready, f_we | f_re, dies_busy}));

    // Rules of both buses
    logic [31:0] host_violations, memory_violations;
    logic [31:0] nand_violations;
    always @(posedge clk) nand_violations <= nand_broken();
    assign violations = host_violations + memory_violations + nand_violations;
    tenon_axi_rules #(.DATA_BITS(HOST_BITS), .ADDRESS_BITS(64), .ADDRESS_FIRST(0)) host_rules (
        .clk(clk), .rst(rst),
        .awid(h_awid), .awaddr(h_awaddr), .awlen(h_awlen), .awsize(h_awsize), .awburst(h_awburst), .awvalid(h_awvalid), .awready(h_awready),
        .arid(h_arid), .araddr(h_araddr), .arlen(h_arlen), .arsize(h_arsize), .arburst(h_arburst), .arvalid(h_arvalid), .arready(h_arready),
        .wdata(h_wdata), .wstrb(h_wstrb), .wlast(h_wlast), .wvalid(h_wvalid), .wready(h_wready), .awattributes('0), .arattributes('0),
        .bvalid(h_bvalid), .bready(h_bready), .rvalid(h_rvalid), .rready(h_rready), .rlast(h_rlast), .violations(host_violations)
    );
    tenon_axi_rules #(.DATA_BITS(MEMORY_BITS), .ADDRESS_BITS(ADDRESS_BITS), .ADDRESS_FIRST(0)) memory_rules (
        .clk(clk), .rst(rst),
        .awid(m_awid), .awaddr(m_awaddr), .awlen(m_awlen), .awsize(m_awsize), .awburst(m_awburst), .awvalid(m_awvalid), .awready(m_awready),
        .arid(m_arid), .araddr(m_araddr), .arlen(m_arlen), .arsize(m_arsize), .arburst(m_arburst), .arvalid(m_arvalid), .arready(m_arready),
        .wdata(m_wdata), .wstrb(m_wstrb), .wlast(m_wlast), .wvalid(m_wvalid), .wready(m_wready), .awattributes('0), .arattributes('0),
        .bvalid(m_bvalid), .bready(m_bready), .rvalid(m_rvalid), .rready(m_rready), .rlast(m_rlast), .violations(memory_violations)
    );
endmodule
