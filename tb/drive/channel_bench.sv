// A flash bus with its dies and a memory, for a bench that gives operations.

module channel_bench #(
    parameter int MEMORY_BITS = 32,
    parameter int WORD_BYTES = 2,
    parameter int DIES = 2,
    parameter int UNIT_BITS = 1,
    parameter int DIE_BITS = 1,
    parameter int PAGE_BYTES = 4320,
    parameter int PAGES = 16,
    parameter int BLOCKS = 8,
    parameter int DRAM_BYTES = 1 << 22
) (
    output logic clk,
    input  logic rst, dump,
    input  logic i_valid, i_more,
    output logic i_ready,
    input  logic [DIE_BITS-1:0] i_die,
    input  logic [1:0] i_op,
    input  logic [23:0] i_row,
    input  logic [UNIT_BITS-1:0] i_unit,
    input  logic [35:0] i_addr,
    input  logic [47:0] i_lba, i_sequence,
    input  logic [15:0] i_tag,
    output logic o_valid,
    input  logic o_ready,
    output logic [15:0] o_tag,
    output logic [1:0] o_status,
    output logic [7:0] o_errors,
    output logic [47:0] o_lba, o_sequence,
    output logic [31:0] broken, violations,
    output logic [63:0] cycle
);
    import "DPI-C" function int nand_broken();
    import "DPI-C" function void nand_report();
    final nand_report();
    initial clk = 0;
    always #2 clk = !clk;
    initial cycle = 0;
    always @(posedge clk) begin
        cycle <= cycle + 1;
        broken <= nand_broken();
    end
    localparam int WIDTH = 8 * WORD_BYTES;
    logic [DIES-1:0] ce, ready;
    logic cle, ale, we, re;
    logic [WIDTH-1:0] o, i;
    logic [WIDTH-1:0] each[DIES];
    logic [DIES-1:0] ce_late, ce_later;
    always @(posedge clk) {ce_later, ce_late} <= {ce_late, ce};
    always_comb begin
        i = '0;
        for (int d = 0; d < DIES; d++) if (ce_later[d]) i = each[d];
    end
    generate for (genvar d = 0; d < DIES; d++) begin : dies
        tenon_nand #(.WORD_BYTES(WORD_BYTES), .PAGE_BYTES(PAGE_BYTES), .PAGES(PAGES), .BLOCKS(BLOCKS), .READ_CYCLES(500),
                     .PROGRAM_CYCLES(2500), .ERASE_CYCLES(4000)) die (
            .clk(clk), .rst(rst), .ce(ce[d]), .cle(cle), .ale(ale), .we(we), .re(re), .o(o), .i(each[d]), .ready(ready[d]));
    end endgenerate

    logic awvalid, awready, wvalid, wready, wlast, bvalid, bready, arvalid, arready, rvalid, rready, rlast, busy;
    logic [35:0] awaddr, araddr;
    logic [7:0] awlen, arlen;
    logic [1:0] bresp, rresp;
    logic [MEMORY_BITS-1:0] wdata, rdata;
    logic [MEMORY_BITS/8-1:0] wstrb;
    tenon_flash_channel channel (
        .clk(clk), .rst(rst), .i_valid(i_valid), .i_ready(i_ready), .i_die(i_die), .i_op(i_op), .i_row(i_row), .i_unit(i_unit),
        .i_more(i_more), .i_addr(i_addr), .i_lba(i_lba), .i_sequence(i_sequence), .i_tag(i_tag),
        .f_ce(ce), .f_cle(cle), .f_ale(ale), .f_we(we), .f_re(re), .f_o(o), .f_i(i), .f_ready(ready),
        .ar_valid(arvalid), .ar_ready(arready), .ar_addr(araddr), .ar_len(arlen),
        .r_valid(rvalid), .r_ready(rready), .r_data(rdata), .r_resp(rresp), .r_last(rlast),
        .aw_valid(awvalid), .aw_ready(awready), .aw_addr(awaddr), .aw_len(awlen),
        .w_valid(wvalid), .w_ready(wready), .w_data(wdata), .w_strb(wstrb), .w_last(wlast),
        .b_valid(bvalid), .b_ready(bready), .b_resp(bresp),
        .o_valid(o_valid), .o_ready(o_ready), .o_tag(o_tag), .o_status(o_status), .o_errors(o_errors), .o_lba(o_lba), .o_sequence(o_sequence),
        .busy(busy)
    );
    tenon_dram #(.DATA_BITS(MEMORY_BITS), .BYTES(DRAM_BYTES), .ADDRESS_BITS(36), .FIRST(0)) dram (
        .clk(clk), .rst(rst), .dump(dump),
        .awid(1'b0), .awaddr(awaddr), .awlen(awlen), .awvalid(awvalid), .awready(awready),
        .wdata(wdata), .wstrb(wstrb), .wlast(wlast), .wvalid(wvalid), .wready(wready),
        .bid(), .bresp(bresp), .bvalid(bvalid), .bready(bready),
        .arid(1'b0), .araddr(araddr), .arlen(arlen), .arvalid(arvalid), .arready(arready),
        .rid(), .rdata(rdata), .rresp(rresp), .rlast(rlast), .rvalid(rvalid), .rready(rready)
    );
    localparam logic [2:0] SIZE = 3'($clog2(MEMORY_BITS / 8));
    tenon_axi_rules #(.DATA_BITS(MEMORY_BITS), .ADDRESS_BITS(36), .ADDRESS_FIRST(0)) rules (
        .clk(clk), .rst(rst), .awid(1'b0), .awaddr(awaddr), .awlen(awlen), .awsize(SIZE), .awburst(2'b01), .awvalid(awvalid), .awready(awready),
        .arid(1'b0), .araddr(araddr), .arlen(arlen), .arsize(SIZE), .arburst(2'b01), .arvalid(arvalid), .arready(arready),
        .wdata(wdata), .wstrb(wstrb), .wlast(wlast), .wvalid(wvalid), .wready(wready), .awattributes('0), .arattributes('0),
        .bvalid(bvalid), .bready(bready), .rvalid(rvalid), .rready(rready), .rlast(rlast), .violations(violations)
    );
endmodule
