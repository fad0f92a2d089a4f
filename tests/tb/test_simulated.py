"""Amaranth's own simulator in place of compiled ones: memories as their Verilog has them, and what it cannot do."""

import pytest
from amaranth.hdl import ClockSignal, Module
from amaranth.lib import wiring

from tenon.hw import emit
from tenon.hw.memory import Memory
from tenon.tb.simulated import simulator


class Held(wiring.Component):
    """A memory of two lanes, behind its ports; with a clock of its own if ``gated``."""

    def __init__(self, gated=False):
        self.gated = gated
        super().__init__(Memory(width=16, depth=4, lane_bits=8).signature.flip().flip())

    def elaborate(self, platform):
        m = Module()
        memory = emit.instance(m, "memory", Memory(width=16, depth=4, lane_bits=8), clock=ClockSignal() if self.gated else None)
        m.d.comb += [getattr(memory, name).eq(getattr(self, name)) for name in ("w_en", "w_addr", "w_data", "r_en", "r_addr")]
        m.d.comb += self.r_data.eq(memory.r_data)
        return m


def test_a_memory():
    """Lanes are written by themselves; what was read stays until something else is."""
    dut = Held()

    async def bench(ctx):
        for lanes, data in ((3, 0x1234), (1, 0xFF), (2, 0xAB00)):
            ctx.set(dut.w_en, lanes)
            ctx.set(dut.w_addr, 2)
            ctx.set(dut.w_data, data)
            await ctx.tick()
        ctx.set(dut.w_en, 0)
        ctx.set(dut.r_en, 1)
        ctx.set(dut.r_addr, 2)
        await ctx.tick()
        ctx.set(dut.r_en, 0)
        ctx.set(dut.r_addr, 1)
        for _ in range(3):
            assert ctx.get(dut.r_data) == 0xABFF
            await ctx.tick()

    sim = simulator(dut)
    sim.add_testbench(bench)
    sim.run()


def test_a_clock_of_its_own_is_refused():
    with pytest.raises(ValueError, match="^memory has a clock or a reset of its own: simulate what is emitted$"):
        simulator(Held(gated=True))
