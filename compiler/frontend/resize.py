"""Coordinates of ONNX's Resize in mode nearest, in binary32 as the reference computes them."""

from __future__ import annotations

import numpy as np

__all__ = ["source_indices"]

_F32 = np.float32


def source_indices(size: int, wanted: int, scale: np.float32, mode: str, rounding: str) -> list[int] | None:
    """Which of ``size`` elements each of ``wanted`` takes (ONNX, operator Resize); None for a mode that is not known."""
    out = np.arange(wanted, dtype=_F32)
    half = _F32(0.5)
    if mode == "asymmetric":
        real = out / scale
    elif mode == "half_pixel" or mode == "pytorch_half_pixel" and wanted > 1:
        real = (out + half) / scale - half
    elif mode == "pytorch_half_pixel":
        real = np.zeros(1, _F32)
    elif mode == "half_pixel_symmetric":
        adjustment = _F32(wanted) / (scale * _F32(size))
        center = _F32(size) / _F32(2)
        offset = center * (_F32(1) - adjustment)
        real = (np.float64(offset) + (out.astype(np.float64) + 0.5) / np.float64(scale) - 0.5).astype(_F32)
    elif mode == "align_corners":
        real = np.zeros(1, _F32) if wanted == 1 else out * _F32(size - 1) / _F32(wanted - 1)
    else:
        return None
    if rounding == "floor":
        index = np.floor(real)
    elif rounding == "ceil":
        index = np.ceil(real)
    elif rounding in ("round_prefer_floor", "round_prefer_ceil"):
        tie = np.abs(real - np.floor(real) - half) <= _F32(1e-6)  # as far as the reference can tell
        index = np.where(tie, np.floor(real) if rounding == "round_prefer_floor" else np.ceil(real), np.round(real))
    else:
        return None
    return [int(i) for i in np.clip(index, 0, size - 1)]
