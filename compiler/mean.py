"""Averages: the reference divides, the accelerator multiplies by reciprocals; whether both always round alike."""

from __future__ import annotations

from itertools import product

import numpy as np

from tenon.compiler.binary32 import fma
from tenon.compiler.ir import Pool, Tensor

__all__ = ["mean_by_division", "mean_by_reciprocals", "mean_is_exact"]

_F32 = np.float32
_ULP = 2.0**-24  # relative error of one rounding


def mean_by_division(total, count: int, pool: Pool) -> np.ndarray:
    """Elements of the result for binary32 sums of a window, as the reference computes them."""
    v = np.asarray(total, _F32) / _F32(count) / _F32(pool.sy) + _F32(pool.zy)
    return np.clip(np.rint(v), pool.lo, pool.hi).astype(np.int64)


def mean_by_reciprocals(total, count: int, pool: Pool) -> np.ndarray:
    """The same as the accelerator computes them."""
    v = np.asarray(total, _F32) * (_F32(1) / _F32(count))
    return np.clip(np.rint(fma(v, _F32(1) / _F32(pool.sy), _F32(pool.zy))), pool.lo, pool.hi).astype(np.int64)


def mean_is_exact(pool: Pool, x: Tensor) -> bool:
    """Whether both ways agree for every possible input: a proof, so False may also mean that it does not succeed.

    Both results grow with the sum, in steps. Sums between the places of one step in both ways would differ; a sum is
    the scale times an integer, but for the rounding of its terms and of the additions.
    """
    return all(_agree(pool, x, terms, count) for terms, count in _windows(pool, x))


def _windows(pool: Pool, x: Tensor) -> set[tuple[int, int]]:
    """(elements inside the tensor, divisor) of all windows."""
    inside: list[set[int]] = []
    for axis in range(2):
        size, k, stride = x.shape[1 + axis], pool.kernel[axis], pool.strides[axis]
        padded = size + pool.pads[axis] + pool.pads[axis + 2]
        starts = [i * stride - pool.pads[axis] for i in range((padded - k) // stride + 1)]
        inside.append({min(s + k, size) - max(s, 0) for s in starts})
    whole = pool.kernel[0] * pool.kernel[1]
    return {(h * w, whole if pool.count_include_pad else h * w) for h, w in product(*inside) if h > 0 and w > 0}


def _agree(pool: Pool, x: Tensor, terms: int, count: int) -> bool:
    low, high = (float(v - pool.zx) for v in x.bounds)
    sx = float(_F32(pool.sx))
    largest = max(-low, high)
    # Without rounding if every partial sum is a product of the scale's few bits and an integer.
    mantissa = int(np.frexp(sx)[0] * 2**24)
    bits = 24 - (mantissa & -mantissa).bit_length() + 1
    exact = bits + int(terms * largest).bit_length() <= 24
    # Each term is rounded once, and so is each partial sum: of 2 terms, of 3, ..., of all.
    slack = 0.0 if exact else (terms * (terms + 3) / 2 - 1) * largest * sx * _ULP * 1.01
    reach = max(terms * largest * sx * 1.01, float(np.finfo(_F32).tiny))
    steps = np.arange(pool.lo + 1, pool.hi + 1)
    one, other = (_first(way, steps, count, pool, reach) for way in (mean_by_division, mean_by_reciprocals))
    first, last = np.minimum(one, other), np.maximum(one, other)
    # A reachable multiple of the scale near [first, last) would tell both ways apart.
    lowest = np.maximum(np.ceil((first - slack) / sx), terms * low)
    highest = np.minimum(np.floor((last + slack) / sx), terms * high)
    return not ((first < last) & (lowest <= highest)).any()


def _first(way, steps: np.ndarray, count: int, pool: Pool, reach: float) -> np.ndarray:
    """The smallest binary32 sum in -reach..reach whose result is at least each of ``steps``; as binary64."""
    low = np.full(steps.shape, -_ordinal(_F32(reach)), np.int64)
    high = -low + 1  # one too far: never reached
    while (low < high).any():
        middle = (low + high) // 2
        enough = way(_from_ordinal(middle), count, pool) >= steps
        high = np.where(enough, middle, high)
        low = np.where(enough, low, np.minimum(middle + 1, high))
    return _from_ordinal(high).astype(np.float64)


def _ordinal(v: np.float32) -> int:
    """Position of a positive number among all binary32 numbers in order of size."""
    return int(np.asarray(v, _F32).view(np.int32))


def _from_ordinal(n: np.ndarray) -> np.ndarray:
    size = np.abs(n).astype(np.int32).view(_F32)
    return np.where(n < 0, -size, size)
