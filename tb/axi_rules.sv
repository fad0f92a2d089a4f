// Watches an AXI4 master's channels and counts broken rules (AMBA IHI 0022), each with a line in the log:
// offered payloads stay until taken; bursts are INCR, as wide as the bus, and cross no 4 KiB boundary; WLAST marks
// the last beat; attributes are what they are said to be; data never comes before its request, if that is so.
// Rules of the slave's side are watched too: offered read data and responses stay, and are of something that was asked for.

module tenon_axi_rules #(
    parameter int DATA_BITS = 128,
    parameter int ID_BITS = 1,
    parameter int ADDRESS_BITS = 32,
    parameter logic [11:0] ATTRIBUTES = '0,  // AxLOCK, AxPROT, AxCACHE, AxQOS
    parameter bit ADDRESS_FIRST = 1
) (
    input logic clk,
    input logic rst,
    input logic [ID_BITS-1:0] awid, arid,
    input logic [ADDRESS_BITS-1:0] awaddr, araddr,
    input logic [7:0] awlen, arlen,
    input logic [2:0] awsize, arsize,
    input logic [1:0] awburst, arburst,
    input logic [11:0] awattributes, arattributes,
    input logic awvalid, awready, arvalid, arready,
    input logic [DATA_BITS-1:0] wdata,
    input logic [DATA_BITS/8-1:0] wstrb,
    input logic wlast, wvalid, wready,
    input logic bvalid, bready, rvalid, rready, rlast,
    output logic [31:0] violations
);
    localparam int SHIFT = $clog2(DATA_BITS / 8);

    typedef struct packed {
        logic [ID_BITS-1:0] id;
        logic [ADDRESS_BITS-1:0] addr;
        logic [7:0] len;
        logic [2:0] size;
        logic [1:0] burst;
    } request_t;
    request_t aw, ar, aw_was, ar_was;
    assign aw = {awid, awaddr, awlen, awsize, awburst};
    assign ar = {arid, araddr, arlen, arsize, arburst};

    logic [DATA_BITS-1:0] wdata_was;
    logic [DATA_BITS/8-1:0] wstrb_was;
    logic wlast_was;
    logic aw_waits, ar_waits, w_waits, r_waits, b_waits;
    logic [7:0] lengths[64];  // of write bursts whose data is to come
    logic [5:0] front, back;
    logic [7:0] beat;
    logic [15:0] reads, writes, unsent;  // bursts that lack beats or their response; write bursts that lack data

    function automatic logic crosses(input request_t request);
        logic [12:0] last;
        last = {1'b0, request.addr[11:0] & ~12'((1 << SHIFT) - 1)} + (13'(request.len) << SHIFT);
        crosses = last[12];
    endfunction

    task automatic broken(input string rule);
        $display("%0t axi: %s", $time, rule);
        violations = violations + 1;
    endtask

    always @(posedge clk) begin
        if (rst) begin
            violations = 0;
            {aw_waits, ar_waits, w_waits, r_waits, b_waits} <= '0;
            {front, back} <= '0;
            {reads, writes, unsent} <= '0;
            beat <= '0;
        end else begin
            if (aw_waits && (!awvalid || aw != aw_was)) broken("AW changed or withdrawn before AWREADY");
            if (ar_waits && (!arvalid || ar != ar_was)) broken("AR changed or withdrawn before ARREADY");
            if (w_waits && (!wvalid || wdata != wdata_was || wstrb != wstrb_was || wlast != wlast_was))
                broken("W changed or withdrawn before WREADY");
            if (r_waits && !rvalid) broken("R withdrawn before RREADY");
            if (b_waits && !bvalid) broken("B withdrawn before BREADY");
            if ((awvalid && awattributes != ATTRIBUTES) || (arvalid && arattributes != ATTRIBUTES))
                broken("attributes of a request are others than stated");
            if (ADDRESS_FIRST && wvalid && unsent == 0 && !awvalid) broken("W comes before its AW");
            if (rvalid && reads == 0) broken("R comes without AR");
            if (bvalid && writes == 0) broken("B comes without AW");
            reads <= reads + 16'(arvalid && arready) - 16'(rvalid && rready && rlast);
            writes <= writes + 16'(awvalid && awready) - 16'(bvalid && bready);
            unsent <= unsent + 16'(awvalid && awready) - 16'(wvalid && wready && wlast);
            if (awvalid && awready) begin
                if (awburst != 2'b01 || awsize != SHIFT[2:0]) broken("AW is not an INCR burst of whole bus words");
                if (crosses(aw)) broken("AW crosses a 4 KiB boundary");
                lengths[back] <= awlen;
                back <= back + 1;
            end
            if (arvalid && arready) begin
                if (arburst != 2'b01 || arsize != SHIFT[2:0]) broken("AR is not an INCR burst of whole bus words");
                if (crosses(ar)) broken("AR crosses a 4 KiB boundary");
            end
            if (wvalid && wready) begin
                if (wlast != (beat == lengths[front])) broken("WLAST is not on the last beat of its burst");
                if (beat == lengths[front]) begin
                    beat <= 0;
                    front <= front + 1;
                end else beat <= beat + 1;
            end
            aw_waits <= awvalid && !awready;
            ar_waits <= arvalid && !arready;
            w_waits <= wvalid && !wready;
            r_waits <= rvalid && !rready;
            b_waits <= bvalid && !bready;
            if (awvalid && !awready) aw_was <= aw;
            if (arvalid && !arready) ar_was <= ar;
            if (wvalid && !wready) {wdata_was, wstrb_was, wlast_was} <= {wdata, wstrb, wlast};
        end
    end
endmodule
