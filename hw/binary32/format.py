"""The binary32 format as the units of this package see it: unpacked operands, and rounding back into 32 bits.

Every unit computes ``flush(ieee(flush(a), flush(b), ..))``: the IEEE 754 result rounded to nearest, ties to even, of
operands whose subnormals have become zeros of the same sign; a subnormal result becomes a zero of its sign in turn.
Any NaN, whatever its sign and payload, gives the one NaN 0x7fc00000.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

__all__ = ["CANONICAL_NAN", "MINUS_INFINITY", "MINUS_ZERO", "ONE", "Operand", "Product", "carry_on", "normalise", "registers",
           "round_and_pack", "shift_right_sticky"]

ONE = 0x3F800000
MINUS_ZERO = 0x80000000
MINUS_INFINITY = 0xFF800000
CANONICAL_NAN = 0x7FC00000


class Operand:
    """A binary32 operand taken apart; subnormals read as zero.

    Attributes
    ----------
    sign : 1 bit
    exponent : 8 bits, biased by 127; 0 means zero
    mantissa : 24 bits with the leading one; 0 for zero. Value = mantissa * 2**(exponent - 150).
    significand : the mantissa, as if there were no zero: ready at once
    zero, infinite, nan : 1 bit each, at most one of them set
    magnitude : 31 bits, ordered like the absolute value
    """

    def __init__(self, m: Module, bits: Value, name: str):
        self.significand = Cat(bits[:23], 1)
        self.sign = Signal(name=f"{name}_sign")
        self.exponent = Signal(8, name=f"{name}_exponent")
        self.mantissa = Signal(24, name=f"{name}_mantissa")
        self.zero = Signal(name=f"{name}_zero")
        self.infinite = Signal(name=f"{name}_infinite")
        self.nan = Signal(name=f"{name}_nan")
        m.d.comb += [
            self.sign.eq(bits[31]),
            self.exponent.eq(bits[23:31]),
            self.zero.eq(bits[23:31] == 0),
            self.mantissa.eq(Mux(self.zero, 0, self.significand)),
            self.infinite.eq((bits[23:31] == 255) & (bits[:23] == 0)),
            self.nan.eq((bits[23:31] == 255) & (bits[:23] != 0)),
        ]

    @property
    def magnitude(self) -> Value:
        return Cat(self.mantissa[:23], self.exponent)


def registers(**shapes) -> list[Signal]:
    """Data registers, without a reset, by name and shape."""
    return [Signal(shape, reset_less=True, name=name) for name, shape in shapes.items()]


def carry_on(m: Module, *values: Signal) -> list[Signal]:
    """One more register behind each of ``values``."""
    later = [Signal.like(value, name=_later(value.name), reset_less=True) for value in values]
    m.d.sync += [register.eq(value) for register, value in zip(later, values)]
    return later


def _later(name: str) -> str:
    """``sign`` becomes ``sign_1``, and that ``sign_2``."""
    stem, _, stage = name.rpartition("_")
    return f"{stem}_{int(stage) + 1}" if stem and stage.isdigit() else f"{name}_1"


def normalise(m: Module, value: Signal, steps: tuple[int, ...]) -> tuple[Signal, Value]:
    """``value`` shifted left by each step, largest first, whose bits at the top are all zero; and the total shift.

    Each step is half of the one before. Whether a step's bits are zero is found for all places where they can come from
    at once, beside the shifts and not after them: a step costs one multiplexer.
    """
    width, reach, taken = len(value), sum(steps) + steps[-1], []
    shifts = value
    for step in steps:
        # Earlier steps have moved a multiple of twice this one. The latest decision chooses last.
        blocks = [value[max(width - top - step, 0):max(width - top, 0)] == 0 for top in range(0, reach, 2 * step)]
        for decision in taken:
            half = len(blocks) // 2
            blocks = [Mux(decision, late, early) for early, late in zip(blocks[:half], blocks[half:], strict=True)]
        empty = Signal(name=f"empty_{step}")
        shifted = Signal(width, name=f"shifted_{step}")
        m.d.comb += [empty.eq(blocks[0]), shifted.eq(Mux(empty, Cat(Const(0, step), shifts[:-step]), shifts))]
        shifts = shifted
        taken.append(empty)
    lowest = steps[-1].bit_length() - 1
    return shifts, Cat(Const(0, lowest), *reversed(taken))


def shift_right_sticky(m: Module, value: Value, amount: Signal) -> Signal:
    """``value >> amount`` whose lowest bit also says whether any one was shifted out."""
    ones = (1 << ((1 << len(amount)) - 1)) - 1  # shifted itself, since ``1 << amount`` would widen
    lost = Signal()
    result = Signal(len(value), name="aligned")
    m.d.comb += [lost.eq((value & (Const(ones) >> ~amount)).any()), result.eq((value >> amount) | lost)]
    return result


def round_and_pack(m: Module, *, sign: Value, exponent: Value, mantissa: Value, guard: Value, sticky: Value,
                   infinite: Value, nan: Value) -> Value:
    """The 32 bits of ``mantissa * 2**(exponent - 150)``, rounded, flushed, or special.

    ``exponent`` is signed and biased; ``mantissa`` has its leading one in bit 23, or is no number but zero when that
    bit is clear. ``guard`` is the next bit below, ``sticky`` the OR of all others.
    """
    rounded = Signal(25)
    larger = Signal(signed(len(exponent) + 1))  # the exponent, if rounding carries into it
    # One step below the smallest normal number IEEE rounds on the subnormal grid, twice as coarse: there the 24 ones
    # are already a tie, which goes up to 2**-126; all smaller ones are flushed whatever they round to.
    up = (guard & (sticky | mantissa[0])) | (exponent == 0)
    m.d.comb += [rounded.eq(mantissa + up), larger.eq(exponent + 1)]
    carry = rounded[24]
    flushed = ~mantissa[23] | Mux(carry, larger < 1, exponent < 1)
    overflown = infinite | (mantissa[23] & Mux(carry, larger > 254, exponent > 254))
    finite = Mux(flushed, 0, Cat(rounded[:23], Mux(carry, larger[:8], exponent[:8])))
    return Mux(nan, CANONICAL_NAN, Cat(Mux(overflown, 0x7F800000, finite)[:31], sign))


class Product:
    """The product of two 24-bit mantissas in two steps: of their halves, then the sum of those.

    Attributes
    ----------
    value : two cycles after ``a`` and ``b``: 48 bits, or those from ``lowest`` on and a sticky one below. A register before it
    holds four products, each a multiplier of its own on an FPGA; no path is longer than a product of 12 bits, or an addition.
    """

    latency = 2

    def __init__(self, m: Module, a: Value, b: Value, *, lowest: int = 0):
        total = Signal(48, name="product_sum")
        low_low, low_high, high_low, high_high = registers(low_low=24, low_high=24, high_low=24, high_high=24)
        value = Cat(total[:lowest].any(), total[lowest:]) if lowest else total
        self.value, = registers(product=len(value))
        m.d.sync += [
            low_low.eq(a[:12] * b[:12]), low_high.eq(a[:12] * b[12:]), high_low.eq(a[12:] * b[:12]), high_high.eq(a[12:] * b[12:]),
            self.value.eq(value),
        ]
        m.d.comb += total.eq(Cat(low_low, high_high) + ((low_high + high_low) << 12))
