"""Integers into binary32."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .format import normalise, registers

__all__ = ["FromInteger", "pack_integer"]


def pack_integer(m: Module, value: Signal) -> Value:
    """The 32 bits of a signed integer of at most 24 bits, which binary32 holds exactly."""
    width = len(value)
    normal, exponent = _normal(m, value)
    fraction = Cat(Const(0, 24 - width), normal[:-1])
    return Mux(normal[-1], Cat(fraction, exponent, value < 0), 0)


def _normal(m: Module, value: Signal) -> tuple[Value, Signal]:
    """Magnitude with its leading one at the top, and biased exponent."""
    width = len(value)
    magnitude = Signal(width)
    exponent = Signal(8)
    m.d.comb += magnitude.eq(Mux(value < 0, -value, value))
    normal, shift = normalise(m, magnitude, tuple(1 << k for k in reversed(range((width - 1).bit_length()))))
    m.d.comb += exponent.eq(126 + width - shift)
    return normal, exponent


class FromInteger(wiring.Component):
    """``o = binary32(i - offset)``; the difference wraps to ``width`` bits. Zero gives +0.

    Latency ``latency`` cycles: 3, or 2 where ``width`` leaves nothing to round; one result per cycle; order is kept.

    Parameters
    ----------
    width : int
        Bits of the integer, 2..32.

    Members
    -------
    i : In(signed(width))
    offset : In(signed(10))
    o : Out(32)
    """

    def __init__(self, width: int = 32):
        if not 2 <= width <= 32:
            raise ValueError(f"width must be in 2..32, not {width}")
        self.width = width
        self.latency = self.latency_of(width)
        super().__init__({"i": In(signed(width)), "offset": In(signed(10)), "o": Out(32)})

    @staticmethod
    def latency_of(width: int) -> int:
        """Cycles; for who needs them before there is a unit."""
        return 3 if width > 24 else 2

    def elaborate(self, platform):
        m = Module()

        # 1: difference.
        difference, = registers(difference=signed(self.width))
        m.d.sync += difference.eq(self.i - self.offset)

        # 2: sign and magnitude; the leading one comes to the top.
        result, = registers(result=32)
        m.d.comb += self.o.eq(result)
        if self.width <= 24:
            m.d.sync += result.eq(pack_integer(m, difference))
            return m
        mantissa, exponent, sign = registers(mantissa=self.width, exponent=8, sign=1)
        normal, normal_exponent = _normal(m, difference)
        m.d.sync += [mantissa.eq(normal), exponent.eq(normal_exponent), sign.eq(difference < 0)]

        # 3: rounding. It may carry into the exponent, which no 32-bit integer takes out of range.
        below = self.width - 24
        up = Signal()
        rounded = Signal(31)
        m.d.comb += [
            up.eq(mantissa[below - 1] & (mantissa[:below - 1].any() | mantissa[below])),
            rounded.eq(Cat(mantissa[below:-1], exponent) + up),
        ]
        m.d.sync += result.eq(Mux(mantissa[-1], Cat(rounded, sign), 0))
        return m
