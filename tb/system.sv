// The whole system of a simulation: clock, accelerator, DRAM, rule checker. Its ports are the host's side; cocotb
// drives them to start a run, then sleeps until `wake` rises, so the simulation runs at its own speed meanwhile.
//
// Plusargs, beside those of the DRAM
//   +marks=FILE   gets a line "RUN MARK COUNTERS" for each time stamp: decimal, decimal, packed counters in hex
//   +bursts=FILE  gets a line "RUN R|W ADDRESS BEATS" for each burst, decimal
//
// Defines
//   TENON_OBSERVE   there is a module that writes down what the engines do (tb/observation.py)
//   TENON_WAVES     signals can be recorded (tb/waves.sv)

module tenon_system #(
    parameter int DATA_BITS = 128,
    parameter int ADDRESS_BITS = 32,
    parameter logic [11:0] ATTRIBUTES = '0,
    parameter int COUNTERS = 1,
    parameter int DRAM_BYTES = 1 << 26
) (
    output logic clk,
    input  logic rst,
    output logic [63:0] cycle,  // since the start of the simulation
    input  logic [63:0] deadline,  // wakes the host at this cycle if nothing else does
    output logic wake,
    output logic irq,
    input  logic [31:0] run,  // number of the run, for the time stamps
    input  logic dump,
    output logic [31:0] violations,
    output logic [63:0] requested,  // last cycle in which the accelerator began to offer a request
    output logic [63:0] answered,  // last cycle in which one side of the bus owed the other something

    input  logic [15:0] awaddr,
    input  logic awvalid,
    output logic awready,
    input  logic [31:0] wdata,
    input  logic wvalid,
    output logic wready,
    output logic [1:0] bresp,
    output logic bvalid,
    input  logic bready,
    input  logic [15:0] araddr,
    input  logic arvalid,
    output logic arready,
    output logic [31:0] rdata,
    output logic [1:0] rresp,
    output logic rvalid,
    input  logic rready
);
    initial clk = 0;
    always #5 clk = !clk;

    initial cycle = 0;
    always @(posedge clk) cycle <= cycle + 1;
    assign wake = irq || cycle >= deadline;

    logic [0:0] m_awid, m_arid, m_bid, m_rid;
    logic [ADDRESS_BITS-1:0] m_awaddr, m_araddr;
    logic [7:0] m_awlen, m_arlen;
    logic [2:0] m_awsize, m_arsize;
    logic m_awlock, m_arlock;
    logic [2:0] m_awprot, m_arprot;
    logic [3:0] m_awcache, m_arcache, m_awqos, m_arqos;
    logic [1:0] m_awburst, m_arburst, m_bresp, m_rresp;
    logic m_awvalid, m_awready, m_arvalid, m_arready, m_wvalid, m_wready, m_wlast;
    logic m_bvalid, m_bready, m_rvalid, m_rready, m_rlast;
    logic [DATA_BITS-1:0] m_wdata, m_rdata;
    logic [DATA_BITS/8-1:0] m_wstrb;
    logic [32*COUNTERS-1:0] perf_counters;
    logic mark_valid;
    logic [11:0] mark_index;

    tenon dut (
        .clk(clk), .rst(rst), .irq(irq), .scan_enable(1'b0),
        .perf_counters(perf_counters), .mark_valid(mark_valid), .mark_index(mark_index),
        .s_axil_awaddr(awaddr), .s_axil_awvalid(awvalid), .s_axil_awready(awready),
        .s_axil_wdata(wdata), .s_axil_wstrb(4'hF), .s_axil_wvalid(wvalid), .s_axil_wready(wready),
        .s_axil_bresp(bresp), .s_axil_bvalid(bvalid), .s_axil_bready(bready),
        .s_axil_araddr(araddr), .s_axil_arvalid(arvalid), .s_axil_arready(arready),
        .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid), .s_axil_rready(rready),
        .m_axi_awid(m_awid), .m_axi_awaddr(m_awaddr), .m_axi_awlen(m_awlen), .m_axi_awsize(m_awsize),
        .m_axi_awlock(m_awlock), .m_axi_awprot(m_awprot), .m_axi_awcache(m_awcache), .m_axi_awqos(m_awqos),
        .m_axi_awburst(m_awburst), .m_axi_awvalid(m_awvalid), .m_axi_awready(m_awready),
        .m_axi_wdata(m_wdata), .m_axi_wstrb(m_wstrb), .m_axi_wlast(m_wlast), .m_axi_wvalid(m_wvalid),
        .m_axi_wready(m_wready),
        .m_axi_bid(m_bid), .m_axi_bresp(m_bresp), .m_axi_bvalid(m_bvalid), .m_axi_bready(m_bready),
        .m_axi_arid(m_arid), .m_axi_araddr(m_araddr), .m_axi_arlen(m_arlen), .m_axi_arsize(m_arsize),
        .m_axi_arlock(m_arlock), .m_axi_arprot(m_arprot), .m_axi_arcache(m_arcache), .m_axi_arqos(m_arqos),
        .m_axi_arburst(m_arburst), .m_axi_arvalid(m_arvalid), .m_axi_arready(m_arready),
        .m_axi_rid(m_rid), .m_axi_rdata(m_rdata), .m_axi_rresp(m_rresp), .m_axi_rlast(m_rlast),
        .m_axi_rvalid(m_rvalid), .m_axi_rready(m_rready)
    );

    tenon_dram #(.DATA_BITS(DATA_BITS), .BYTES(DRAM_BYTES), .ADDRESS_BITS(ADDRESS_BITS)) dram (
        .clk(clk), .rst(rst), .dump(dump),
        .awid(m_awid), .awaddr(m_awaddr), .awlen(m_awlen), .awvalid(m_awvalid), .awready(m_awready),
        .wdata(m_wdata), .wstrb(m_wstrb), .wlast(m_wlast), .wvalid(m_wvalid), .wready(m_wready),
        .bid(m_bid), .bresp(m_bresp), .bvalid(m_bvalid), .bready(m_bready),
        .arid(m_arid), .araddr(m_araddr), .arlen(m_arlen), .arvalid(m_arvalid), .arready(m_arready),
        .rid(m_rid), .rdata(m_rdata), .rresp(m_rresp), .rlast(m_rlast), .rvalid(m_rvalid), .rready(m_rready)
    );

    tenon_axi_rules #(.DATA_BITS(DATA_BITS), .ADDRESS_BITS(ADDRESS_BITS), .ATTRIBUTES(ATTRIBUTES)) rules (
        .clk(clk), .rst(rst),
        .awattributes({m_awlock, m_awprot, m_awcache, m_awqos}), .arattributes({m_arlock, m_arprot, m_arcache, m_arqos}),
        .awid(m_awid), .awaddr(m_awaddr), .awlen(m_awlen), .awsize(m_awsize), .awburst(m_awburst),
        .awvalid(m_awvalid), .awready(m_awready),
        .arid(m_arid), .araddr(m_araddr), .arlen(m_arlen), .arsize(m_arsize), .arburst(m_arburst),
        .arvalid(m_arvalid), .arready(m_arready),
        .wdata(m_wdata), .wstrb(m_wstrb), .wlast(m_wlast), .wvalid(m_wvalid), .wready(m_wready),
        .bvalid(m_bvalid), .bready(m_bready), .rvalid(m_rvalid), .rready(m_rready), .rlast(m_rlast),
        .violations(violations)
    );

    // What is owed on the bus
    logic [15:0] reads, writes;
    logic ar_waits, aw_waits;
    always @(posedge clk) begin
        ar_waits <= m_arvalid && !m_arready;
        aw_waits <= m_awvalid && !m_awready;
        reads <= reads + 16'(m_arvalid && m_arready) - 16'(m_rvalid && m_rready && m_rlast);
        writes <= writes + 16'(m_awvalid && m_awready) - 16'(m_bvalid && m_bready);
        if ((m_arvalid && !ar_waits) || (m_awvalid && !aw_waits)) requested <= cycle;
        if (m_arvalid || m_awvalid || m_wvalid || reads != 0 || writes != 0) answered <= cycle;
        if (rst) {reads, writes, requested, answered} <= '0;
    end

    string marks_path, bursts_path;
    int marks, bursts;
    initial begin
        marks = 0;
        bursts = 0;
        if ($value$plusargs("bursts=%s", bursts_path)) bursts = $fopen(bursts_path, "w");
        if ($value$plusargs("marks=%s", marks_path)) marks = $fopen(marks_path, "w");
    end
    always @(posedge clk) begin
        if (mark_valid && marks != 0) begin
            $fdisplay(marks, "%0d %0d %h", run, mark_index, perf_counters);
            $fflush(marks);
        end
        if (bursts != 0) begin
            if (m_arvalid && m_arready) $fdisplay(bursts, "%0d R %0d %0d", run, m_araddr, 32'(m_arlen) + 1);
            if (m_awvalid && m_awready) $fdisplay(bursts, "%0d W %0d %0d", run, m_awaddr, 32'(m_awlen) + 1);
            if ((m_arvalid && m_arready) || (m_awvalid && m_awready)) $fflush(bursts);
        end
    end

`ifdef TENON_OBSERVE
    tenon_observer observer (.clk(clk), .run(run), .ended(dump));
`endif
`ifdef TENON_WAVES
    tenon_waves waves (.run(run), .cycle(perf_counters[31:0]));
`endif
endmodule
