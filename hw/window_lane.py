"""One lane of WINDOW: a chain of running sums, one multiply-add for each tap."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.array import OPERAND_BITS

__all__ = ["WindowLane"]


class WindowLane(wiring.Component):
    """Sums products, or keeps the largest operand, of windows that pass by column after column.

    Sum ``j`` takes tap ``j`` of every operand. With the first operand of a column the sums move up by one: a window
    begins in the sum at which ``entry`` points and is complete in the last, when its last column is. An operand takes
    one cycle. In mode ``maximum`` the weights must be -1.

    Parameters
    ----------
    taps : int
        Sums, and multipliers.

    Members
    -------
    enable, x, w : In(1), In(signed(9)), In(9 * taps)
        Take operand ``x``, with a weight for each sum.
    first : In(1)
        It is its column's first.
    entry, start, empty : In(taps), In(32), In(1)
        Where windows begin, one bit of all; with what; 1: with nothing, ``start`` must be 0.
    maximum : In(1)
    o : Out(32)
        The last sum.
    """

    def __init__(self, taps: int):
        self.taps = taps
        super().__init__({
            "enable": In(1), "x": In(signed(OPERAND_BITS)), "w": In(OPERAND_BITS * taps), "first": In(1),
            "entry": In(taps), "start": In(signed(32)), "empty": In(1), "maximum": In(1), "o": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        before = self.start
        for tap in range(self.taps):
            total = Signal(signed(32), name=f"total{tap}", reset_less=True)
            base, added = Signal(signed(32), name=f"base{tap}"), Signal(signed(33), name=f"added{tap}")
            begins = self.first & self.entry[tap]
            m.d.comb += [
                base.eq(Mux(self.first, Mux(self.entry[tap], self.start, before), total)),
                added.eq(base + self.x * self.w.word_select(tap, OPERAND_BITS).as_signed()),
            ]
            with m.If(self.enable):
                # Of the largest, `added` is the difference.
                m.d.sync += total.eq(Mux(self.maximum, Mux(added[-1] | (begins & self.empty), self.x, base), added))
            before = total
        m.d.comb += self.o.eq(before)
        return m
