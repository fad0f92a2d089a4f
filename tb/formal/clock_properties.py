"""The clock gate: no glitch, whatever its enable does. Clock and enable change at any tick of a finer one."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.clockgate import ClockGate
from tenon.tb.formal.prop import Bug, Property, past

__all__ = ["PROPERTIES", "GatedClock"]


class GatedClock(wiring.Component):
    """The gate, with its clock as a signal.

    Members
    -------
    clock, enable, test_enable, gated : In(1), In(1), In(1), Out(1)
    """

    clock: In(1)
    enable: In(1)
    test_enable: In(1)
    gated: Out(1)

    def elaborate(self, platform):
        m = Module()
        gate = emit.instance(m, "gate", ClockGate(), clock=self.clock)
        m.d.comb += [gate.enable.eq(self.enable), gate.test_enable.eq(self.test_enable), self.gated.eq(gate.gated)]
        return m


def gated_clock():
    return GatedClock()


PROPERTIES = [
    Property(
        name="clock-gate", component=gated_clock, quick=True,
        says="The gated clock rises with the clock if enable or test_enable was high just before, falls with it, and is still otherwise.",
        given="nothing: enable may change at any time, also while the clock is high",
        model=past("clock") + past("gated") + past("enabled = enable || test_enable") + past("up = 1'b1"),
        asserts={"low": "clock || !gated", "rises": "!past_up || !(clock && !past_clock) || gated == past_enabled",
                 "still": "!(clock && past_clock) || gated == past_gated"},
        covers={"passes": "gated && !past_clock", "stops": "past_up && clock && !past_clock && !gated && enable"},
        bug=Bug("hw/clockgate.py", "always @* if (!clk)", "always @*"),
    ),
]
