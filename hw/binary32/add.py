"""The adder."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .format import Operand, carry_on, normalise, registers, round_and_pack, shift_right_sticky

__all__ = ["Add"]


class Add(wiring.Component):
    """``o = a + b``. Latency ``latency`` cycles; one result per cycle; order is kept.

    Infinity minus infinity is NaN. A sum of exactly zero is +0 unless both operands are -0: ``x + -0`` is ``x``.
    """

    latency = 3

    a: In(32)
    b: In(32)
    o: Out(32)

    def elaborate(self, platform):
        m = Module()
        a, b = Operand(m, self.a, "a"), Operand(m, self.b, "b")

        # 1: the smaller operand is aligned to the larger, with a guard, a round and a sticky bit.
        larger, smaller, exponent, sign, subtract, infinite, nan = registers(
            larger=27, smaller=27, exponent=signed(10), sign=1, subtract=1, infinite=1, nan=1)
        swap = Signal()
        opposite = Signal()
        low = Signal(24)
        high = Signal(24)
        difference = Signal(8)
        right = Signal(5)
        m.d.comb += [
            swap.eq(a.magnitude < b.magnitude),
            opposite.eq(a.sign ^ b.sign),
            low.eq(Mux(swap, a.mantissa, b.mantissa)),
            high.eq(Mux(swap, b.mantissa, a.mantissa)),
            difference.eq(Mux(swap, b.exponent - a.exponent, a.exponent - b.exponent)),
            right.eq(Mux(difference > 31, 31, difference)),
        ]
        aligned = shift_right_sticky(m, Cat(Const(0, 3), low), right)
        m.d.sync += [
            larger.eq(Cat(Const(0, 3), high)),
            smaller.eq(aligned),
            exponent.eq(Mux(swap, b.exponent, a.exponent) + 1),
            sign.eq(Mux(swap, b.sign, a.sign)),
            subtract.eq(opposite),
            infinite.eq(a.infinite | b.infinite),
            nan.eq(a.nan | b.nan | (a.infinite & b.infinite & opposite)),
        ]

        # 2: sum; the leading one comes to the top.
        mantissa, final_exponent, final_sign = registers(mantissa=28, final_exponent=signed(10), final_sign=1)
        total = Signal(28)
        m.d.comb += total.eq(Mux(subtract, larger - smaller, larger + smaller))
        normal, shift = normalise(m, total, (16, 8, 4, 2, 1))
        m.d.sync += [
            mantissa.eq(normal),
            final_exponent.eq(exponent - shift),
            final_sign.eq(sign & ~(subtract & (total == 0))),
        ]
        infinite, nan = carry_on(m, infinite, nan)

        # 3: rounding.
        result, = registers(result=32)
        m.d.sync += result.eq(round_and_pack(
            m, sign=final_sign, exponent=final_exponent, mantissa=mantissa[4:], guard=mantissa[3],
            sticky=mantissa[:3].any(), infinite=infinite, nan=nan))
        m.d.comb += self.o.eq(result)
        return m
