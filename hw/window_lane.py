"""One lane of WINDOW: a chain of running sums, a multiplier and an adder for each tap."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.array import OPERAND_BITS
from tenon.hw.choice import one_hot

__all__ = ["WindowLane"]


class WindowLane(wiring.Component):
    """Sums products, or keeps the largest operand, of windows that pass by column after column.

    Sum ``j`` takes tap ``j`` of every operand. With the first operand of a column the sums move up by one: a window
    begins in one of them and is complete in the last, when its last column is. An operand takes one cycle to be
    multiplied and one to be added. In mode ``maximum`` the weights must be -1.

    Parameters
    ----------
    taps : int
        Sums, and multipliers.

    Members
    -------
    multiply, x, w : In(1), In(signed(9)), In(9 * taps)
        Take operand ``x``, with a weight for each sum.
    from_sum, from_bias, sum, bias : In(1), In(1), In(32), In(32)
        With it: what a window begins with, if not with nothing.
    enable : In(1)
        Add the products. What follows belongs to them:
    begins, goes_on : In(taps), In(1)
        Sums in which a window begins; the others go on, or else become the sums before them.
    empty, maximum : In(1)
        A window begins with nothing; the mode.
    o : Out(32)
        The last sum.
    """

    def __init__(self, taps: int):
        self.taps = taps
        super().__init__({
            "multiply": In(1), "x": In(signed(OPERAND_BITS)), "w": In(OPERAND_BITS * taps), "enable": In(1),
            "begins": In(taps), "goes_on": In(1), "from_sum": In(1), "from_bias": In(1), "sum": In(32), "bias": In(32),
            "empty": In(1), "maximum": In(1), "o": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        operand = Signal.like(self.x, reset_less=True)
        products = [Signal(signed(2 * OPERAND_BITS), name=f"product{tap}", reset_less=True) for tap in range(self.taps)]
        start = Signal(signed(32), reset_less=True)
        with m.If(self.multiply):
            m.d.sync += [operand.eq(self.x), start.eq(one_hot((self.from_sum, self.sum), (self.from_bias, self.bias)))]
            m.d.sync += [product.eq(self.x * self.w.word_select(tap, OPERAND_BITS).as_signed()) for tap, product in enumerate(products)]

        before = start
        for tap, product in enumerate(products):
            total = Signal(signed(32), name=f"total{tap}", reset_less=True)
            base = Signal(signed(32), name=f"base{tap}")
            added = Signal(signed(33), name=f"added{tap}")
            m.d.comb += [base.eq(Mux(self.begins[tap], start, Mux(self.goes_on, total, before))), added.eq(base + product)]
            with m.If(self.enable):
                # Of the largest, `added` is the difference.
                m.d.sync += total.eq(Mux(self.maximum, Mux(added[-1] | (self.begins[tap] & self.empty), operand, base), added))
            before = total
        m.d.comb += self.o.eq(before)
        return m
