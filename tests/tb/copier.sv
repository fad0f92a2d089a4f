// A stand-in for the accelerator: copies eight bus words from segment 2 to segment 3, each bit inverted, marks its
// progress and interrupts. PROGRAM_LENGTH chooses its manners: 0 never ends, 1 behaves, 2 breaks a rule of the bus.
// Offsets of the register map come in as macros.
module tenon #(
    parameter int DATA_BITS = 64,
    parameter int COUNTERS = 23
) (
    input logic clk, rst,
    input logic scan_enable,
    output logic irq,
    output logic [32*COUNTERS-1:0] perf_counters,
    output logic mark_valid,
    output logic [11:0] mark_index,
    input logic [15:0] s_axil_awaddr,
    input logic s_axil_awvalid,
    output logic s_axil_awready,
    input logic [31:0] s_axil_wdata,
    input logic [3:0] s_axil_wstrb,
    input logic s_axil_wvalid,
    output logic s_axil_wready,
    output logic [1:0] s_axil_bresp,
    output logic s_axil_bvalid,
    input logic s_axil_bready,
    input logic [15:0] s_axil_araddr,
    input logic s_axil_arvalid,
    output logic s_axil_arready,
    output logic [31:0] s_axil_rdata,
    output logic [1:0] s_axil_rresp,
    output logic s_axil_rvalid,
    input logic s_axil_rready,
    output logic [0:0] m_axi_awid, m_axi_arid,
    output logic [31:0] m_axi_awaddr, m_axi_araddr,
    output logic [7:0] m_axi_awlen, m_axi_arlen,
    output logic [2:0] m_axi_awsize, m_axi_arsize,
    output logic [1:0] m_axi_awburst, m_axi_arburst,
    output logic m_axi_awlock, m_axi_arlock,
    output logic [2:0] m_axi_awprot, m_axi_arprot,
    output logic [3:0] m_axi_awcache, m_axi_arcache, m_axi_awqos, m_axi_arqos,
    output logic m_axi_awvalid, m_axi_arvalid,
    input logic m_axi_awready, m_axi_arready,
    output logic [DATA_BITS-1:0] m_axi_wdata,
    output logic [DATA_BITS/8-1:0] m_axi_wstrb,
    output logic m_axi_wlast, m_axi_wvalid,
    input logic m_axi_wready,
    input logic [0:0] m_axi_bid, m_axi_rid,
    input logic [1:0] m_axi_bresp, m_axi_rresp,
    input logic m_axi_bvalid, m_axi_rvalid, m_axi_rlast,
    output logic m_axi_bready, m_axi_rready,
    input logic [DATA_BITS-1:0] m_axi_rdata
);
    localparam int WORDS = 8;
    logic [31:0] length, source, target, cycles;
    logic [DATA_BITS-1:0] buffer[WORDS];
    logic [3:0] got, put;
    logic busy, done, error, requested, written;

    assign irq = done;
    assign perf_counters = {{(32 * COUNTERS - 32){1'b0}}, cycles};
    assign s_axil_awready = s_axil_awvalid && s_axil_wvalid && !s_axil_bvalid;
    assign s_axil_wready = s_axil_awready;
    assign {s_axil_bresp, s_axil_rresp} = '0;
    assign s_axil_arready = !s_axil_rvalid;

    assign {m_axi_awid, m_axi_arid} = '0;
    assign {m_axi_awlock, m_axi_arlock, m_axi_awprot, m_axi_arprot, m_axi_awqos, m_axi_arqos} = '0;
    assign {m_axi_awcache, m_axi_arcache} = 8'h33;
    assign m_axi_awlen = WORDS - 1;
    assign m_axi_arlen = WORDS - 1;
    assign m_axi_awsize = $clog2(DATA_BITS / 8);
    assign m_axi_arsize = m_axi_awsize;
    assign m_axi_awburst = 2'b01;
    assign m_axi_arburst = length == 2 ? 2'b10 : 2'b01;
    assign m_axi_araddr = source;
    assign m_axi_awaddr = target;
    assign m_axi_rready = 1;
    assign m_axi_bready = 1;
    assign m_axi_wstrb = '1;
    assign m_axi_wdata = ~buffer[put[2:0]];
    assign m_axi_wlast = put == WORDS - 1;
    assign m_axi_wvalid = written && put < WORDS;

    always @(posedge clk) begin
        mark_valid <= 0;
        if (s_axil_awready) begin
            s_axil_bvalid <= 1;
            case (s_axil_awaddr)
                `PROGRAM_LENGTH: length <= s_axil_wdata;
                `SOURCE: source <= s_axil_wdata;
                `TARGET: target <= s_axil_wdata;
                `CONTROL: begin
                    if (s_axil_wdata[0]) begin
                        {busy, m_axi_arvalid, requested} <= 3'b111;
                        {got, put, written, cycles, error} <= '0;
                    end
                    if (s_axil_wdata[2]) done <= 0;
                end
                default;
            endcase
        end else if (s_axil_bready) s_axil_bvalid <= 0;
        if (s_axil_arvalid && s_axil_arready) begin
            s_axil_rvalid <= 1;
            s_axil_rdata <= s_axil_araddr == `STATUS ? {27'd0, error, 2'd0, done, busy} :
                            s_axil_araddr == `COUNTER ? cycles : 32'h0001_0005;
        end else if (s_axil_rready) s_axil_rvalid <= 0;
        if (busy) cycles <= cycles + 1;
        if (m_axi_arvalid && m_axi_arready) m_axi_arvalid <= 0;
        if (m_axi_awvalid && m_axi_awready) m_axi_awvalid <= 0;
        if (m_axi_rvalid) begin
            buffer[got[2:0]] <= m_axi_rdata;
            got <= got + 1;
            error <= error || m_axi_rresp != 0;
        end
        if (got == WORDS && requested) begin
            requested <= 0;
            mark_valid <= 1;
            mark_index <= 3;
            if (length != 0) {m_axi_awvalid, written} <= 2'b11;
        end
        if (m_axi_wvalid && m_axi_wready) put <= put + 1;
        if (m_axi_bvalid) begin
            busy <= 0;
            done <= 1;
            error <= error || m_axi_bresp != 0;
            mark_valid <= 1;
            mark_index <= 4;
        end
        if (rst) begin
            {busy, done, requested, written, got, put, mark_valid} <= '0;
            {m_axi_arvalid, m_axi_awvalid, s_axil_bvalid, s_axil_rvalid} <= '0;
            {length, source, target, cycles, error} <= '0;
        end
    end
endmodule
