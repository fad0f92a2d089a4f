"""binary32 as the hardware computes it, in exact integers: the judge of the units, written without floating point.

Values are their 32 bits as Python integers. Subnormal operands and results are zeros of their sign; every NaN result is
0x7fc00000. A result is rounded once, as IEEE 754 says (to nearest, ties to even, on the subnormal grid below 2**-126),
and flushed after that.
"""

__all__ = ["NAN", "add", "fma", "from_integer", "maximum", "minimum", "multiply", "quantise", "rne", "round_clamp",
           "wrap"]

NAN = 0x7FC00000
_INFINITY = 0x7F800000


def fma(a: int, b: int, c: int) -> int:
    """``a * b + c``, rounded once."""
    if _is_nan(a) or _is_nan(b) or _is_nan(c):
        return NAN
    a, b, c = _flush(a), _flush(b), _flush(c)
    sign = (a ^ b) >> 31
    if _is_infinite(a) or _is_infinite(b):
        if not a & 0x7FFFFFFF or not b & 0x7FFFFFFF or (_is_infinite(c) and c >> 31 != sign):
            return NAN
        return sign << 31 | _INFINITY
    if _is_infinite(c):
        return c
    product, exponent = _integer(a) * _integer(b), _scale(a) + _scale(b)
    addend, addend_exponent = _integer(c), _scale(c)
    if not product and not addend:
        return (a ^ b) & c & 0x80000000
    low = min(exponent, addend_exponent)
    total = (product << exponent - low) + (addend << addend_exponent - low)
    return _round(total, low)


def multiply(a: int, b: int) -> int:
    """``a * b``."""
    return fma(a, b, 0x80000000)


def add(a: int, b: int) -> int:
    """``a + b``."""
    return fma(a, 0x3F800000, b)


def from_integer(value: int, offset: int, width: int = 32) -> int:
    """binary32 of ``value - offset``, which wraps to ``width`` bits."""
    return _round(wrap(value - offset, width), 0)


def maximum(a: int, b: int) -> int:
    """The larger one; NaN if either is; +0 is larger than -0."""
    if _is_nan(a) or _is_nan(b):
        return NAN
    return max(_flush(a), _flush(b), key=_ordered)


def minimum(a: int, b: int) -> int:
    """The smaller one; NaN if either is; -0 is smaller than +0."""
    if _is_nan(a) or _is_nan(b):
        return NAN
    return min(_flush(a), _flush(b), key=_ordered)


def rne(x: int) -> int:
    """The nearest integer, ties to even, saturated to int32; 0 for NaN."""
    if _is_nan(x):
        return 0
    magnitude, exponent = _integer(x & 0x7FFFFFFF), _scale(x)
    if exponent >= 0:
        magnitude <<= exponent
    else:
        whole, rest = magnitude >> -exponent, magnitude & (1 << -exponent) - 1
        half = 1 << -exponent - 1
        magnitude = whole + (rest > half or (rest == half and whole & 1))
    return max(-2**31, -magnitude) if x >> 31 else min(2**31 - 1, magnitude)


def quantise(x: int, offset: int, low: int, high: int) -> int:
    """``rne(x) + offset``, not below ``low``, then not above ``high``."""
    return min(max(rne(x) + offset, low), high)


def round_clamp(x: int, offset: int, low: int, high: int) -> int:
    """``quantise`` as binary32."""
    return _round(quantise(x, offset, low, high), 0)


def wrap(value: int, width: int) -> int:
    """``value`` in two's complement of ``width`` bits."""
    half = 1 << width - 1
    return (value + half & 2 * half - 1) - half


def _is_nan(x: int) -> bool:
    return x & 0x7FFFFFFF > _INFINITY


def _is_infinite(x: int) -> bool:
    return x & 0x7FFFFFFF == _INFINITY


def _flush(x: int) -> int:
    return x if x & _INFINITY else x & 0x80000000


def _integer(x: int) -> int:
    """The signed integer mantissa; infinity counts as 2**128."""
    magnitude = x & 0x7FFFFF | 0x800000 if x & _INFINITY else 0
    return -magnitude if x >> 31 else magnitude


def _scale(x: int) -> int:
    return (x >> 23 & 255) - 150


def _ordered(x: int) -> int:
    return -(x & 0x7FFFFFFF) - 1 if x >> 31 else x


def _round(value: int, exponent: int) -> int:
    """``value * 2**exponent``, rounded and flushed; zero is +0."""
    sign, magnitude = (0x80000000, -value) if value < 0 else (0, value)
    lowest = max(magnitude.bit_length() + exponent - 24, -149)
    drop = lowest - exponent
    if drop <= 0:
        kept = magnitude << -drop
    else:
        kept, rest, half = magnitude >> drop, magnitude & (1 << drop) - 1, 1 << drop - 1
        kept += rest > half or (rest == half and kept & 1)
    if not kept:
        return sign if magnitude else 0
    bits = kept + (lowest + 149 << 23)  # a carry out of the mantissa lands in the exponent
    if bits < 0x800000:
        return sign
    return sign | min(bits, _INFINITY)
