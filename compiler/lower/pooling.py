"""What pooling has of its own: codelets and attributes, what padding holds, and averages whose windows leave the tensor."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tenon.compiler.codelets import Codelet, average_pool, global_pool, max_pool
from tenon.compiler.ir import Graph, Kernel, Pool
from tenon.compiler.lower.tiles import binary32, element
from tenon.compiler.machine import Machine

__all__ = ["Window", "gathers", "parts", "pool_operator", "window_of"]


@dataclass(frozen=True)
class Window:
    """How an output coordinate maps to input coordinates, along rows and columns."""

    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[int, int] = (0, 0)  # before the first row and column

    def inside(self, axis: int, coordinate: int, size: int) -> int:
        """How many elements of an output's window lie inside the tensor along one axis."""
        first = coordinate * self.strides[axis] - self.pads[axis]
        return sum(0 <= first + i * self.dilations[axis] < size for i in range(self.kernel[axis]))


def window_of(kernel: Pool, shape: Sequence[int]) -> Window:
    """The window that slides over a tensor of ``shape`` (NHWC)."""
    if kernel.kind == "global":
        return Window(kernel=tuple(shape[1:3]))
    return Window(kernel.kernel, kernel.strides, kernel.dilations, kernel.pads[:2])


def gathers(machine: Machine, kernel: Pool, shape: Sequence[int]) -> bool:
    """Whether an instruction that slides windows can gather what the pooling takes: integers, that is no averages, which
    are sums in binary32."""
    window = window_of(kernel, shape)
    codelets = {"max": max_pool, "global": global_pool}
    return kernel.kind in codelets and machine.slides(codelets[kernel.kind]("u8", sliding=True), window.kernel, window.strides,
                                                      window.dilations)


def pool_operator(graph: Graph, kernel: Pool, shape: Sequence[int], sliding: bool) -> tuple[Codelet, dict[str, int | float]]:
    """The codelet, and those of its attributes that are the same for all tiles."""
    window, dtype = window_of(kernel, shape), element(graph.tensors[kernel.x].dtype)
    lo, hi = graph.tensors[kernel.y].bounds
    attributes: dict[str, int | float] = {
        "stride_h": window.strides[0], "stride_w": window.strides[1], "dilation_h": window.dilations[0],
        "dilation_w": window.dilations[1], "pad_top": 0, "pad_left": 0, "lo": lo, "hi": hi}
    if kernel.kind == "max":
        return max_pool(dtype, sliding=sliding), attributes
    attributes |= {"zx": kernel.zx, "lo": max(lo, kernel.lo), "hi": min(hi, kernel.hi)}
    if kernel.kind == "global":
        scale = np.float32(kernel.sx) / (np.float32(kernel.sy) * np.float32(shape[1] * shape[2]))
        return global_pool(dtype, sliding=sliding), attributes | {"scale": float(scale), "zy": kernel.zy}
    scales = {"sx": binary32(kernel.sx), "over_scale": float(np.float32(1) / np.float32(kernel.sy)), "zy": float(kernel.zy)}
    return average_pool(dtype), attributes | scales


def parts(kernel: Kernel, shape: Sequence[int], rows: tuple[int, int], columns: tuple[int, int]) -> Iterator[tuple]:
    """Parts of a box of outputs with equal attributes: rows, columns (first coordinate in the box, extent), and what differs.

    An average divides by how many elements its window has inside the tensor.
    """
    if not isinstance(kernel, Pool) or kernel.kind != "average":
        yield (0, rows[1]), (0, columns[1]), {}
        return
    window, counts = window_of(kernel, shape), []
    for axis, (first, extent) in enumerate((rows, columns)):
        inside = [window.inside(axis, first + i, shape[1 + axis]) for i in range(extent)]
        counts.append([window.kernel[axis]] * extent if kernel.count_include_pad else inside)
    for down, high in _runs(counts[0]):
        for across, wide in _runs(counts[1]):
            yield down, across, {"over_count": float(np.float32(1) / np.float32(high * wide))}


def _runs(values: Sequence[int]) -> list[tuple[tuple[int, int], int]]:
    """Stretches of equal values: (first, length), value."""
    runs, at = [], 0
    for value, group in itertools.groupby(values):
        length = len(list(group))
        runs.append(((at, length), value))
        at += length
    return runs
