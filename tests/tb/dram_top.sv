// The DRAM model under the eyes of the rule checker, for a master in Python.
module dram_top #(
    parameter int DATA_BITS = 64,
    parameter int BYTES = 65536
) (
    input logic clk, rst, dump,
    input logic [0:0] awid, arid,
    input logic [31:0] awaddr, araddr,
    input logic [7:0] awlen, arlen,
    input logic [2:0] awsize, arsize,
    input logic [1:0] awburst, arburst,
    input logic awvalid, arvalid, wvalid, wlast, bready, rready,
    input logic [DATA_BITS-1:0] wdata,
    input logic [DATA_BITS/8-1:0] wstrb,
    output logic awready, arready, wready, bvalid, rvalid, rlast,
    output logic [0:0] bid, rid,
    output logic [1:0] bresp, rresp,
    output logic [DATA_BITS-1:0] rdata,
    output logic [31:0] violations
);
    tenon_dram #(.DATA_BITS(DATA_BITS), .BYTES(BYTES)) dram (.*);
    tenon_axi_rules #(.DATA_BITS(DATA_BITS), .ADDRESS_FIRST(0)) rules (.awattributes('0), .arattributes('0), .*);
endmodule
