"""A design with one long path in it, planted where the tests look for it, and with what real ones have: a memory, a clock gate,
a module that is there twice, a wire through one, constants, and a net with many readers."""

import pytest

from tenon.flows.errors import UserError
from tenon.flows.hardware import osu018
from tenon.flows.hardware.design import Design, take_apart
from tenon.flows.hardware.opensta import find_sta
from tenon.hw.clockgate import ClockGate
from tenon.hw.memory import Memory

_OURS = """
module tenon_planted(clk, rst, a, b, second, through);
  input clk, rst; input [11:0] a, b; output [23:0] second; reg [23:0] second; output through;
  reg [11:0] first, other;
  assign through = b[3];
  always @(posedge clk)
    if (rst) begin first <= 0; other <= 0; second <= 0; end
    else begin first <= a; other <= b; second <= (first * other) * 5 + 7; end
endmodule

module tenon_quick(clk, rst, enable, a, o, one);
  input clk, rst, enable; input [3:0] a; output [3:0] o; reg [3:0] o; output one;
  assign one = 1'b1;
  always @(posedge clk) if (rst) o <= 0; else if (enable) o <= o ^ a;
endmodule

module tenon(clk, rst, enable, a, b, o);
  input clk, rst, enable; input [11:0] a, b; output [31:0] o; reg [31:0] o;
  wire [23:0] product; wire [3:0] left, right; wire [11:0] read; wire gated, through, one;
  reg [5:0] address = 0, written = 0;
  tenon_planted planted(.clk(clk), .rst(rst), .a(a), .b(b), .second(product), .through(through));
  tenon_quick quick_0(.clk(gated), .rst(rst), .enable(enable), .a(a[3:0]), .o(left), .one(one));
  tenon_quick quick_1(.clk(clk), .rst(rst), .enable(through), .a(b[3:0]), .o(right), .one());
  tenon_clock_gate #(.GATED(1)) gate(.clk(clk), .enable(enable), .gated(gated));
  tenon_memory #(.WIDTH(12), .DEPTH(64), .LANE(12), .ADDRESS(6)) store(.clk(clk), .w_en(enable), .w_addr(written), .w_data(a),
    .r_en(one), .r_addr(address), .r_data(read));
  always @(posedge clk) begin
    address <= rst ? 6'd0 : address + 6'd1;
    written <= rst ? 6'd0 : address;
    o <= rst ? 32'd0 : enable ? {product, left, right ^ {4{one}}} : {read, read[7:0], read} ^ o;
  end
endmodule
"""


@pytest.fixture(scope="session")
def verilog() -> str:
    return "\n".join([Memory(width=12, depth=64).black_box("tenon")[1], ClockGate().black_box("tenon")[1], _OURS])


@pytest.fixture(scope="session")
def planted(verilog) -> Design:
    return take_apart(verilog, "planted")


@pytest.fixture(scope="session")
def library():
    """Skips where the standard cells, or OpenSTA, are not installed: both are optional."""
    try:
        find_sta()
        return osu018.library()
    except UserError as error:
        pytest.skip(str(error))
