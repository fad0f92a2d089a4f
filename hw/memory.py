"""On-chip memory: one module of our own, which infers block RAM and is the seam for a macro."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Memory"]

_TEXT = """\
// One write port with a mask of lanes, one synchronous read port. What is read of a word that is written in the
// same cycle does not matter. With PORTS = 1 no cycle reads and writes, and both addresses are the same: one port
// serves. Replace the body of this module to use a memory macro.
module {prefix}_memory #(
  parameter WIDTH = 8, parameter DEPTH = 2, parameter LANE = 8, parameter ADDRESS = 1, parameter PORTS = 2
) (
  input wire clk,
  input wire [WIDTH/LANE-1:0] w_en, input wire [ADDRESS-1:0] w_addr, input wire [WIDTH-1:0] w_data,
  input wire r_en, input wire [ADDRESS-1:0] r_addr, output reg [WIDTH-1:0] r_data
);
  (* no_rw_check *) reg [WIDTH-1:0] words [0:DEPTH-1];  // spares synthesis the registers that would promise the old value
  integer i;
  always @(posedge clk) begin
    if (r_en && (PORTS == 2 || w_en == 0)) r_data <= words[r_addr];
    for (i = 0; i < WIDTH/LANE; i = i + 1)
      if (w_en[i]) words[w_addr][i*LANE +: LANE] <= w_data[i*LANE +: LANE];
  end
`ifdef TENON_ZERO_MEMORIES
  // For four-state simulation: bytes that fill up a word may be anything, but an unknown one times a weight of 0 is unknown.
  integer word;
  initial for (word = 0; word < DEPTH; word = word + 1) words[word] = 0;
`endif
endmodule
"""


class Memory(wiring.Component):
    """``depth`` words of ``width`` bits; written by lanes of ``lane_bits`` (whole words if not given).

    Of one port, it must not be read and written in the same cycle, and both addresses must be the same. Read data come the
    cycle after ``r_en`` and stay until the next one. Contents start undefined.

    Members
    -------
    w_en, w_addr, w_data : In(width / lane_bits), In, In(width)
    r_en, r_addr, r_data : In(1), In, Out(width)
    """

    def __init__(self, *, width: int, depth: int, lane_bits: int | None = None, ports: int = 2):
        self.width, self.depth, self.lane_bits, self.ports = width, depth, lane_bits or width, ports
        if width % self.lane_bits:
            raise ValueError(f"width must be a multiple of lane_bits = {self.lane_bits}, not {width}")
        super().__init__({
            "w_en": In(width // self.lane_bits), "w_addr": In(range(max(depth, 2))), "w_data": In(width),
            "r_en": In(1), "r_addr": In(range(max(depth, 2))), "r_data": Out(width),
        })

    def black_box(self, prefix: str):
        """Module name, text and parameters, for emission."""
        sizes = {"WIDTH": self.width, "DEPTH": self.depth, "LANE": self.lane_bits, "ADDRESS": max(self.depth - 1, 1).bit_length()}
        return f"{prefix}_memory", _TEXT.replace("{prefix}", prefix), sizes | ({"PORTS": 1} if self.ports == 1 else {})
