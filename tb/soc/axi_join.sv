// Two AXI4 masters at one slave. Whoever asks alone is served at once; if both ask, master 1 (the CPU, which asks rarely)
// goes first. A request that was offered stays offered. The top bit of the slave's ids says whose a transaction is.

module tenon_axi_join #(
    parameter int DATA_BITS = 64
) (
    input logic clk,
    input logic rst,

    // masters, number 0 in the low part of each vector
    input  logic [1:0][31:0] m_awaddr, m_araddr,
    input  logic [1:0][7:0] m_awlen, m_arlen,
    input  logic [1:0] m_awvalid, m_arvalid, m_wvalid, m_wlast, m_bready, m_rready,
    input  logic [1:0][DATA_BITS-1:0] m_wdata,
    input  logic [1:0][DATA_BITS/8-1:0] m_wstrb,
    output logic [1:0] m_awready, m_arready, m_wready, m_bvalid, m_rvalid,

    output logic awid, arid,
    output logic [31:0] awaddr, araddr,
    output logic [7:0] awlen, arlen,
    output logic awvalid, arvalid, wvalid, wlast, bready, rready,
    output logic [DATA_BITS-1:0] wdata,
    output logic [DATA_BITS/8-1:0] wstrb,
    input  logic awready, arready, wready,
    input  logic bid, bvalid, rid, rvalid
);
    // Requests
    logic aw_waits, ar_waits, aw_was, ar_was;
    assign awid = aw_waits ? aw_was : m_awvalid[1];
    assign arid = ar_waits ? ar_was : m_arvalid[1];
    assign {awaddr, awlen, awvalid} = {m_awaddr[awid], m_awlen[awid], m_awvalid[awid]};
    assign {araddr, arlen, arvalid} = {m_araddr[arid], m_arlen[arid], m_arvalid[arid]};
    assign m_awready = {awready && awid, awready && !awid};
    assign m_arready = {arready && arid, arready && !arid};

    // Write data comes in the order of its requests; `pending` bursts have theirs still to come.
    logic owner[64];
    logic [5:0] front, back;
    logic w_owner, pending;
    assign pending = front != back;
    assign w_owner = owner[front];
    assign {wdata, wstrb, wlast} = {m_wdata[w_owner], m_wstrb[w_owner], m_wlast[w_owner]};
    assign wvalid = pending && m_wvalid[w_owner];
    assign m_wready = {wready && pending && w_owner, wready && pending && !w_owner};

    // Responses
    assign m_bvalid = {bvalid && bid, bvalid && !bid};
    assign m_rvalid = {rvalid && rid, rvalid && !rid};
    assign bready = m_bready[bid];
    assign rready = m_rready[rid];

    always @(posedge clk) begin
        {aw_was, ar_was} <= {awid, arid};
        aw_waits <= awvalid && !awready;
        ar_waits <= arvalid && !arready;
        if (awvalid && awready) begin
            owner[back] <= awid;
            back <= back + 1;
        end
        if (wvalid && wready && wlast) front <= front + 1;
        if (rst) begin
            {aw_waits, ar_waits} <= '0;
            {front, back} <= '0;
        end
    end
endmodule
