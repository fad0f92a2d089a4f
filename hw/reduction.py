"""Sums and maxima over loop levels, several outputs interleaved."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.binary32 import MINUS_INFINITY, MINUS_ZERO, Add, registers
from tenon.hw.choice import one_hot
from tenon.hw.memory import Memory

__all__ = ["Reduction"]


class Reduction(wiring.Component):
    """``o = partial[index] = partial[index] + x``, or the larger of both; ``x`` itself where ``first`` is high.

    Latency ``latency`` cycles; one element per cycle; order is kept. An element may follow the former one of the same
    index after ``round_trip`` cycles at the earliest.

    Parameters
    ----------
    depth : int
        Partial results that can be open at a time.

    Members
    -------
    x : In(32)
    maximum : In(1)
        With ``x``.
    first, read_index : In(1), In(range(depth))
        One cycle before ``x``.
    write_index, write : In(range(depth)), In(1)
        One cycle before ``o``; ``write`` where there is an element.
    o : Out(32)
    """

    latency = Add.latency
    round_trip = latency  # results that are not in the memory yet are taken from where they are

    def __init__(self, depth: int):
        self.depth = depth
        super().__init__({"x": In(32), "first": In(1), "maximum": In(1), "read_index": In(range(depth)),
                          "write_index": In(range(depth)), "write": In(1), "o": Out(32)})

    def elaborate(self, platform):
        m = Module()
        partials = emit.instance(m, "partials", Memory(width=32, depth=self.depth))
        m.submodules.add = add = Add()

        # A result is written a cycle before it can be read, and read a cycle before it is used: the two latest are at hand.
        writes, newest, newer, older, previous = registers(writes=1, newest=1, newer=1, older=1, previous=32)
        is_first = Signal(reset_less=True)
        index = Signal.like(self.write_index, reset_less=True)
        latest = self.write & (self.write_index == self.read_index)
        later = writes & (index == self.read_index)
        m.d.sync += [
            writes.eq(self.write), index.eq(self.write_index), previous.eq(add.o), is_first.eq(self.first),
            newest.eq(~self.first & latest), newer.eq(~self.first & ~latest & later), older.eq(~self.first & ~latest & ~later),
        ]

        partial = Signal(32)
        neutral = Mux(self.maximum, MINUS_INFINITY, MINUS_ZERO)
        m.d.comb += [
            partials.r_en.eq(1), partials.r_addr.eq(self.read_index),
            partials.w_en.eq(writes), partials.w_addr.eq(index), partials.w_data.eq(add.o),
            partial.eq(one_hot((is_first, neutral), (newest, add.o), (newer, previous), (older, partials.r_data))),
            add.a.eq(self.x), add.b.eq(partial), add.maximum.eq(self.maximum), self.o.eq(add.o),
        ]
        return m
