"""Integers into binary32."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .format import carry_on, normalise, registers

__all__ = ["FromInteger", "pack_integer"]


def pack_integer(m: Module, value: Signal) -> Value:
    """The 32 bits of a signed integer of at most 24 bits, which binary32 holds exactly."""
    magnitude = Signal(len(value), name="magnitude")
    m.d.comb += magnitude.eq(Mux(value < 0, -value, value))
    return _packed(m, magnitude, value < 0)


def _packed(m: Module, magnitude: Signal, sign: Value) -> Value:
    normal, shift = _normal(m, magnitude)
    fraction = Cat(Const(0, 24 - len(magnitude)), normal[:-1])
    return Mux(magnitude.any(), Cat(fraction, (126 + len(magnitude) - shift)[:8], sign), 0)


def _normal(m: Module, magnitude: Signal) -> tuple[Value, Value]:
    """``magnitude`` with its leading one at the top, and by how much it was shifted."""
    return normalise(m, magnitude, tuple(1 << k for k in reversed(range((len(magnitude) - 1).bit_length()))))


class FromInteger(wiring.Component):
    """``o = binary32(i - offset)``; the difference wraps to ``width`` bits. Zero gives +0. Or ``o`` is another number.

    Latency ``latency`` cycles: 4, or 3 where ``width`` leaves nothing to round; one result per cycle; order is kept.

    Parameters
    ----------
    width : int
        Bits of the integer, 2..32.

    Members
    -------
    i : In(signed(width))
    offset : In(signed(10))
    replace, number : In(1), In(32)
        A cycle before ``o``: that it is to be ``number``.
    o : Out(32)
    """

    def __init__(self, width: int = 32):
        if not 2 <= width <= 32:
            raise ValueError(f"width must be in 2..32, not {width}")
        self.width = width
        self.latency = self.latency_of(width)
        super().__init__({"i": In(signed(width)), "offset": In(signed(10)), "replace": In(1), "number": In(32), "o": Out(32)})

    @staticmethod
    def latency_of(width: int) -> int:
        """Cycles; for who needs them before there is a unit."""
        return 4 if width > 24 else 3

    def elaborate(self, platform):
        m = Module()

        # 1: difference.
        difference, = registers(difference=signed(self.width))
        m.d.sync += difference.eq(self.i - self.offset)

        # 2: sign and magnitude.
        magnitude, sign = registers(magnitude=self.width, sign=1)
        m.d.sync += [magnitude.eq(Mux(difference < 0, -difference, difference)), sign.eq(difference < 0)]

        # 3: the leading one comes to the top, which is all for a short one. What is below the bit after the last becomes a sticky one.
        result, = registers(result=32)
        m.d.comb += self.o.eq(result)
        if self.width <= 24:
            m.d.sync += result.eq(Mux(self.replace, self.number, _packed(m, magnitude, sign)))
            return m
        mantissa, guard, sticky, shift = registers(mantissa=24, guard=1, sticky=1, shift=5)
        normal, total_shift = _normal(m, magnitude)
        below = self.width - 24
        m.d.sync += [
            mantissa.eq(normal[below:]), guard.eq(normal[below - 1]), sticky.eq(normal[:below - 1].any()), shift.eq(total_shift),
        ]
        sign, = carry_on(m, sign)

        # 4: rounding. It may carry into the exponent, which no 32-bit integer takes out of range.
        exponent = 126 + self.width - shift
        up = Signal()
        rounded = Signal(25)
        m.d.comb += [
            up.eq(guard & (sticky | mantissa[0])),
            rounded.eq(mantissa + up),
        ]
        packed = Mux(mantissa[-1], Cat(rounded[:23], Mux(rounded[24], exponent + 1, exponent)[:8], sign), 0)
        m.d.sync += result.eq(Mux(self.replace, self.number, packed))
        return m
