"""Copies of copies: one that only permutes a tensor is left out where another copy reads its result."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tenon.compiler.ir import Graph
from tenon.compiler.move import Move, Piece, Step, Vector

__all__ = ["unchained"]


def unchained(graph: Graph) -> Graph:
    """The graph in which copies read the source of a permutation instead of its result, where nothing else reads that."""
    reads = Counter(name for kernel in graph.kernels for name in kernel.inputs)
    maker = {kernel.y: kernel for kernel in graph.kernels}
    kernels, left_out = [], set()
    for kernel in graph.kernels:
        for place, name in enumerate(kernel.xs if isinstance(kernel, Move) else ()):
            first = maker.get(name)
            moved = _permutation(first) if isinstance(first, Move) and reads[name] == 1 and name not in graph.outputs else None
            if moved is not None:
                xs = (*kernel.xs[:place], first.xs[0], *kernel.xs[place + 1:])
                pieces = tuple(_through(p, moved) if p.source == place else p for p in kernel.pieces)
                kernel = replace(kernel, xs=xs, pieces=pieces, nodes=(*first.nodes, *kernel.nodes))
                left_out.add(first.name)
        maker[kernel.y] = kernel
        kernels.append(kernel)
    return replace(graph, kernels=tuple(k for k in kernels if k.name not in left_out))


def _permutation(move: Move) -> tuple[Vector, list[Vector]] | None:
    """Where the first element of the result comes from, and what a step along each of its axes is in the source."""
    if len(move.pieces) != 1 or move.fill is not None:
        return None
    (piece,) = move.pieces
    along: list[Vector] = [(0, 0, 0, 0)] * 4
    for step in piece.steps:
        axis = step.y.index(1) if sorted(step.y) == [0, 0, 0, 1] else None
        if axis is None or any(along[axis]):
            return None
        along[axis] = step.x
    return (piece.x0, along) if piece.y0 == (0, 0, 0, 0) else None


def _through(piece: Piece, moved: tuple[Vector, list[Vector]]) -> Piece:
    """``piece`` out of what the permutation reads."""
    start, along = moved

    def source(v: Vector, origin: Vector) -> Vector:
        return tuple(origin[d] + sum(v[axis] * along[axis][d] for axis in range(4)) for d in range(4))

    return replace(piece, x0=source(piece.x0, start), steps=tuple(Step(s.extent, source(s.x, (0, 0, 0, 0)), s.y) for s in piece.steps))
