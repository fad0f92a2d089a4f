"""Operators over rows: each column of a matrix [L, R] (axes W and C) by itself, in binary32.

Sums are taken in parts: of ``run_of(L)`` consecutive elements each, then of these, both in order. So the result does not
depend on how the work is cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenon.acg.ops import OPS, fma32
from tenon.compiler.evaluate import evaluates
from tenon.compiler.ir import Kernel, Tensor

__all__ = ["LONGEST", "PLANES", "REFINEMENTS", "Normalise", "Rows", "Softmax", "run_of"]

_F32 = np.float32
_PARTS = 64  # parts of a sum at most, while runs are that few
_SHORTEST = 8

#: Elements of a column at most: sums of their differences from a zero-point stay exact in binary32.
LONGEST = (1 << 24) // 511

#: Steps of Newton's method from the first guess to a result that is right to about the last bit.
REFINEMENTS = 3

#: Bytes of an exponential, which is an integer: one in each table.
PLANES = 3


def run_of(length: int) -> int:
    """Elements that are summed before their sum is: a power of two."""
    run = _SHORTEST
    while run * _PARTS < length:
        run *= 2
    return run


@dataclass(frozen=True)
class Rows(Kernel):
    """What both have; ``x`` and ``y`` are (1, 1, L, R)."""

    x: str
    y: str

    inputs = property(lambda self: (self.x,))

    def verify(self, tensors: Mapping[str, Tensor]) -> None:
        x, y = tensors[self.x].shape, tensors[self.y].shape
        if x != y or x[:2] != (1, 1) or x[2] > LONGEST:
            raise ValueError(f"{self.name}: operand and result must be (1, 1, L, R) with L of at most {LONGEST}, not {x} and {y}")


@dataclass(frozen=True)
class Softmax(Rows):
    """``y = clamp(rne(e * (factor / sum e)) + zy, lo, hi)``, ``e = exponential[255 + x - max x]``, an integer of 24 bits.

    ``exponential``: uint32 [256].
    """

    exponential: np.ndarray
    factor: float
    zy: int
    lo: int
    hi: int

    @property
    def planes(self) -> np.ndarray:
        """The exponential's bytes, lowest first: uint8 [3, 256]."""
        return (self.exponential[None] >> (8 * np.arange(PLANES, dtype=np.uint32))[:, None]).astype(np.uint8)


@dataclass(frozen=True)
class Normalise(Rows):
    """``y = clamp(rne((x - mean x) / sqrt(variance x + epsilon) * gamma + beta) + zy, lo, hi)`` with ``x`` in steps.

    ``gamma``, ``beta``: binary32 [L], in steps of the result.
    """

    zx: int
    epsilon: float
    gamma: np.ndarray
    beta: np.ndarray
    zy: int
    lo: int
    hi: int


def _sum(terms: np.ndarray) -> np.ndarray:
    """Along the first axis, in order."""
    total = terms[0]
    for term in terms[1:]:
        total = OPS["add"].meaning(total, term)
    return total


def _in_runs(terms: np.ndarray, run: int) -> np.ndarray:
    return _sum(np.stack([_sum(terms[i:i + run]) for i in range(0, len(terms), run)]))


def _byte(v: np.ndarray, kernel: Softmax | Normalise) -> np.ndarray:
    return np.clip(OPS["rne"].meaning(v).astype(np.int64) + kernel.zy, kernel.lo, kernel.hi)


@evaluates(Softmax)
def _softmax(kernel: Softmax, operands: Sequence[np.ndarray], y: Tensor) -> np.ndarray:
    times = OPS["mul"].meaning
    x = operands[0][0, 0].astype(np.int64)
    index = 255 + x - x.max(0)
    weights = _F32(256) ** np.arange(PLANES, dtype=_F32)
    planes = kernel.planes[:, index].astype(_F32)
    terms = np.stack([times(p, w) for p, w in zip(planes, weights)], 1).reshape(-1, x.shape[1])  # bytes innermost
    total = _in_runs(terms, PLANES * run_of(len(x)))
    r = OPS["guess_reciprocal"].meaning(total)
    for _ in range(REFINEMENTS):
        r = times(r, fma32(times(r, total), _F32(-1), _F32(2)))
    shares = [times(times(r, w), _F32(kernel.factor)) for w in weights]
    return _byte(_sum(np.stack([times(p, s) for p, s in zip(planes, shares)])), kernel)


@evaluates(Normalise)
def _normalise(kernel: Normalise, operands: Sequence[np.ndarray], y: Tensor) -> np.ndarray:
    times, plus = OPS["mul"].meaning, OPS["add"].meaning
    x = (operands[0][0, 0].astype(np.int32) - kernel.zx).astype(_F32)
    run, over = run_of(len(x)), _F32(1) / _F32(len(x))
    centred = plus(times(_in_runs(x, run), -over), x)
    variance = fma32(_in_runs(times(centred, centred), run), over, _F32(kernel.epsilon))
    r = OPS["guess_root"].meaning(variance)
    for _ in range(REFINEMENTS):
        r = times(r, fma32(times(times(r, r), variance), _F32(-0.5), _F32(1.5)))
    scaled = times(times(centred, r), kernel.gamma[:, None])
    return _byte(plus(scaled, np.broadcast_to(kernel.beta[:, None], scaled.shape)), kernel)
