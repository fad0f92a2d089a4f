"""Kernels of two tensors of one shape, element by element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from compiler.binary32 import fma
from compiler.evaluate import evaluates
from compiler.ir import Kernel, Tensor

__all__ = ["Largest", "Multiply"]


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


@evaluates(Multiply)
def _multiply(kernel: Multiply, operands: Sequence[np.ndarray], y: Tensor) -> np.ndarray:
    a, b = (v.astype(np.int32) - z for v, z in zip(operands, (kernel.za, kernel.zb)))
    return np.clip(np.rint(fma(a * b, kernel.scale, kernel.zy)).astype(np.float64), kernel.lo, kernel.hi)


@evaluates(Largest)
def _largest(kernel: Largest, operands: Sequence[np.ndarray], y: Tensor) -> np.ndarray:
    return np.maximum(*operands)
