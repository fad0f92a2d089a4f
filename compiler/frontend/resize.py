"""Coordinates of ONNX's Resize, in binary32 as the reference computes them."""

from __future__ import annotations

import numpy as np

__all__ = ["positions", "source_indices"]

_F32 = np.float32
_HALF = _F32(0.5)


def positions(size: int, wanted: int, scale: np.float32, mode: str) -> np.ndarray | None:
    """Where among ``size`` elements each of ``wanted`` lies (ONNX, operator Resize); None for a mode that is not known."""
    out = np.arange(wanted, dtype=_F32)
    if mode == "asymmetric":
        return out / scale
    if mode == "half_pixel" or mode == "pytorch_half_pixel" and wanted > 1:
        return (out + _HALF) / scale - _HALF
    if mode == "pytorch_half_pixel":
        return np.zeros(1, _F32)
    if mode == "half_pixel_symmetric":
        adjustment = _F32(wanted) / (scale * _F32(size))
        center = _F32(size) / _F32(2)
        offset = center * (_F32(1) - adjustment)
        return (np.float64(offset) + (out.astype(np.float64) + 0.5) / np.float64(scale) - 0.5).astype(_F32)
    if mode == "align_corners":
        return np.zeros(1, _F32) if wanted == 1 else out * _F32(size - 1) / _F32(wanted - 1)
    return None


def source_indices(size: int, wanted: int, scale: np.float32, mode: str, rounding: str) -> list[int] | None:
    """Which of ``size`` elements each of ``wanted`` takes in mode nearest; None for coordinates or a rounding not known."""
    real = positions(size, wanted, scale, mode)
    if real is None:
        return None
    if rounding == "floor":
        index = np.floor(real)
    elif rounding == "ceil":
        index = np.ceil(real)
    elif rounding in ("round_prefer_floor", "round_prefer_ceil"):
        tie = np.abs(real - np.floor(real) - _HALF) <= _F32(1e-6)  # as far as the reference can tell
        index = np.where(tie, np.floor(real) if rounding == "round_prefer_floor" else np.ceil(real), np.round(real))
    else:
        return None
    return [int(i) for i in np.clip(index, 0, size - 1)]
