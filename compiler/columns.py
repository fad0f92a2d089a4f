"""Products that take their second operand by columns: a transposition before them need not be carried out.

Attention's scores are Q K^T: rows of K are what the array holds as columns, if the covenant has an instruction for it.
"""

from __future__ import annotations

from dataclasses import replace

from tenon.compiler.ir import Graph, Kernel, Tensor
from tenon.compiler.move import Move, Piece, Step, Vector
from tenon.compiler.product import Product

__all__ = ["by_columns"]


def by_columns(graph: Graph) -> Graph:
    """The graph with such products. What moved elements from rows to columns keeps rows together instead; if that leaves
    every element where it was, it is no work at all, and its nodes are the first product's."""
    readers: dict[str, list[Kernel]] = {}
    for kernel in graph.kernels:
        for name in kernel.inputs:
            readers.setdefault(name, []).append(kernel)
    tensors, kernels = dict(graph.tensors), []
    operand: dict[str, str] = {}  # by the transposed tensor, what products read instead
    nodes: dict[str, tuple[str, ...]] = {}
    for kernel in graph.kernels:
        mine = readers.get(kernel.y, [])
        if isinstance(kernel, Product) and kernel.w in operand:
            kernel = replace(kernel, w=operand[kernel.w], columns=True, nodes=(*nodes.pop(kernel.w, ()), *kernel.nodes))
        elif (isinstance(kernel, Move) and kernel.y not in graph.outputs and all(map(_turns, kernel.pieces))
              and mine and all(isinstance(k, Product) and k.w == kernel.y != k.x for k in mine)):
            if _transposes(graph, kernel):
                operand[kernel.y], nodes[kernel.y] = kernel.xs[0], kernel.nodes
                continue
            straight = replace(kernel, y=f"{kernel.y}.rows", pieces=tuple(_turned(p) for p in kernel.pieces))
            y = graph.tensors[kernel.y]
            operand[kernel.y] = straight.y
            tensors[straight.y] = Tensor(straight.y, _exchanged(y.shape), y.dtype, y.scale, y.zero_point)
            kernel = straight
        kernels.append(kernel)
    return replace(graph, tensors=tensors, kernels=tuple(kernels))


def _transposes(graph: Graph, kernel: Kernel) -> bool:
    """Whether it exchanges the rows and columns of a tensor, and nothing else."""
    if not isinstance(kernel, Move) or len(kernel.xs) != 1 or kernel.fill is not None:
        return False
    same = graph.tensors[kernel.xs[0]].shape == _exchanged(graph.tensors[kernel.y].shape)
    return same and all(p.x0 == _exchanged(p.y0) and all(s.x == _exchanged(s.y) for s in p.steps) for p in kernel.pieces)


def _turns(piece: Piece) -> bool:
    """Whether elements that lie side by side become those of a column."""
    return any(s.x == (0, 0, 0, 1) and s.y == (0, 0, 1, 0) for s in piece.steps)


def _turned(piece: Piece) -> Piece:
    """The same with rows and columns of the result exchanged."""
    return replace(piece, y0=_exchanged(piece.y0), steps=tuple(Step(s.extent, s.x, _exchanged(s.y)) for s in piece.steps))


def _exchanged(v: Vector) -> Vector:
    return v[0], v[1], v[3], v[2]

