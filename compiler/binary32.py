"""Binary32 arithmetic that numpy lacks."""

from __future__ import annotations

import numpy as np

__all__ = ["fma"]


def fma(x, p, q) -> np.ndarray:
    """``x * p + q`` of arrays of binary32 values, rounded once to binary32.

    The product is exact in binary64. The sum may not be: it is rounded to odd there, so that rounding it again to
    binary32 gives what one rounding would have given (Boldo and Melquiond, "Emulation of a FMA and correctly rounded
    sums: proved algorithms using rounding to odd", 2008).
    """
    x, p, q = (np.asarray(v, np.float32).astype(np.float64) for v in (x, p, q))
    product = x * p
    total = np.asarray(product + q)
    part = total - product
    error = (product - (total - part)) + (q - part)
    odd = np.nextafter(total, np.where(error > 0, np.inf, -np.inf))
    return np.where((error != 0) & (total.view(np.int64) & 1 == 0), odd, total).astype(np.float32)
