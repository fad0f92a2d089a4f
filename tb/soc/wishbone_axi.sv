// Makes one AXI4-Lite transaction of each Wishbone access; the access waits for its response, so order is kept and a
// write that is acknowledged has arrived.

module tenon_wishbone_axi (
    input  logic clk,
    input  logic rst,

    input  logic access,  // CYC and STB, at an address of this port; held until acknowledged
    input  logic we,
    output logic ack,
    output logic refused,  // beside ack: the other side answered with an error
    output logic [31:0] read,

    output logic awvalid,
    input  logic awready,
    output logic wvalid,
    input  logic wready,
    input  logic bvalid,
    input  logic [1:0] bresp,
    output logic arvalid,
    input  logic arready,
    input  logic rvalid,
    input  logic [31:0] rdata,
    input  logic [1:0] rresp
);
    logic aw_sent, w_sent, ar_sent;
    assign awvalid = access && we && !aw_sent;
    assign wvalid = access && we && !w_sent;
    assign arvalid = access && !we && !ar_sent;
    assign ack = bvalid || rvalid;
    assign refused = (bvalid && bresp[1]) || (rvalid && rresp[1]);
    assign read = rdata;

    always @(posedge clk) begin
        if (awvalid && awready) aw_sent <= 1;
        if (wvalid && wready) w_sent <= 1;
        if (arvalid && arready) ar_sent <= 1;
        if (rst || ack) {aw_sent, w_sent, ar_sent} <= '0;
    end
endmodule
