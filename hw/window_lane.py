"""One lane of WINDOW: a chain of running sums, a multiplier and an adder for each tap."""

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
    one cycle to be multiplied and one to be added. In mode ``maximum`` the weights must be -1.

    Parameters
    ----------
    taps : int
        Sums, and multipliers.

    Members
    -------
    multiply, x, w : In(1), In(signed(9)), In(9 * taps)
        Take operand ``x``, with a weight for each sum.
    enable : In(1)
        Add the products. What follows belongs to them:
    first : In(1)
        Their operand is its column's first.
    entry, start, empty : In(taps), In(32), In(1)
        Where windows begin, one bit of all; with what; 1: with nothing, ``start`` must be 0.
    maximum : In(1)
    o : Out(32)
        The last sum.
    """

    def __init__(self, taps: int):
        self.taps = taps
        super().__init__({
            "multiply": In(1), "x": In(signed(OPERAND_BITS)), "w": In(OPERAND_BITS * taps), "enable": In(1), "first": In(1),
            "entry": In(taps), "start": In(signed(32)), "empty": In(1), "maximum": In(1), "o": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        operand = Signal.like(self.x, reset_less=True)
        products = [Signal(signed(2 * OPERAND_BITS), name=f"product{tap}", reset_less=True) for tap in range(self.taps)]
        with m.If(self.multiply):
            m.d.sync += operand.eq(self.x)
            m.d.sync += [product.eq(self.x * self.w.word_select(tap, OPERAND_BITS).as_signed()) for tap, product in enumerate(products)]

        before = self.start
        for tap, product in enumerate(products):
            total = Signal(signed(32), name=f"total{tap}", reset_less=True)
            base = Signal(signed(32), name=f"base{tap}")
            added = Signal(signed(33), name=f"added{tap}")
            begins = self.first & self.entry[tap]
            m.d.comb += [base.eq(Mux(self.first, Mux(self.entry[tap], self.start, before), total)), added.eq(base + product)]
            with m.If(self.enable):
                # Of the largest, `added` is the difference.
                m.d.sync += total.eq(Mux(self.maximum, Mux(added[-1] | (begins & self.empty), operand, base), added))
            before = total
        m.d.comb += self.o.eq(before)
        return m
