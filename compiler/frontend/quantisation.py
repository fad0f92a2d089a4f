"""Scales and zero-points, and how real numbers become bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Quantisation", "bias_of", "clamp_of", "output_scale", "table_of"]

_F32 = np.float32


@dataclass(frozen=True)
class Quantisation:
    """Per-tensor parameters of 8-bit elements."""

    scale: np.float32
    zero_point: int
    dtype: str

    @property
    def bounds(self) -> tuple[int, int]:
        return (-128, 127) if self.dtype == "int8" else (0, 255)

    @property
    def elements(self) -> np.ndarray:
        """All 256 elements, in the order of their bits read as an unsigned byte."""
        return np.arange(256, dtype=np.uint8).view(self.dtype)

    def quantise(self, x: np.ndarray) -> np.ndarray:
        """``sat(rne(fl(x / scale)) + zero_point)``; the smallest element for what is not a number."""
        low, high = self.bounds
        with np.errstate(all="ignore"):
            steps = np.rint(np.asarray(x, _F32) / self.scale).astype(np.float64)
        return np.clip(np.nan_to_num(steps + self.zero_point, nan=low, posinf=high, neginf=low), low, high).astype(self.dtype)

    def dequantise(self, q: np.ndarray) -> np.ndarray:
        """``fl(scale * (q - zero_point))``."""
        return (self.scale * (q.astype(np.int32) - self.zero_point).astype(_F32)).astype(_F32)


def table_of(function, x: Quantisation, y: Quantisation) -> np.ndarray:
    """256 bytes: what ``function`` between dequantising as ``x`` and quantising as ``y`` makes of each byte."""
    return y.quantise(function(x.dequantise(x.elements))).view(np.uint8)


def output_scale(sx, sw: np.ndarray, sy, alpha: float = 1.0) -> np.ndarray:
    """``fl(fl(alpha sx * sw) / sy)``: binary32, evaluated from left to right; per channel if ``sw`` is."""
    return (_F32(_F32(alpha) * _F32(sx)) * np.atleast_1d(sw).astype(_F32)).astype(_F32) / _F32(sy)


def bias_of(values: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """A float bias in units of the accumulator: ``rne(b / unit)``."""
    with np.errstate(all="ignore"):
        steps = np.rint(values.astype(_F32) / unit).astype(np.float64)
    return np.clip(np.nan_to_num(steps), -(2**31), 2**31 - 1).astype(np.int64).astype(np.int32)


def clamp_of(clip: tuple[float, float] | None, y: Quantisation) -> tuple[int, int, bool]:
    """Bounds in elements of ``y`` for bounds in real numbers, and whether the range of ``y`` implies them.

    If it does, the reference drops the activation, and computes what comes before it in integers; the margin is its own.
    """
    if clip is None:
        return *y.bounds, True
    low, high = (int(y.quantise(_F32(v))) for v in clip)
    margin = float(np.finfo(_F32).eps)
    least, most = (float(y.scale) * (v - y.zero_point) for v in y.bounds)
    return low, high, clip[0] - least <= margin and most - clip[1] <= margin
