"""A register slice: a stream cut by registers in both directions."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Skid"]


class Skid(wiring.Component):
    """Holds up to two items; ``i_ready``, ``o_valid`` and ``o`` are registers. One cycle, one item per cycle.

    In reset it is empty and takes whatever is offered, which is lost.

    Members
    -------
    i_valid, i_ready, i, o_valid, o_ready, o :
        Items of ``width`` bits in and out.
    """

    def __init__(self, width: int):
        self.width, self.role = width, f"skid_{width}_bits"
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1, init=1), "i": In(width),
            "o_valid": Out(1), "o_ready": In(1), "o": Out(width),
        })

    def elaborate(self, platform):
        m = Module()
        front = Signal(self.width, reset_less=True)
        spare = Signal(self.width, reset_less=True)  # holds an item while ``i_ready`` is low
        m.d.comb += self.o.eq(front)
        with m.If(~self.o_valid | self.o_ready):
            m.d.sync += [self.o_valid.eq(self.i_valid | ~self.i_ready), front.eq(Mux(self.i_ready, self.i, spare)), self.i_ready.eq(1)]
        with m.Elif(self.i_ready):
            m.d.sync += [spare.eq(self.i), self.i_ready.eq(~self.i_valid)]
        return m
