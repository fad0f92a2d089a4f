"""A first-in first-out buffer in a memory, with its head shown."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.memory import Memory

__all__ = ["Fifo"]


class Fifo(wiring.Component):
    """Holds ``depth`` items and one more, its head, in the memory's output register.

    ``latency`` cycles from ``i`` to ``o``; one item per cycle in and out.

    Parameters
    ----------
    width : int
        Bits of an item.
    depth : int
        A power of two.

    Members
    -------
    i_valid, i_ready, i, o_valid, o_ready, o :
        Items in and out.
    busy : Out(1)
        Some item is here.
    """

    latency = 2

    def __init__(self, *, width: int, depth: int):
        self.width, self.depth = width, depth
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i": In(width),
            "o_valid": Out(1), "o_ready": In(1), "o": Out(width), "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        store = emit.instance(m, "store", Memory(width=self.width, depth=self.depth))
        write = Signal(range(self.depth))
        read = Signal(range(self.depth))
        stored = Signal(range(self.depth + 1))  # written, and not yet moved to the head
        push = Signal()
        move = Signal()
        m.d.comb += [
            self.i_ready.eq(stored != self.depth), push.eq(self.i_valid & self.i_ready),
            move.eq((stored != 0) & (~self.o_valid | self.o_ready)),
            store.w_en.eq(push), store.w_addr.eq(write), store.w_data.eq(self.i),
            store.r_en.eq(move), store.r_addr.eq(read), self.o.eq(store.r_data),
            self.busy.eq((stored != 0) | self.o_valid),
        ]
        m.d.sync += stored.eq(stored + push - move)
        with m.If(push):
            m.d.sync += write.eq(write + 1)
        with m.If(move):
            m.d.sync += [read.eq(read + 1), self.o_valid.eq(1)]
        with m.Elif(self.o_ready):
            m.d.sync += self.o_valid.eq(0)
        return m
