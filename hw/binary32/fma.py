"""The fused multiply-add: one rounding, nothing wider than 64 bits."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .format import Operand, carry_on, normalise, registers, round_and_pack, shift_right_sticky

__all__ = ["FusedMultiplyAdd"]


class FusedMultiplyAdd(wiring.Component):
    """``o = a * b + c`` with one rounding.

    Latency ``latency`` cycles; one result per cycle; order is kept. Infinity times zero and infinity minus infinity
    are NaN; a sum of exactly zero is +0 unless product and addend are both -0. So ``fma(x, 1, -0)`` is ``x`` and
    ``fma(x, y, -0)`` the product, to the bit.

    Let the addend's lowest bit lie ``distance`` bits above the product's. From 27 the sum cannot cancel, so the lower
    22 bits of the product matter only as a sticky bit; below 27 the addend ends under bit 50. Either way both fit a
    frame of 54 bits whose lowest is sticky, and so does their sum.
    """

    latency = 6

    a: In(32)
    b: In(32)
    c: In(32)
    o: Out(32)

    def elaborate(self, platform):
        m = Module()
        a, b, c = Operand(m, self.a, "a"), Operand(m, self.b, "b"), Operand(m, self.c, "c")

        # 1: product, and the addend's place in the frame. Beyond 51 the product is less than an eighth of the addend's
        # lowest bit, wherever it is; a zero product counts as that.
        product, addend, right, far = registers(product=48, addend=24, right=6, far=1)
        exponent, sign, subtract, infinite, nan = registers(
            exponent=signed(10), sign=1, subtract=1, infinite=1, nan=1)
        exponents = Signal(9)
        distance = Signal(signed(10))
        no_product = Signal()
        is_far = Signal()
        is_beyond = Signal()
        product_sign = Signal()
        product_infinite = Signal()
        opposite = Signal()
        near_right = Signal(signed(11))
        far_right = Signal(6)
        m.d.comb += [
            exponents.eq(a.exponent + b.exponent),
            distance.eq(c.exponent - exponents + 150),
            no_product.eq(a.zero | b.zero),
            is_far.eq(no_product | (distance >= 27)),
            is_beyond.eq(no_product | (distance >= 51)),
            near_right.eq(29 - distance),
            far_right.eq(51 - distance),
            product_sign.eq(a.sign ^ b.sign),
            product_infinite.eq(a.infinite | b.infinite),
            opposite.eq(product_sign ^ c.sign),
        ]
        m.d.sync += [
            product.eq(a.mantissa * b.mantissa),
            addend.eq(c.mantissa),
            far.eq(is_far),
            right.eq(Mux(is_beyond, 0, Mux(is_far, far_right, Mux(near_right > 63, 63, near_right[:6])))),
            exponent.eq(Mux(is_beyond, c.exponent, exponents - Mux(is_far, 99, 121))),
            sign.eq(Mux(c.infinite, c.sign, product_sign)),
            subtract.eq(opposite),
            infinite.eq(product_infinite | c.infinite),
            nan.eq(a.nan | b.nan | c.nan | (product_infinite & (no_product | (c.infinite & opposite)))),
        ]

        # 2: both into the frame.
        framed_product, framed_addend = registers(framed_product=49, framed_addend=54)
        aligned = shift_right_sticky(m, Cat(Const(0, 30), addend), right)
        m.d.sync += [
            framed_product.eq(Mux(far, Cat(product[:22].any(), product[22:]), Cat(Const(0, 1), product))),
            framed_addend.eq(aligned),
        ]
        exponent, sign, subtract, infinite, nan = carry_on(m, exponent, sign, subtract, infinite, nan)

        # 3: the sum.
        total, = registers(total=signed(55))
        m.d.sync += total.eq(Mux(subtract, framed_product - framed_addend, framed_product + framed_addend))
        exponent, sign, subtract, infinite, nan = carry_on(m, exponent, sign, subtract, infinite, nan)

        # 4: its magnitude; the leading one comes into the upper 8 bits.
        coarse, coarse_exponent, final_sign = registers(coarse=54, coarse_exponent=signed(10), final_sign=1)
        magnitude = Signal(54)
        m.d.comb += magnitude.eq(Mux(total[54], -total, total))
        normal, shift = normalise(m, magnitude, (32, 16, 8))
        m.d.sync += [
            coarse.eq(normal),
            coarse_exponent.eq(exponent - shift),
            final_sign.eq(Mux(infinite, sign, Mux(total == 0, sign & ~subtract, sign ^ total[54]))),
        ]
        infinite, nan = carry_on(m, infinite, nan)

        # 5: the leading one comes to the top.
        mantissa, guard, sticky, final_exponent = registers(
            mantissa=24, guard=1, sticky=1, final_exponent=signed(10))
        normal, shift = normalise(m, coarse, (4, 2, 1))
        m.d.sync += [
            mantissa.eq(normal[30:]), guard.eq(normal[29]), sticky.eq(normal[:29].any()),
            final_exponent.eq(coarse_exponent - shift),
        ]
        final_sign, infinite, nan = carry_on(m, final_sign, infinite, nan)

        # 6: rounding.
        result, = registers(result=32)
        m.d.sync += result.eq(round_and_pack(m, sign=final_sign, exponent=final_exponent, mantissa=mantissa,
                                             guard=guard, sticky=sticky, infinite=infinite, nan=nan))
        m.d.comb += self.o.eq(result)
        return m
