"""The fused multiply-add: one rounding, nothing wider than 64 bits."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .format import Operand, Product, carry_on, normalise, registers, round_and_pack, shift_right_sticky

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

    latency = 8

    a: In(32)
    b: In(32)
    c: In(32)
    o: Out(32)

    def elaborate(self, platform):
        m = Module()

        # 1: operands, which their user chooses.
        operands = registers(a=32, b=32, c=32)
        m.d.sync += [register.eq(value) for register, value in zip(operands, (self.a, self.b, self.c))]
        a, b, c = (Operand(m, register, register.name) for register in operands)

        # 2: parts of the product, and the addend's distance.
        product = Product(m, a.significand, b.significand).value
        addend, distance, exponents = registers(addend=24, distance=signed(11), exponents=9)
        no_product, sign, subtract, infinite, nan = registers(no_product=1, sign=1, subtract=1, infinite=1, nan=1)
        product_sign = Signal()
        product_infinite = Signal()
        opposite = Signal()
        zero = Signal()
        m.d.comb += [
            product_sign.eq(a.sign ^ b.sign),
            product_infinite.eq(a.infinite | b.infinite),
            opposite.eq(product_sign ^ c.sign),
            zero.eq(a.zero | b.zero),
        ]
        m.d.sync += [
            addend.eq(c.mantissa),
            distance.eq(c.exponent - (a.exponent + b.exponent) + 150),
            exponents.eq(a.exponent + b.exponent),
            no_product.eq(zero),
            sign.eq(Mux(c.infinite, c.sign, product_sign)),
            subtract.eq(opposite),
            infinite.eq(product_infinite | c.infinite),
            nan.eq(a.nan | b.nan | c.nan | (product_infinite & (zero | (c.infinite & opposite)))),
        ]

        # 3: product, and the addend's place in the frame. Beyond 51 the product is less than an eighth of the addend's
        # lowest bit, wherever it is; a zero product counts as that.
        right, far, exponent = registers(right=6, far=1, exponent=signed(10))
        is_far = Signal()
        is_beyond = Signal()
        near_right = Signal(signed(12))
        far_right = Signal(6)
        m.d.comb += [
            is_far.eq(no_product | (distance >= 27)),
            is_beyond.eq(no_product | (distance >= 51)),
            near_right.eq(29 - distance),
            far_right.eq(51 - distance),
        ]
        m.d.sync += [
            far.eq(is_far),
            right.eq(Mux(is_beyond, 0, Mux(is_far, far_right, Mux(near_right > 63, 63, near_right[:6])))),
            exponent.eq(exponents - Mux(is_beyond, 150 - distance, Mux(is_far, 99, 121))),  # beyond: the addend's own
        ]
        addend, no_product, sign, subtract, infinite, nan = carry_on(m, addend, no_product, sign, subtract, infinite, nan)

        # 4: both into the frame.
        framed_product, framed_addend = registers(framed_product=49, framed_addend=54)
        aligned = shift_right_sticky(m, Cat(Const(0, 30), addend), right)
        m.d.sync += [
            framed_product.eq(Mux(no_product, 0, Mux(far, Cat(product[:22].any(), product[22:]), Cat(Const(0, 1), product)))),
            framed_addend.eq(aligned),
        ]
        exponent, sign, subtract, infinite, nan = carry_on(m, exponent, sign, subtract, infinite, nan)

        # 5: the sum's magnitude: of the two differences the one that is not negative.
        magnitude, negative = registers(magnitude=54, negative=1)
        total = Signal(signed(55))
        reverse = Signal(54)
        m.d.comb += [
            total.eq(Mux(subtract, framed_product - framed_addend, framed_product + framed_addend)),
            reverse.eq(framed_addend - framed_product),
        ]
        m.d.sync += [magnitude.eq(Mux(subtract & total[54], reverse, total)), negative.eq(subtract & total[54])]
        exponent, sign, subtract, infinite, nan = carry_on(m, exponent, sign, subtract, infinite, nan)

        # 6: the leading one comes into the upper 8 bits. What rounding cannot see from there on becomes one sticky bit.
        coarse, coarse_exponent, final_sign, zero_sign = registers(coarse=33, coarse_exponent=signed(10), final_sign=1, zero_sign=1)
        normal, shift = normalise(m, magnitude, (32, 16, 8))
        below = [magnitude[:22 - shifted].any() for shifted in (0, 8, 16)]  # of bit 22, after so long a shift
        lost = ~shift[5] & Cat(*below, 0).bit_select(shift[3:5], 1)
        m.d.sync += [
            coarse.eq(Cat(lost, normal[22:])),
            coarse_exponent.eq(exponent - shift),
            final_sign.eq(Mux(infinite, sign, sign ^ negative)),
            zero_sign.eq(Mux(infinite, sign, sign & ~subtract)),
        ]
        infinite, nan = carry_on(m, infinite, nan)

        # 7: the leading one comes to the top.
        mantissa, guard, sticky, final_exponent = registers(
            mantissa=24, guard=1, sticky=1, final_exponent=signed(10))
        normal, shift = normalise(m, coarse, (4, 2, 1))
        m.d.sync += [
            mantissa.eq(normal[9:]), guard.eq(normal[8]), sticky.eq(normal[:8].any()),
            final_exponent.eq(coarse_exponent - shift),
        ]
        final_sign, zero_sign, infinite, nan = carry_on(m, final_sign, zero_sign, infinite, nan)

        # 8: rounding. Where there is no leading one, the sum is zero.
        result, = registers(result=32)
        m.d.sync += result.eq(round_and_pack(m, sign=Mux(mantissa[23], final_sign, zero_sign), exponent=final_exponent,
                                             mantissa=mantissa, guard=guard, sticky=sticky, infinite=infinite, nan=nan))
        m.d.comb += self.o.eq(result)
        return m
