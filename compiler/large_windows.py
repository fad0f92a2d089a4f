"""Windows that no buffer holds, a block of channels wide: cut, so that the result is the same integers.

Means over images become products with a row of ones, maxima one pass along rows and one along columns, convolutions
products with matrices of all windows: a buffer takes pieces of each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tenon.compiler.ir import Conv, Graph, Kernel, Pool, Tensor, fresh_name, output_size
from tenon.compiler.machine import Machine
from tenon.compiler.move import ORIGIN, Move, Piece, Step
from tenon.compiler.product import Product

__all__ = ["cut_windows"]


def cut_windows(machine: Machine, graph: Graph) -> Graph:
    """The graph with every window that is larger than a buffer in pieces that are not, as far as it can be cut."""
    tensors, constants = dict(graph.tensors), dict(graph.constants)
    kernels: list[Kernel] = []
    for kernel in graph.kernels:
        cut = _CUTS.get(_kind(machine, tensors, kernel))
        kernels += cut(kernel, tensors, constants, machine.block) if cut else (kernel,)
    return replace(graph, tensors=tensors, kernels=tuple(kernels), constants=constants)


def _kind(machine: Machine, tensors: dict[str, Tensor], kernel: Kernel) -> str:
    """Of a window that is too large: how it is cut; nothing for all else."""
    block, room = machine.block, machine.size(machine.memory("x"))
    if isinstance(kernel, Conv) and kernel.group == 1:
        kh, kw, ci, _ = kernel.weight.shape
        reach = _reach(kernel, (kh, kw))
        inside = reach[0] * reach[1] * block <= room and kh * kw * block * block <= machine.size(machine.memory("w"))
        return "" if inside or kh * kw == 1 else "conv"
    if isinstance(kernel, Pool) and kernel.kind in ("global", "max"):
        window = tensors[kernel.x].shape[1:3] if kernel.kind == "global" else _reach(kernel, kernel.kernel)
        return "" if math.prod(window) * block <= room else kernel.kind
    return ""


def _reach(kernel: Conv | Pool, window: tuple[int, int]) -> tuple[int, int]:
    return tuple((k - 1) * d + 1 for k, d in zip(window, kernel.dilations))


def _mean(kernel: Pool, tensors: dict[str, Tensor], constants: dict[str, np.ndarray], block: int) -> Iterator[Kernel]:
    """A copy of the image to a matrix [pixels, channels], and the product of a row of ones with it, scaled alike."""
    x = tensors[kernel.x]
    n, h, w, c = x.shape
    pixels, ones = (fresh_name(tensors, f"{kernel.name}.{what}") for what in ("pixels", "ones"))
    tensors[pixels] = Tensor(pixels, (n, 1, h * w, c), x.dtype, x.scale, x.zero_point)
    tensors[ones] = Tensor(ones, (1, 1, 1, h * w), x.dtype, 1.0, 0)
    constants[ones] = np.ones((1, 1, 1, h * w), x.dtype)
    loops = ((n, (1, 0, 0, 0), (1, 0, 0, 0)), (h, (0, 1, 0, 0), (0, 0, w, 0)), (w, (0, 0, 1, 0), (0, 0, 1, 0)),
             (c, (0, 0, 0, 1), (0, 0, 0, 1)))
    scale = np.float32(kernel.sx) / (np.float32(kernel.sy) * np.float32(h * w))
    lo, hi = tensors[kernel.y].bounds
    yield Move(f"{kernel.name}.pixels", (), "Copy", True, (kernel.x,), pixels, (Piece(0, ORIGIN, ORIGIN, _steps(loops)),))
    yield Product(kernel.name, kernel.nodes, kernel.op, kernel.exact, ones, pixels, kernel.y, float(scale), 0, kernel.zx, kernel.zy,
                  max(lo, kernel.lo), min(hi, kernel.hi))


def _maximum(kernel: Pool, tensors: dict[str, Tensor], constants: dict[str, np.ndarray], block: int) -> Iterator[Kernel]:
    """Along rows, then along columns of that: the largest of the largest."""
    x = tensors[kernel.x]
    (kh, kw), (sh, sw), (dh, dw), (top, left, bottom, right) = kernel.kernel, kernel.strides, kernel.dilations, kernel.pads
    name = fresh_name(tensors, f"{kernel.name}.rows")
    across = replace(kernel, name=f"{kernel.name}.rows", nodes=(), y=name, kernel=(1, kw), strides=(1, sw), dilations=(1, dw),
                     pads=(0, left, 0, right))
    shape = (x.shape[0], *output_size(x.shape, across.kernel, across), x.shape[3])
    tensors[across.y] = Tensor(across.y, shape, x.dtype, x.scale, x.zero_point)
    yield across
    yield replace(kernel, x=across.y, kernel=(kh, 1), strides=(sh, 1), dilations=(dh, 1), pads=(top, 0, bottom, 0))


def _windows(kernel: Conv, tensors: dict[str, Tensor], constants: dict[str, np.ndarray], block: int) -> Iterator[Kernel]:
    """All windows side by side, each element of the kernel in whole blocks of channels, and a 1x1 convolution of them."""
    x, y = tensors[kernel.x], tensors[kernel.y]
    (kh, kw, ci, co), (sh, sw), (dh, dw), (top, left, _, _) = kernel.weight.shape, kernel.strides, kernel.dilations, kernel.pads
    each = math.ceil(ci / block) * block
    name = fresh_name(tensors, f"{kernel.name}.windows")
    tensors[name] = Tensor(name, (*y.shape[:3], kh * kw * each), x.dtype, x.scale, x.zero_point)
    weight = np.broadcast_to(kernel.zw.astype(kernel.weight.dtype), (1, 1, kh * kw * each, co)).copy()
    pieces = []
    for i in range(kh * kw):
        weight[0, 0, i * each:i * each + ci] = kernel.weight[i // kw, i % kw]
        rows, columns = (_inside(at * d - pad, stride, size, count) for at, d, pad, stride, size, count in (
            (i // kw, dh, top, sh, x.shape[1], y.shape[1]), (i % kw, dw, left, sw, x.shape[2], y.shape[2])))
        if rows[1] and columns[1]:
            loops = ((y.shape[0], (1, 0, 0, 0), (1, 0, 0, 0)), (rows[1], (0, sh, 0, 0), (0, 1, 0, 0)),
                     (columns[1], (0, 0, sw, 0), (0, 0, 1, 0)), (ci, (0, 0, 0, 1), (0, 0, 0, 1)))
            start = (0, i // kw * dh - top + rows[0] * sh, i % kw * dw - left + columns[0] * sw, 0)
            pieces.append(Piece(0, start, (0, rows[0], columns[0], i * each), _steps(loops)))
    yield Move(f"{kernel.name}.windows", (), "Windows", True, (kernel.x,), name, tuple(pieces), kernel.zx)
    yield replace(kernel, x=name, weight=weight, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), counted=kh * kw * ci)


def _inside(first: int, stride: int, size: int, count: int) -> tuple[int, int]:
    """Which of ``count`` windows, ``stride`` apart, have an element at ``first`` of theirs in ``size``: the first one, how many."""
    low = max(0, math.ceil(-first / stride))
    high = min(count, math.ceil((size - first) / stride))
    return low, max(0, high - low)


def _steps(loops) -> tuple[Step, ...]:
    return tuple(Step(*loop) for loop in loops if loop[0] > 1)


_CUTS = {"global": _mean, "max": _maximum, "conv": _windows}
