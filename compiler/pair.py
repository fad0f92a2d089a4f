"""Kernels of two tensors of one shape, element by element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenon.compiler.binary32 import fma
from tenon.compiler.evaluate import evaluates
from tenon.compiler.ir import Kernel, Tensor

__all__ = ["Largest", "Multiply", "rounds_once"]


@dataclass(frozen=True)
class _Pair(Kernel):
    a: str
    b: str
    y: str

    inputs = property(lambda self: (self.a, self.b))

    def verify(self, tensors: Mapping[str, Tensor]) -> None:
        if len({tensors[name].shape for name in (self.a, self.b, self.y)}) > 1:
            raise ValueError(f"{self.name}: operands and result must have one shape")


@dataclass(frozen=True)
class Multiply(_Pair):
    """``y = clamp(rne(fma((a - za) * (b - zb), scale, zy)), lo, hi)``."""

    scale: float
    za: int
    zb: int
    zy: int
    lo: int
    hi: int


@dataclass(frozen=True)
class Largest(_Pair):
    """``y = max(a, b)`` of elements that share their parameters."""

    lo: int
    hi: int

    keeps_steps = True


def rounds_once(qa: tuple[int, int, int], qb: tuple[int, int, int], scale: float, zy: int) -> bool:
    """Whether products of all elements come out alike if scale and zero-point are applied by one fused multiply-add, as here,
    or by a product and a sum, as in the reference. ``qa``, ``qb``: least and greatest element, zero-point."""
    a, b = (np.arange(low, high + 1, dtype=np.int64) - zero for low, high, zero in (qa, qb))
    products = np.unique(np.multiply.outer(a, b)).astype(np.float32)
    once = np.rint(fma(products, np.float32(scale), np.float32(zy)))
    return bool((once == np.rint(products * np.float32(scale) + np.float32(zy))).all())


@evaluates(Multiply)
def _multiply(kernel: Multiply, operands: Sequence[np.ndarray], y: Tensor) -> np.ndarray:
    a, b = (v.astype(np.int32) - z for v, z in zip(operands, (kernel.za, kernel.zb)))
    return np.clip(np.rint(fma(a * b, kernel.scale, kernel.zy)).astype(np.float64), kernel.lo, kernel.hi)


@evaluates(Largest)
def _largest(kernel: Largest, operands: Sequence[np.ndarray], y: Tensor) -> np.ndarray:
    return np.maximum(*operands)
