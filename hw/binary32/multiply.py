"""The multiplier."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .format import Operand, Product, carry_on, registers, round_and_pack

__all__ = ["Multiply"]


class Multiply(wiring.Component):
    """``o = a * b``. Latency ``latency`` cycles; one result per cycle; order is kept. Infinity times zero is NaN."""

    latency = 4

    a: In(32)
    b: In(32)
    o: Out(32)

    def elaborate(self, platform):
        m = Module()
        a, b = Operand(m, self.a, "a"), Operand(m, self.b, "b")

        # 1, 2: product. A zero counts from the third stage on.
        product = Product(m, a.significand, b.significand, lowest=22).value
        exponent, sign, zero, infinite, nan = registers(exponent=signed(10), sign=1, zero=1, infinite=1, nan=1)
        any_infinite = a.infinite | b.infinite
        any_zero = a.zero | b.zero
        m.d.sync += [
            exponent.eq(a.exponent + b.exponent - 127),
            sign.eq(a.sign ^ b.sign),
            zero.eq(any_zero),
            infinite.eq(any_infinite),
            nan.eq(a.nan | b.nan | (any_infinite & any_zero)),
        ]
        exponent, sign, zero, infinite, nan = carry_on(m, exponent, sign, zero, infinite, nan)

        # 3: the leading one, in one of the upper two bits, comes to the top.
        mantissa, guard, sticky, final_exponent = registers(mantissa=24, guard=1, sticky=1, final_exponent=signed(10))
        normal = Signal.like(product, name="normal")
        m.d.comb += normal.eq(Mux(product[-1], product, Cat(Const(0, 1), product[:-1])))
        m.d.sync += [
            mantissa.eq(Mux(zero, 0, normal[3:])), guard.eq(normal[2]), sticky.eq(normal[:2].any()),
            final_exponent.eq(exponent + product[-1]),
        ]
        sign, infinite, nan = carry_on(m, sign, infinite, nan)

        # 4: rounding.
        result, = registers(result=32)
        m.d.sync += result.eq(round_and_pack(m, sign=sign, exponent=final_exponent, mantissa=mantissa, guard=guard,
                                             sticky=sticky, infinite=infinite, nan=nan))
        m.d.comb += self.o.eq(result)
        return m
