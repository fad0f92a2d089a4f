"""The clock gate: one seam for a library's integrated clock gate, or a wire where clocks are not gated."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ClockGate"]

_TEXT = """\
// An integrated clock gate: gated is high with clk if enable or test_enable was high before clk rose. The latch is
// transparent while clk is low. With GATED = 0, as for an FPGA, gated is clk, and nothing is a latch.
//
// The place for a library's cell: its clock is clk, its enable enable, its test or scan enable test_enable.
module {prefix}_clock_gate #(parameter GATED = 1) (
  input wire clk, input wire enable, input wire test_enable, output wire gated
);
  generate
    if (GATED) begin : gate
      reg passing = 1'b1;
`ifdef VERILATOR
      // The same, since only rising edges of clk change enable; Verilator would compute all that leads to it a second time.
      always @(negedge clk) passing <= enable | test_enable;
`else
      always @* if (!clk) passing = enable | test_enable;
`endif
      assign gated = clk & passing;
    end else begin : wire_only
      assign gated = clk;
    end
  endgenerate
endmodule
"""


class ClockGate(wiring.Component):
    """Clock ``gated`` rises at the end of each cycle in which ``enable`` or ``test_enable`` is high.

    Members
    -------
    enable, test_enable, gated : In(1), In(1), Out(1)
        ``test_enable`` is for scan chains, whose flip-flops shift whether their engine works or not.
    """

    def __init__(self, *, gated: bool = True):
        self.is_gated = gated
        super().__init__({"enable": In(1), "test_enable": In(1), "gated": Out(1)})

    def black_box(self, prefix: str):
        """Module name, text and parameters, for emission."""
        return f"{prefix}_clock_gate", _TEXT.replace("{prefix}", prefix), {"GATED": int(self.is_gated)}
