// A small system around the accelerator: a VexRiscv core that drives it, and one DRAM for both.
//
// The core sees              the DRAM at 4000_0000 (the accelerator sees it at 0), its own memory at 7000_0000,
//                            the accelerator's registers at 8000_0000, the exit register at 9000_0000
// Its interrupt line 0 is    the accelerator's interrupt
// +firmware=FILE             fills its own memory: words in hex; it starts at the first
// A word written to the exit register ends the run.
//
// The core ignores errors of its bus (it would wait for ever without ACK), so accesses to nothing are acknowledged, and
// counted: they are bugs of the firmware's.

module tenon_soc #(
    parameter int DATA_BITS = 64,
    parameter int DRAM_BYTES = 1 << 26,
    parameter int SRAM_BYTES = 1 << 16
) (
    output logic clk,
    input  logic rst,
    output logic [63:0] cycle,
    input  logic [63:0] deadline,  // wakes the bench at this cycle if the firmware has not ended
    output logic wake,
    output logic ended,
    output logic [31:0] exit_code,
    output logic [31:0] register_reads,  // of the accelerator's, by the core
    output logic [31:0] strays,  // accesses of the core's to where nothing is
    input  logic dump,
    output logic [31:0] violations
);
    localparam int SRAM_BITS = $clog2(SRAM_BYTES / 4);
    localparam int LANES = DATA_BITS / 32;
    localparam int LANE_BITS = LANES > 1 ? $clog2(LANES) : 1;

    initial clk = 0;
    always #5 clk = !clk;
    initial cycle = 0;
    always @(posedge clk) cycle <= cycle + 1;
    assign wake = ended || cycle >= deadline;

    // The core
    logic irq;
    logic i_cyc, i_stb, i_ack, d_cyc, d_stb, d_we, d_ack;
    logic [29:0] i_adr, d_adr;
    logic [31:0] i_read, d_read, d_write;
    logic [3:0] d_sel;
    VexRiscv core (
        .clk(clk), .reset(rst), .externalResetVector(32'h7000_0000),
        .timerInterrupt(1'b0), .softwareInterrupt(1'b0), .externalInterruptArray({31'd0, irq}),
        .iBusWishbone_CYC(i_cyc), .iBusWishbone_STB(i_stb), .iBusWishbone_ACK(i_ack), .iBusWishbone_WE(),
        .iBusWishbone_ADR(i_adr), .iBusWishbone_DAT_MISO(i_read), .iBusWishbone_DAT_MOSI(), .iBusWishbone_SEL(),
        .iBusWishbone_ERR(1'b0), .iBusWishbone_CTI(), .iBusWishbone_BTE(),
        .dBusWishbone_CYC(d_cyc), .dBusWishbone_STB(d_stb), .dBusWishbone_ACK(d_ack), .dBusWishbone_WE(d_we),
        .dBusWishbone_ADR(d_adr), .dBusWishbone_DAT_MISO(d_read), .dBusWishbone_DAT_MOSI(d_write),
        .dBusWishbone_SEL(d_sel), .dBusWishbone_ERR(1'b0), .dBusWishbone_CTI(), .dBusWishbone_BTE()
    );

    // Whom a data access is for
    logic access, to_dram, to_sram, to_registers, to_exit;
    assign access = d_cyc && d_stb;
    assign to_dram = access && d_adr[29:26] == 4'h4;
    assign to_sram = access && d_adr[29:26] == 4'h7;
    assign to_registers = access && d_adr[29:26] == 4'h8;
    assign to_exit = access && d_adr[29:26] == 4'h9;

    // Its own memory: a port for instructions, one for data
    logic [31:0] sram[SRAM_BYTES/4];
    logic [31:0] sram_read;
    logic sram_ack;
    string firmware;
    initial if ($value$plusargs("firmware=%s", firmware)) $readmemh(firmware, sram);
    always @(posedge clk) begin
        i_read <= sram[i_adr[SRAM_BITS-1:0]];
        i_ack <= i_cyc && i_stb && !i_ack && !rst;
        sram_read <= sram[d_adr[SRAM_BITS-1:0]];
        sram_ack <= to_sram && !sram_ack && !rst;
        for (int i = 0; i < 4; i++)
            if (to_sram && d_we && d_sel[i]) sram[d_adr[SRAM_BITS-1:0]][8*i+:8] <= d_write[8*i+:8];
    end

    // The exit register
    logic exit_ack;
    always @(posedge clk) begin
        exit_ack <= to_exit && !exit_ack && !rst;
        if (to_exit && d_we && !ended) {ended, exit_code} <= {1'b1, d_write};
        if (rst) {ended, exit_code} <= '0;
    end

    // The accelerator's registers
    logic l_awvalid, l_awready, l_wvalid, l_wready, l_bvalid, l_arvalid, l_arready, l_rvalid, l_ack, l_refused;
    logic [1:0] l_bresp, l_rresp;
    logic [31:0] l_rdata, l_read;
    tenon_wishbone_axi to_lite (
        .clk(clk), .rst(rst), .access(to_registers), .we(d_we), .ack(l_ack), .refused(l_refused), .read(l_read),
        .awvalid(l_awvalid), .awready(l_awready), .wvalid(l_wvalid), .wready(l_wready), .bvalid(l_bvalid), .bresp(l_bresp),
        .arvalid(l_arvalid), .arready(l_arready), .rvalid(l_rvalid), .rdata(l_rdata), .rresp(l_rresp)
    );
    always @(posedge clk) begin
        if (l_arvalid && l_arready) register_reads <= register_reads + 1;
        if (rst) register_reads <= 0;
    end

    // The core's way to the DRAM: single beats, one lane of the bus
    logic [31:0] c_address, c_rdata, c_read;
    logic c_awvalid, c_awready, c_wvalid, c_wready, c_bvalid, c_arvalid, c_arready, c_rvalid, c_ack, c_refused;
    logic [DATA_BITS/8-1:0] c_wstrb;
    logic [LANE_BITS-1:0] lane;
    assign c_address = {4'h0, d_adr[25:0], 2'b00};
    assign lane = LANES > 1 ? d_adr[LANE_BITS-1:0] : '0;
    assign c_rdata = rdata[32*lane+:32];
    always_comb begin
        c_wstrb = '0;
        c_wstrb[4*lane+:4] = d_sel;
    end
    tenon_wishbone_axi to_axi (
        .clk(clk), .rst(rst), .access(to_dram), .we(d_we), .ack(c_ack), .refused(c_refused), .read(c_read),
        .awvalid(c_awvalid), .awready(c_awready), .wvalid(c_wvalid), .wready(c_wready), .bvalid(c_bvalid), .bresp(bresp),
        .arvalid(c_arvalid), .arready(c_arready), .rvalid(c_rvalid), .rdata(c_rdata), .rresp(rresp)
    );

    logic stray;
    always_comb begin
        stray = l_refused || c_refused || (access && !to_dram && !to_sram && !to_registers && !to_exit);
        d_ack = sram_ack || exit_ack || l_ack || c_ack || stray;
        d_read = to_dram ? c_read : to_registers ? l_read : to_sram ? sram_read : 32'd0;
    end
    always @(posedge clk) begin
        if (stray) strays <= strays + 1;
        if (rst) strays <= 0;
    end

    // The accelerator
    logic [0:0] m_awid, m_arid;
    logic [31:0] m_awaddr, m_araddr;
    logic [7:0] m_awlen, m_arlen;
    logic [2:0] m_awsize, m_arsize;
    logic [1:0] m_awburst, m_arburst;
    logic m_awvalid, m_awready, m_arvalid, m_arready, m_wvalid, m_wready, m_wlast, m_bvalid, m_bready, m_rvalid, m_rready;
    logic [DATA_BITS-1:0] m_wdata;
    logic [DATA_BITS/8-1:0] m_wstrb;
    tenon accelerator (
        .clk(clk), .rst(rst), .irq(irq), .scan_enable(1'b0), .perf_counters(), .mark_valid(), .mark_index(),
        .s_axil_awaddr({d_adr[13:0], 2'b00}), .s_axil_awvalid(l_awvalid), .s_axil_awready(l_awready),
        .s_axil_wdata(d_write), .s_axil_wstrb(d_sel), .s_axil_wvalid(l_wvalid), .s_axil_wready(l_wready),
        .s_axil_bresp(l_bresp), .s_axil_bvalid(l_bvalid), .s_axil_bready(1'b1),
        .s_axil_araddr({d_adr[13:0], 2'b00}), .s_axil_arvalid(l_arvalid), .s_axil_arready(l_arready),
        .s_axil_rdata(l_rdata), .s_axil_rresp(l_rresp), .s_axil_rvalid(l_rvalid), .s_axil_rready(1'b1),
        .m_axi_awid(m_awid), .m_axi_awaddr(m_awaddr), .m_axi_awlen(m_awlen), .m_axi_awsize(m_awsize),
        .m_axi_awlock(), .m_axi_awprot(), .m_axi_awcache(), .m_axi_awqos(),
        .m_axi_awburst(m_awburst), .m_axi_awvalid(m_awvalid), .m_axi_awready(m_awready),
        .m_axi_wdata(m_wdata), .m_axi_wstrb(m_wstrb), .m_axi_wlast(m_wlast), .m_axi_wvalid(m_wvalid),
        .m_axi_wready(m_wready),
        .m_axi_bid(1'b0), .m_axi_bresp(bresp), .m_axi_bvalid(m_bvalid), .m_axi_bready(m_bready),
        .m_axi_arid(m_arid), .m_axi_araddr(m_araddr), .m_axi_arlen(m_arlen), .m_axi_arsize(m_arsize),
        .m_axi_arlock(), .m_axi_arprot(), .m_axi_arcache(), .m_axi_arqos(),
        .m_axi_arburst(m_arburst), .m_axi_arvalid(m_arvalid), .m_axi_arready(m_arready),
        .m_axi_rid(1'b0), .m_axi_rdata(rdata), .m_axi_rresp(rresp), .m_axi_rlast(rlast),
        .m_axi_rvalid(m_rvalid), .m_axi_rready(m_rready)
    );

    // The DRAM, for both
    logic awid, arid, bid, rid;
    logic [31:0] awaddr, araddr;
    logic [7:0] awlen, arlen;
    logic [1:0] bresp, rresp;
    logic awvalid, awready, arvalid, arready, wvalid, wready, wlast, bvalid, bready, rvalid, rready, rlast;
    logic [DATA_BITS-1:0] wdata, rdata;
    logic [DATA_BITS/8-1:0] wstrb;
    tenon_axi_join #(.DATA_BITS(DATA_BITS)) join_masters (
        .clk(clk), .rst(rst),
        .m_awaddr({c_address, m_awaddr}), .m_awlen({8'd0, m_awlen}), .m_awvalid({c_awvalid, m_awvalid}),
        .m_awready({c_awready, m_awready}),
        .m_araddr({c_address, m_araddr}), .m_arlen({8'd0, m_arlen}), .m_arvalid({c_arvalid, m_arvalid}),
        .m_arready({c_arready, m_arready}),
        .m_wdata({{LANES{d_write}}, m_wdata}), .m_wstrb({c_wstrb, m_wstrb}), .m_wlast({1'b1, m_wlast}),
        .m_wvalid({c_wvalid, m_wvalid}), .m_wready({c_wready, m_wready}),
        .m_bvalid({c_bvalid, m_bvalid}), .m_bready({1'b1, m_bready}),
        .m_rvalid({c_rvalid, m_rvalid}), .m_rready({1'b1, m_rready}),
        .awid(awid), .awaddr(awaddr), .awlen(awlen), .awvalid(awvalid), .awready(awready),
        .arid(arid), .araddr(araddr), .arlen(arlen), .arvalid(arvalid), .arready(arready),
        .wdata(wdata), .wstrb(wstrb), .wlast(wlast), .wvalid(wvalid), .wready(wready),
        .bid(bid), .bvalid(bvalid), .bready(bready), .rid(rid), .rvalid(rvalid), .rready(rready)
    );
    tenon_dram #(.DATA_BITS(DATA_BITS), .BYTES(DRAM_BYTES)) dram (
        .clk(clk), .rst(rst), .dump(dump),
        .awid(awid), .awaddr(awaddr), .awlen(awlen), .awvalid(awvalid), .awready(awready),
        .wdata(wdata), .wstrb(wstrb), .wlast(wlast), .wvalid(wvalid), .wready(wready),
        .bid(bid), .bresp(bresp), .bvalid(bvalid), .bready(bready),
        .arid(arid), .araddr(araddr), .arlen(arlen), .arvalid(arvalid), .arready(arready),
        .rid(rid), .rdata(rdata), .rresp(rresp), .rlast(rlast), .rvalid(rvalid), .rready(rready)
    );
    // Rules are watched at both of its sides: the accelerator's port, and what the join makes of two
    logic [31:0] own_violations, joint_violations;
    assign violations = own_violations + joint_violations;
    tenon_axi_rules #(.DATA_BITS(DATA_BITS)) joint_rules (
        .clk(clk), .rst(rst),
        .awid(awid), .awaddr(awaddr), .awlen(awlen), .awsize(m_awsize), .awburst(2'b01), .awvalid(awvalid), .awready(awready),
        .arid(arid), .araddr(araddr), .arlen(arlen), .arsize(m_arsize), .arburst(2'b01), .arvalid(arvalid), .arready(arready),
        .wdata(wdata), .wstrb(wstrb), .wlast(wlast), .wvalid(wvalid), .wready(wready),
        .awattributes('0), .arattributes('0), .bvalid(bvalid), .bready(bready), .rvalid(rvalid), .rready(rready), .rlast(rlast),
        .violations(joint_violations)
    );
    tenon_axi_rules #(.DATA_BITS(DATA_BITS)) own_rules (
        .clk(clk), .rst(rst),
        .awid(m_awid), .awaddr(m_awaddr), .awlen(m_awlen), .awsize(m_awsize), .awburst(m_awburst),
        .awvalid(m_awvalid), .awready(m_awready),
        .arid(m_arid), .araddr(m_araddr), .arlen(m_arlen), .arsize(m_arsize), .arburst(m_arburst),
        .arvalid(m_arvalid), .arready(m_arready),
        .wdata(m_wdata), .wstrb(m_wstrb), .wlast(m_wlast), .wvalid(m_wvalid), .wready(m_wready),
        .awattributes('0), .arattributes('0), .bvalid(m_bvalid), .bready(m_bready), .rvalid(m_rvalid), .rready(m_rready), .rlast(rlast),
        .violations(own_violations)
    );
endmodule
