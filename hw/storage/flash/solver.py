"""From a codeword's syndromes to the polynomial whose roots are where its errors are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.storage.flash.field import Bch
from tenon.hw.storage.flash.linear import add

__all__ = ["KeySolver"]

_AROUND = 2  # cycles to begin and to give away


class KeySolver(wiring.Component):
    """Berlekamp and Massey's algorithm without division. Of a binary code every other discrepancy is zero: there are t steps, not 2t.

    Coefficients go round, some of them in each cycle past as many pairs of multipliers: once for a step's discrepancy, once for its
    update, and once to move the polynomial to a codeword's first bit.

    Parameters
    ----------
    first : sequence of int
        The first bit's power, by kind of codeword.
    cycles : int
        In which a codeword should be solved; as few multipliers as do that.

    Members
    -------
    i_valid, i_ready, i_kind, i : In(1), Out(1), In, In(t x bits)
        S(1), S(3), ...
    o_valid, o_ready, o_kind, o_clean, o_length, o : Out(1), In(1), Out, Out(1), Out, Out((t + 1) x bits)
        Coefficients; the sum of those times x**(i k) is zero where bit k from the first is wrong. ``o_clean``: no bit is, and they mean
        nothing. ``o_length``: how many are, if they can be corrected.
    """

    def __init__(self, code: Bch, *, first: Sequence[int], cycles: int):
        self.code, self.first = code, tuple(first)
        t, bits = code.t, code.field.bits
        self.lanes = next((n for n in range(1, t + 1) if self._takes(n) <= cycles), t + 1)
        kind = range(len(self.first))
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_kind": In(kind), "i": In(t * bits),
            "o_valid": Out(1), "o_ready": In(1), "o_kind": Out(kind), "o_clean": Out(1), "o_length": Out(range(2 * t + 2)),
            "o": Out((t + 1) * bits),
        })

    def _rounds(self, lanes: int) -> int:
        return -(-(self.code.t + 1) // lanes)

    def _takes(self, lanes: int) -> int:
        """Cycles of a codeword with errors."""
        return self.code.t * (2 * self._rounds(lanes) + 1) + self._rounds(lanes) + _AROUND

    def elaborate(self, platform):
        m = Module()
        field, t, lanes = self.code.field, self.code.t, self.lanes
        rounds, zero, one = self._rounds(lanes), Const(0, field.bits), Const(1, field.bits)

        def ring(name: str) -> tuple[Signal, ...]:
            return tuple(Signal(field.bits, name=f"{name}{i}", reset_less=True) for i in range(rounds * lanes))

        odd = [Signal(field.bits, name=f"s{j}", reset_less=True) for j in range(3, 2 * t, 2)]  # the next one first
        window = ring("window")  # S(r + 1 - i)
        locator = ring("locator")
        other = ring("other")  # times x
        gamma, delta = Signal(field.bits, reset_less=True), Signal(field.bits, reset_less=True)
        step, at, length = Signal(range(t)), Signal(range(rounds)), Signal(range(2 * t + 2))
        swap, last = Signal(), Signal()
        m.d.comb += [last.eq(at == rounds - 1), swap.eq((delta != 0) & (length <= step)),  # step: half of r
                     self.o_length.eq(length), self.o.eq(Cat(*locator[:t + 1]))]

        # Each lane's multipliers: one for whatever meets the locator's coefficient, one for the other polynomial's.
        factors = [Signal(field.bits, name=f"factor{k}") for k in range(lanes)]
        products = [field.multiply(a, factor) for a, factor in zip(locator, factors)]
        others = [field.multiply(b, delta) for b in other[:lanes]]

        def turn(values: Sequence[Signal], news: Sequence) -> list:
            return [v.eq(n) for v, n in zip(values, [*values[lanes:], *news])]

        with m.FSM():
            with m.State("WAIT"):
                m.d.comb += self.i_ready.eq(1)
                first, *more = (self.i.word_select(j, field.bits) for j in range(t))
                starts = (window, [first]), (locator, [one]), (other, [zero, one])
                m.d.sync += [self.o_kind.eq(self.i_kind), self.o_clean.eq(self.i == 0), length.eq(0), step.eq(0), gamma.eq(1), delta.eq(0),
                             *(s.eq(v) for s, v in zip(odd, more)),
                             *(x.eq(v) for values, start in starts for x, v in zip_longest(values, start, fillvalue=zero))]
                with m.If(self.i_valid):
                    m.next = "DISCREPANCY"
                    with m.If(self.i == 0):
                        m.next = "GIVE"
            with m.State("DISCREPANCY"):
                m.d.comb += [factor.eq(s) for factor, s in zip(factors, window)]
                m.d.sync += [delta.eq(add([delta, *products])), *turn(window, window[:lanes]), *turn(locator, locator[:lanes]),
                             at.eq(Mux(last, 0, at + 1))]
                with m.If(last):
                    m.next = "UPDATE"
            with m.State("UPDATE"):
                m.d.comb += [factor.eq(gamma) for factor in factors]
                kept = [Mux(swap, a, b) for a, b in zip(locator, other[:lanes])]
                m.d.sync += [*turn(locator, [p ^ q for p, q in zip(products, others)]), *turn(other, kept), at.eq(Mux(last, 0, at + 1))]
                with m.If(last):
                    m.next = "NEXT"
            with m.State("NEXT"):  # two powers on: the syndromes S(r + 2), which is a square of one of them, and S(r + 3)
                even = field.square(Array(window[:t + 1])[step])
                m.d.sync += [
                    *(w.eq(v) for w, v in zip(window, [*odd[:1], even, *window[:t - 1]])), *(s.eq(v) for s, v in zip(odd, odd[1:])),
                    *(b.eq(v) for b, v in zip(other, [zero, zero, *other[:t - 1]])), step.eq(step + 1), delta.eq(0),
                ]
                with m.If(swap):
                    m.d.sync += [gamma.eq(delta), length.eq((step << 1) + 1 - length)]
                m.next = "DISCREPANCY"
                with m.If(step == t - 1):
                    m.next = "PLACE"
            with m.State("PLACE"):
                for k, factor in enumerate(factors):
                    powers = [Array(Const(field.power(-i * first), field.bits) for i in range(k, rounds * lanes, lanes))[at]
                              for first in self.first]
                    m.d.comb += factor.eq(Array(powers)[self.o_kind])
                m.d.sync += [*turn(locator, products), at.eq(Mux(last, 0, at + 1))]
                with m.If(last):
                    m.next = "GIVE"
            with m.State("GIVE"):
                m.d.comb += self.o_valid.eq(1)
                with m.If(self.o_ready):
                    m.next = "WAIT"
        return m
