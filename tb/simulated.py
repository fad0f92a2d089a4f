"""Components in Amaranth's own simulator: slower than compiled ones, but at hand in no time, and a bench can react to what it sees."""

from __future__ import annotations

from unittest.mock import patch

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory as Cells
from amaranth.sim import Simulator

from tenon.hw import emit
from tenon.hw.memory import Memory

__all__ = ["simulator"]


class _Memory(wiring.Component):
    """``Memory``, which is a module of Verilog text elsewhere. Contents begin as zeros."""

    def __init__(self, memory: Memory):
        self.memory = memory
        super().__init__(memory.signature)

    def elaborate(self, platform):
        m = Module()
        cells = m.submodules.cells = Cells(shape=self.memory.width, depth=max(self.memory.depth, 2), init=[])
        write, read = cells.write_port(granularity=self.memory.lane_bits), cells.read_port()
        m.d.comb += [write.en.eq(self.w_en), write.addr.eq(self.w_addr), write.data.eq(self.w_data),
                     read.en.eq(self.r_en), read.addr.eq(self.r_addr), self.r_data.eq(read.data)]
        return m


def _instance(m: Module, name: str, component: wiring.Component, *, clock=None, reset=None) -> wiring.Component:
    if clock is not None or reset is not None:
        raise ValueError(f"{name} has a clock or a reset of its own: simulate what is emitted")
    m.submodules[name] = part = _Memory(component) if isinstance(component, Memory) else component
    component._MustUse__used = True
    return part


def simulator(component: wiring.Component) -> Simulator:
    """A simulator of ``component`` and all its parts, with a clock of one microsecond.

    Raises
    ------
    ValueError
        If a part has a clock of its own.
    """
    with patch.object(emit, "instance", _instance):
        made = Simulator(component)
    made.add_clock(1e-6)
    return made
