"""Operands that are hard for binary32 arithmetic: corners, ties, cancellation, the edges of the range."""

from __future__ import annotations

import numpy as np

__all__ = ["CORNERS", "as_bits", "as_float", "compose", "fractions", "numbers_to_round", "pairs", "triples"]

_MAGNITUDES = [
    0x00000000, 0x00000001, 0x007FFFFF, 0x00800000, 0x00800001, 0x00FFFFFF, 0x01000000,  # zero to 2**-125
    0x0C000000, 0x1F800000, 0x20000000, 0x1FFFFFFF, 0x2000AAAA,                          # squares near 2**-126
    0x33800000, 0x34000000, 0x3F000000, 0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x3FC00000, 0x3FFFFFFF, 0x40000000,
    0x4B000000, 0x4B7FFFFF, 0x4B800000, 0x5F7FFFFF, 0x5F800000, 0x7F000000, 0x7F7FFFFF,  # to the largest
    0x7F800000, 0x7F800001, 0x7FC00000, 0x7FFFFFFF,                                      # infinity, NaNs
]
CORNERS = np.array([sign | x for x in _MAGNITUDES for sign in (0, 1 << 31)], np.uint32)


def as_float(bits: np.ndarray) -> np.ndarray:
    return bits.astype(np.uint32).view(np.float32)


def as_bits(values) -> np.ndarray:
    return np.asarray(values, np.float32).view(np.uint32)


def compose(sign, exponent, fraction) -> np.ndarray:
    return (np.asarray(sign, np.uint32) << 31 | np.clip(exponent, 0, 255).astype(np.uint32) << 23
            | np.asarray(fraction, np.uint32) & 0x7FFFFF)


def fractions(rng: np.random.Generator, n: int) -> np.ndarray:
    """Random, with few ones at the top, nearly all ones, or with few ones anywhere: sums and products that tie."""
    kind = rng.integers(0, 4, n)
    bits = rng.integers(0, 1 << 23, n)
    top = bits >> rng.integers(0, 23, n) << rng.integers(8, 23, n)
    few = (1 << rng.integers(0, 23, n)) | (1 << rng.integers(0, 23, n))
    return np.choose(kind, [bits, top, ~(1 << rng.integers(0, 23, n)), few]) & 0x7FFFFF


def triples(rng: np.random.Generator, n: int) -> np.ndarray:
    """Operands of the fma: an equal share of each kind of difficulty."""
    part = n // 5
    signs = rng.integers(0, 2, (3, n))
    raw = rng.integers(0, 1 << 32, (3, part), dtype=np.uint64).astype(np.uint32)
    parts = [raw]
    for number in range(1, 5):
        s = signs[:, :part]
        signs = signs[:, part:]
        ea, eb = rng.integers(1, 255, (2, part))
        if number == 3:  # products at the edge of underflow, or of overflow
            eb = np.where(rng.integers(0, 4, part) > 0, 127 - ea + rng.integers(-26, 4, part),
                          381 - ea + rng.integers(-4, 3, part))
        else:
            eb = np.clip(127 - ea + rng.integers(30, 225, part), 1, 254)
        a, b = compose(s[0], ea, fractions(rng, part)), compose(s[1], eb, fractions(rng, part))
        with np.errstate(all="ignore"):
            product = as_float(a) * as_float(b)
        if number in (1, 3):  # the addend's bits overlap the product's, or nearly
            c = compose(s[2], ea + eb - 127 + rng.integers(-52, 54, part), fractions(rng, part))
        elif number == 2:     # the sum cancels but for a few last places
            c = (as_bits(-product) + rng.integers(-3, 4, part)).astype(np.uint32)
        else:                 # the addend is a tie, or a sticky bit, to the product: sparse significands
            c = compose(s[2], ea + eb - 127 + rng.choice([-49, -48, -25, -24, -23, 23, 24, 25, 26, 27, 48, 51], part),
                        np.where(rng.integers(0, 2, part), 0, 1 << rng.integers(0, 23, part)))
        parts.append(np.stack([a, b, c]))
    return np.concatenate(parts, axis=1)


def pairs(rng: np.random.Generator, n: int) -> np.ndarray:
    """Operands of adder, multiplier and comparison, likewise."""
    part = n // 4
    raw = rng.integers(0, 1 << 32, (2, part), dtype=np.uint64).astype(np.uint32)
    s, e = rng.integers(0, 2, (2, 3 * part)), rng.integers(1, 255, 3 * part)
    a = compose(s[0], e, fractions(rng, 3 * part))
    b = compose(s[1], np.concatenate([
        e[:part] + rng.integers(-28, 29, part),                       # alignments of the adder
        127 - e[part:2 * part] + rng.integers(-25, 3, part),          # products near 2**-126
        e[2 * part:]]), fractions(rng, 3 * part))
    near = slice(2 * part, None)
    b[near] = (a[near] ^ 0x80000000) + rng.integers(-3, 4, part)      # cancellation
    return np.concatenate([raw, np.stack([a, b])], axis=1)


def numbers_to_round(rng: np.random.Generator, n: int) -> np.ndarray:
    """binary32 values around the integers and halves of the byte range, across all exponents, and corners."""
    halves = rng.integers(-2100, 2101, n // 2) / 2
    beside = as_bits(halves) + rng.integers(-2, 3, n // 2)
    wide = compose(rng.integers(0, 2, n // 4), rng.integers(115, 165, n // 4), fractions(rng, n // 4))
    raw = rng.integers(0, 1 << 32, n // 4, dtype=np.uint64)
    return np.concatenate([CORNERS, beside.astype(np.uint32), wide, raw.astype(np.uint32)])
