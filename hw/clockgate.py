"""The clock gate: one seam for a clock-gating cell, a clock buffer with enable, or nothing."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ClockGate"]

_TEXT = """\
// Passes clk while enable, sampled when clk is low, is high. Replace the body by the library's clock-gating
// cell, by a clock buffer with enable, or (GATED = 0) by a wire.
module {prefix}_clock_gate #(parameter GATED = 1) (input wire clk, input wire enable, output wire gated);
  generate
    if (GATED) begin : gate
      reg passing = 1'b1;
      always @(negedge clk) passing <= enable;
      assign gated = clk & passing;
    end else begin : wire_only
      assign gated = clk;
    end
  endgenerate
endmodule
"""


class ClockGate(wiring.Component):
    """Clock ``gated`` rises at the end of each cycle in which ``enable`` is high.

    Members
    -------
    enable, gated : In(1), Out(1)
    """

    def __init__(self, *, gated: bool = True):
        self.is_gated = gated
        super().__init__({"enable": In(1), "gated": Out(1)})

    def black_box(self, prefix: str):
        """Module name, text and parameters, for emission."""
        return f"{prefix}_clock_gate", _TEXT.replace("{prefix}", prefix), {"GATED": int(self.is_gated)}
