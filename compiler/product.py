"""Products of matrices in DRAM: as convolutions whose weights lie there as a tensor, one for every matrix."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tenon.compiler.evaluate import evaluates
from tenon.compiler.home import Home
from tenon.compiler.ir import Conv, Graph, Kernel, Tensor
from tenon.compiler.layer import Layer
from tenon.compiler.layout import Layout

__all__ = ["Matrices", "Product"]


@dataclass(frozen=True)
class Matrices(Kernel):
    """A kernel that is carried out as products of matrices. ``columns``: the second ones hold their columns as rows."""

    def matrices(self, graph: Graph, layer: Layer, homes: Mapping[str, Home]) -> Iterator[tuple[Layer, dict[str, Home], Home]]:
        """Each product as a layer of its own, a 1x1 convolution: where its tensors live, and where its weights. All are
        mapped like the first one."""
        raise NotImplementedError


@dataclass(frozen=True)
class Product(Matrices):
    """``y = clamp(rne(f32(sum_k (x[.., m, k] - zx) (w[.., k, c] - zw)) * scale) + zy, lo, hi)`` for the matrices of every
    n and h; those of an operand that has only one are used again. ``columns``: ``w`` holds its columns as rows, it is
    ``w[.., c, k]``.
    """

    x: str
    w: str
    y: str
    scale: float
    zx: int
    zw: int
    zy: int
    lo: int
    hi: int
    columns: bool = False

    inputs = property(lambda self: (self.x, self.w))

    def macs(self, tensors: Mapping[str, Tensor]) -> int:
        return int(np.prod(tensors[self.y].shape)) * tensors[self.x].shape[3]

    def verify(self, tensors: Mapping[str, Tensor]) -> None:
        x, w, y = (tensors[name].shape for name in (self.x, self.w, self.y))
        if self.columns:
            w = (*w[:2], w[3], w[2])
        batches = [tuple(b) for b in zip(x[:2], w[:2], y[:2])]
        if x[3] != w[2] or y[2:] != (x[2], w[3]) or any({a, b} - {1, c} or max(a, b) != c for a, b, c in batches):
            raise ValueError(f"{self.name}: {x} times {w} is not {y}")

    def matrices(self, graph: Graph, layer: Layer, homes: Mapping[str, Home]) -> Iterator[tuple[Layer, dict[str, Home], Home]]:
        x, w, y = (homes[name] for name in (self.x, self.w, self.y))
        shape = w.shape[:1:-1] if self.columns else w.shape[2:]
        weight = np.full((1, 1, *shape), np.iinfo(graph.tensors[self.w].dtype).min)  # stands for shape and type alone
        conv = Conv(self.name, self.nodes, self.op, self.exact, self.x, self.y, weight, np.zeros(shape[1], np.int32),
                    np.array([self.scale], np.float32), self.zx, np.array([self.zw]), self.zy, self.lo, self.hi)
        for n, h in itertools.product(range(y.shape[0]), range(y.shape[1])):
            yield replace(layer, main=conv), dict(homes) | {self.x: _matrix(x, n, h), self.y: _matrix(y, n, h)}, _matrix(w, n, h)


@evaluates(Product)
def _product(kernel: Product, operands: Sequence[np.ndarray], y: Tensor) -> np.ndarray:
    x, w = (v.astype(np.float64) - z for v, z in zip(operands, (kernel.zx, kernel.zw)))
    total = (x @ (w.swapaxes(2, 3) if kernel.columns else w)).astype(np.int64).astype(np.int32).astype(np.float32)
    return np.clip(np.rint(total * np.float32(kernel.scale)).astype(np.float64) + kernel.zy, kernel.lo, kernel.hi)


def _matrix(home: Home, n: int, h: int) -> Home:
    """Where the matrix of ``n`` and ``h`` lives."""
    steps = {a.dim: a.stride for a in home.layout.axes}
    n, h = min(n, home.shape[0] - 1), min(h, home.shape[1] - 1)
    axes = tuple(replace(a, extent=1) if a.dim in "nh" else a for a in home.layout.axes)
    return Home(home.segment, home.offset + n * steps["n"] + h * steps["h"], Layout(axes, home.layout.bytes),
                (1, 1, *home.shape[2:]), home.block)
