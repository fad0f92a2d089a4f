"""Means over images larger than a buffer: products with a row of ones, which are cut along what they sum over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tenon.compiler.ir import Graph, Kernel, Pool, Tensor
from tenon.compiler.machine import Machine
from tenon.compiler.move import Move, Piece, Step
from tenon.compiler.product import Product

__all__ = ["cut_means"]

_ORIGIN = (0, 0, 0, 0)


def cut_means(machine: Machine, graph: Graph) -> Graph:
    """The graph with each GlobalAveragePool whose image no buffer holds, a block of channels wide, as a copy of the image to a
    matrix [pixels, channels] and the product of a row of ones with it: the same integers, scaled by the same binary32 number."""
    room = machine.size(machine.memory("x"))
    tensors, constants = dict(graph.tensors), dict(graph.constants)
    kernels: list[Kernel] = []
    for kernel in graph.kernels:
        if not isinstance(kernel, Pool) or kernel.kind != "global":
            kernels.append(kernel)
            continue
        n, h, w, c = tensors[kernel.x].shape
        if h * w * machine.graph.block <= room:
            kernels.append(kernel)
            continue
        x = tensors[kernel.x]
        pixels, ones = (next(f"{kernel.name}.{what}{i or ''}" for i in range(len(tensors) + 1) if f"{kernel.name}.{what}{i or ''}"
                             not in tensors) for what in ("pixels", "ones"))
        tensors[pixels] = Tensor(pixels, (n, 1, h * w, c), x.dtype, x.scale, x.zero_point)
        tensors[ones] = Tensor(ones, (1, 1, 1, h * w), x.dtype, 1.0, 0)
        constants[ones] = np.ones((1, 1, 1, h * w), x.dtype)
        loops = ((n, (1, 0, 0, 0), (1, 0, 0, 0)), (h, (0, 1, 0, 0), (0, 0, w, 0)), (w, (0, 0, 1, 0), (0, 0, 1, 0)),
                 (c, (0, 0, 0, 1), (0, 0, 0, 1)))
        steps = tuple(Step(*loop) for loop in loops if loop[0] > 1)
        scale = np.float32(kernel.sx) / (np.float32(kernel.sy) * np.float32(h * w))
        lo, hi = tensors[kernel.y].bounds
        kernels.append(Move(f"{kernel.name}.pixels", (), "Copy", True, (kernel.x,), pixels, (Piece(0, _ORIGIN, _ORIGIN, steps),)))
        kernels.append(Product(kernel.name, kernel.nodes, kernel.op, kernel.exact, ones, pixels, kernel.y, float(scale), 0, kernel.zx,
                               kernel.zy, max(lo, kernel.lo), min(hi, kernel.hi)))
    return replace(graph, tensors=tensors, kernels=tuple(kernels), constants=constants)
