"""The closed vocabulary of operations, each with its numpy meaning, defined here and nowhere else.

Integers are int32 and wrap. binary32 operations round to nearest even; subnormals are zeros of their sign,
on input and on output; a NaN is the canonical quiet one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["OPS", "RECIPROCAL_MAGIC", "ROOT_MAGIC", "Vocable", "flush", "fma32"]

#: What a number's bits are subtracted from for a first guess of its reciprocal, within an eighth of it; and, with the bits
#: halved, of its inverse square root, within a twenty-ninth (the exponent is negated or halved, the mantissa interpolated).
RECIPROCAL_MAGIC, ROOT_MAGIC = 0x7EF311C7, 0x5F3759DF

_TINY = np.float32(2.0**-126)
_NAN = np.uint32(0x7FC00000).view(np.float32)
_RNE_LIMIT = 2**24  # beyond it rne saturates: always followed by a clamp to far less


@dataclass(frozen=True)
class Vocable:
    """One operation: its numpy meaning, and what matching may assume of it."""

    name: str
    arity: int
    meaning: Callable[..., np.ndarray]
    commutes: bool = False
    neutral: float | None = None  # of the second argument, for integers


def flush(x: np.ndarray) -> np.ndarray:
    """binary32 with subnormals as zeros of their sign and every NaN canonical."""
    small = (np.abs(x) < _TINY) & (x != 0)
    if small.any():
        x = np.where(small, np.copysign(np.float32(0), x), x)
    unordered = np.isnan(x)
    return np.where(unordered, _NAN, x) if unordered.any() else x


def _is_float(*values) -> bool:
    return any(np.asarray(v).dtype == np.float32 for v in values)


def _arithmetic(function):
    def meaning(a, b):
        if _is_float(a, b):
            with np.errstate(all="ignore"):
                return flush(function(flush(np.asarray(a, np.float32)), flush(np.asarray(b, np.float32))))
        with np.errstate(over="ignore"):
            return function(np.asarray(a, np.int32), np.asarray(b, np.int32))

    return meaning


def _extreme(function):
    def meaning(a, b):
        if not _is_float(a, b):
            return function(a, b)
        a, b = flush(np.asarray(a, np.float32)), flush(np.asarray(b, np.float32))
        # -0 orders below +0, as bits do; a NaN wins.
        wins = (a > b) | ((a == b) & ~np.signbit(a))
        chosen = np.where(wins, a, b) if function is np.maximum else np.where(wins, b, a)
        return np.where(np.isnan(a) | np.isnan(b), _NAN, chosen)

    return meaning


def fma32(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """``a * b + c`` with one rounding, exactly.

    The product of two binary32 numbers is exact in binary64; the sum s rounds to binary32 as the true value
    does unless s is exactly a midpoint of two binary32 numbers (or the result is subnormal). Those few are
    mended by rounding to odd (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums").
    """
    a, b, c = (flush(np.asarray(v, np.float32)).astype(np.float64) for v in (a, b, c))
    with np.errstate(all="ignore"):
        p = a * b
        s = p + c
        result = np.asarray(s.astype(np.float32))
        bits = np.asarray(s).view(np.int64)
        suspect = ((bits & (2**29 - 1)) == 2**28) | (np.abs(s) < 2.0**-125)
        if suspect.any():
            p, s, c = (np.broadcast_to(v, suspect.shape)[suspect] for v in (p, s, c))
            t = s - p
            e = (p - (s - t)) + (c - t)
            bits = s.view(np.int64)
            inexact = ((e > 0) | (e < 0)) & (bits & 1 == 0)
            step = np.where((e > 0) == (s > 0), 1, -1)
            # An exact zero sum has no bits to step from; its error is zero too.
            odd = np.where(inexact & (s != 0), bits + step, bits).view(np.float64)
            result[suspect] = odd.astype(np.float32)
    return flush(result)


def _rne(x):
    with np.errstate(all="ignore"):
        rounded = np.rint(np.nan_to_num(flush(np.asarray(x, np.float32)), nan=0.0, posinf=2.0**30, neginf=-(2.0**30)))
    return np.clip(rounded, -_RNE_LIMIT, _RNE_LIMIT).astype(np.int32)


def _guess(magic: int, shift: int):
    def meaning(x):
        bits = np.ascontiguousarray(x, np.float32).view(np.uint32) >> np.uint32(shift)
        with np.errstate(over="ignore"):
            return (np.uint32(magic) - bits).view(np.float32).reshape(np.shape(x))

    return meaning


def _table(*vocables: Vocable) -> dict[str, Vocable]:
    return {v.name: v for v in vocables}


OPS: dict[str, Vocable] = _table(
    Vocable("add", 2, _arithmetic(np.add), commutes=True, neutral=0),
    Vocable("sub", 2, _arithmetic(np.subtract), neutral=0),
    Vocable("mul", 2, _arithmetic(np.multiply), commutes=True, neutral=1),
    Vocable("max", 2, _extreme(np.maximum), commutes=True),
    Vocable("min", 2, _extreme(np.minimum), commutes=True),
    Vocable("fma", 3, fma32),
    Vocable("f32", 1, lambda x: np.asarray(x).astype(np.float32)),  # of an int32: rounds to nearest even
    Vocable("guess_reciprocal", 1, _guess(RECIPROCAL_MAGIC, 0)),  # of a positive number; of its bits, whatever they are
    Vocable("guess_root", 1, _guess(ROOT_MAGIC, 1)),  # of an inverse square root, likewise
    Vocable("rne", 1, _rne),
    Vocable("clamp", 3, lambda x, low, high: np.minimum(np.maximum(x, low), high)),
    Vocable("u8", 1, lambda x: (np.asarray(x) & 255).astype(np.uint8)),  # the low 8 bits
    Vocable("within", 2, lambda x, limit: (np.asarray(x) >= 0) & (np.asarray(x) < limit)),
    Vocable("and", 2, np.logical_and, commutes=True),
    Vocable("select", 3, np.where),
)
