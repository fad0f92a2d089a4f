"""The adder."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .format import Operand, carry_on, normalise, registers, round_and_pack, shift_right_sticky

__all__ = ["Add"]


class Add(wiring.Component):
    """``o = a + b``, or the larger of both where ``maximum`` is high. Latency ``latency`` cycles; one result per cycle; order is kept.

    Infinity minus infinity is NaN. A sum of exactly zero is +0 unless both operands are -0: ``x + -0`` is ``x``.
    The larger is that of ``MinMax``: it costs no more than the choice of the larger magnitude, which a sum needs too.
    """

    latency = 5

    a: In(32)
    b: In(32)
    maximum: In(1)
    o: Out(32)

    def elaborate(self, platform):
        m = Module()
        a, b = Operand(m, self.a, "a"), Operand(m, self.b, "b")

        # 1: which operand is smaller, and by how much. A maximum is the other one, plus nothing.
        low, high, right, low_zero, high_zero = registers(low=24, high=24, right=5, low_zero=1, high_zero=1)
        exponent, sign, subtract, infinite, nan = registers(exponent=signed(10), sign=1, subtract=1, infinite=1, nan=1)
        swap = Signal()
        opposite = Signal()
        negative = Signal()
        ahead = Signal(signed(9))
        behind = Signal(signed(9))
        m.d.comb += [
            opposite.eq(a.sign ^ b.sign),
            # Of two magnitudes; also of subnormals, which are all zero. A maximum of two negative ones is the smaller.
            negative.eq(self.maximum & a.sign),
            swap.eq(Mux(self.maximum & opposite, a.sign, (self.a[:31] < self.b[:31]) ^ negative)),
            ahead.eq(a.exponent - b.exponent),
            behind.eq(b.exponent - a.exponent),
        ]
        m.d.sync += [
            low.eq(Mux(swap, a.significand, b.significand)),
            high.eq(Mux(swap, b.significand, a.significand)),
            low_zero.eq(self.maximum | Mux(swap, a.zero, b.zero)),
            high_zero.eq(Mux(swap, b.zero, a.zero)),
            right.eq(Mux(ahead < 0, _up_to_31(behind), _up_to_31(ahead))),
            exponent.eq(Mux(swap, b.exponent, a.exponent)),
            sign.eq(Mux(swap, b.sign, a.sign)),
            subtract.eq(opposite & ~self.maximum),
            infinite.eq(Mux(self.maximum, Mux(swap, b.infinite, a.infinite), a.infinite | b.infinite)),
            nan.eq(a.nan | b.nan | (a.infinite & b.infinite & opposite & ~self.maximum)),
        ]

        # 2: it is aligned to the larger, with a guard, a round and a sticky bit.
        larger, smaller = registers(larger=27, smaller=27)
        aligned = shift_right_sticky(m, Cat(Const(0, 3), low), right)
        m.d.sync += [larger.eq(Mux(high_zero, 0, Cat(Const(0, 3), high))), smaller.eq(Mux(low_zero, 0, aligned))]
        exponent, sign, subtract, infinite, nan = carry_on(m, exponent, sign, subtract, infinite, nan)

        # 3: sum.
        total, = registers(total=28)
        m.d.sync += total.eq(Mux(subtract, larger - smaller, larger + smaller))
        exponent, sign, subtract, infinite, nan = carry_on(m, exponent, sign, subtract, infinite, nan)

        # 4: the leading one comes to the top.
        mantissa, final_exponent, zero_sign = registers(mantissa=28, final_exponent=signed(10), zero_sign=1)
        normal, shift = normalise(m, total, (16, 8, 4, 2, 1))
        m.d.sync += [mantissa.eq(normal), final_exponent.eq(exponent + 1 - shift), zero_sign.eq(sign & ~subtract)]
        sign, infinite, nan = carry_on(m, sign, infinite, nan)

        # 5: rounding. Where there is no leading one, the sum is zero.
        result, = registers(result=32)
        m.d.sync += result.eq(round_and_pack(
            m, sign=Mux(mantissa[27] | infinite, sign, zero_sign), exponent=final_exponent, mantissa=mantissa[4:], guard=mantissa[3],
            sticky=mantissa[:3].any(), infinite=infinite, nan=nan))
        m.d.comb += self.o.eq(result)
        return m


def _up_to_31(difference: Signal) -> Value:
    return difference[:5] | difference[5:].any().replicate(5)
