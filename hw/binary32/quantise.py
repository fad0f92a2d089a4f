"""binary32 into small integers: the middle rounding of a fused layer, and the byte at the end of the chain."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .convert import pack_integer
from .format import Operand, registers, shift_right_sticky

__all__ = ["Quantise", "RoundClamp"]


class Quantise(wiring.Component):
    """``o = min(max(rne(x) + offset, low), high)``, its low 8 bits being the output byte.

    ``rne`` rounds to nearest, ties to even, saturating at int32; NaN gives 0. Since offset and bounds have 9 bits,
    anything from 1023 on saturates alike, and the unit keeps no more. Latency ``latency`` cycles; one result per
    cycle; order is kept. ``offset`` belongs to the operand one cycle earlier, ``low`` and ``high`` to that before.
    """

    latency = 3

    x: In(32)
    offset: In(signed(9))
    low: In(signed(9))
    high: In(signed(9))
    o: Out(signed(9))

    def elaborate(self, platform):
        m = Module()
        x = Operand(m, self.x, "x")

        # 1: fixed point with a half and a sticky bit. Bit 13 of the mantissa is worth a half at exponent 136, of
        # 512..1023; smaller exponents shift further, and those below a half vanish into the sticky bit.
        fixed, sign = registers(fixed=12, sign=1)
        less = Signal(8)
        right = Signal(4)
        m.d.comb += [less.eq(136 - x.exponent), right.eq(Mux(less > 15, 15, less))]
        shifted = shift_right_sticky(m, Cat(x.mantissa[:13].any(), x.mantissa[13:]), right)
        m.d.sync += [
            fixed.eq(Mux(x.exponent > 136, Mux(x.nan, 0, 0xFFC), shifted)),
            sign.eq(x.sign),
        ]

        # 2: round, add.
        rounded = Signal(11)
        total, = registers(total=signed(13))
        m.d.comb += rounded.eq(fixed[2:] + (fixed[1] & (fixed[0] | fixed[2])))
        m.d.sync += total.eq(Mux(sign, self.offset - rounded, self.offset + rounded))

        # 3: clamp. Bounds that cross give the upper one.
        result, = registers(result=signed(9))
        low, high = self.low, self.high
        m.d.sync += result.eq(Mux((total > high) | (low > high), high, Mux(total < low, low, total)))
        m.d.comb += self.o.eq(result)
        return m


class RoundClamp(wiring.Component):
    """``o = binary32(min(max(rne(x) + offset, low), high))``, or ``x`` itself where ``enable`` is low.

    Latency ``latency`` cycles; one result per cycle; order is kept. ``offset``, ``low`` and ``high`` are those of ``Quantise``;
    ``unrounded`` is ``x`` of ``rounding`` cycles ago, and ``enable`` belongs to it. ``x`` must hold no subnormal and no other NaN
    than the canonical one: the results of units do not.
    """

    rounding = Quantise.latency
    latency = rounding + 1

    x: In(32)
    unrounded: In(32)
    offset: In(signed(9))
    low: In(signed(9))
    high: In(signed(9))
    enable: In(1)
    o: Out(32)

    def elaborate(self, platform):
        m = Module()
        m.submodules.quantise = quantise = Quantise()
        m.d.comb += [quantise.x.eq(self.x), quantise.offset.eq(self.offset), quantise.low.eq(self.low),
                     quantise.high.eq(self.high)]
        result, = registers(result=32)
        m.d.sync += result.eq(Mux(self.enable, pack_integer(m, quantise.o), self.unrounded))
        m.d.comb += self.o.eq(result)
        return m
