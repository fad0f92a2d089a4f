"""Data movement: concatenation, slices, transposition, padding and the like are copies along affine loops."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenon.compiler.evaluate import evaluates
from tenon.compiler.ir import Kernel, Tensor

__all__ = ["ORIGIN", "UNITS", "Move", "Piece", "Step", "affine_runs", "copied", "plus"]

Vector = tuple[int, int, int, int]  # along n, h, w, c

ORIGIN: Vector = (0, 0, 0, 0)
UNITS: tuple[Vector, ...] = tuple(tuple(int(d == axis) for d in range(4)) for axis in range(4))


def plus(a: Vector, b: Vector, times: int = 1) -> Vector:
    """``a`` and ``times`` as far as ``b``."""
    return tuple(p + times * q for p, q in zip(a, b))


@dataclass(frozen=True)
class Step:
    """A loop of a copy: how often, and what an iteration adds to the coordinates that are read and written."""

    extent: int
    x: Vector
    y: Vector


@dataclass(frozen=True)
class Piece:
    """``y[y0 + sum of steps] = x[x0 + sum of steps]`` over all iterations of the loops; ``source`` counts the operands."""

    source: int
    x0: Vector
    y0: Vector
    steps: tuple[Step, ...]

    def coordinates(self, side: str) -> list[np.ndarray]:
        """Every coordinate that is read ("x") or written ("y"), NHWC; an axis of the arrays for each loop."""
        start = getattr(self, side + "0")
        shape = [s.extent for s in self.steps]
        axes = np.ix_(*(np.arange(e) for e in shape)) if shape else ()
        return [np.broadcast_to(start[d] + sum((getattr(s, side)[d] * a for s, a in zip(self.steps, axes)), np.int64(0)), shape)
                for d in range(4)]

    def corners(self, side: str) -> tuple[Vector, Vector]:
        """Least and greatest coordinates."""
        start = getattr(self, side + "0")
        reach = [[getattr(s, side)[d] * (s.extent - 1) for s in self.steps] for d in range(4)]
        return (tuple(start[d] + sum(min(0, r) for r in reach[d]) for d in range(4)),
                tuple(start[d] + sum(max(0, r) for r in reach[d]) for d in range(4)))


@dataclass(frozen=True)
class Move(Kernel):
    """``y[j] = x[i]`` for the pairs of coordinates of every piece; ``fill`` where no piece writes.

    Bytes are copied as they are. Pieces write distinct elements; without ``fill`` they write all. ``open``: readers make nothing
    of what no piece writes, so that it may be anything.
    """

    copies = True

    xs: tuple[str, ...]
    y: str
    pieces: tuple[Piece, ...]
    fill: int | None = None
    open: bool = False

    inputs = property(lambda self: self.xs)

    def verify(self, tensors: Mapping[str, Tensor]) -> None:
        written = 0
        for piece in self.pieces:
            for name, side in ((self.xs[piece.source], "x"), (self.y, "y")):
                low, high = piece.corners(side)
                if min(low) < 0 or any(h >= size for h, size in zip(high, tensors[name].shape)):
                    raise ValueError(f"{self.name}: a piece leaves {name}, {tensors[name].shape}")
            written += int(np.prod([s.extent for s in piece.steps]))
        size = int(np.prod(tensors[self.y].shape))
        if written > size or (self.fill is None and written < size):
            raise ValueError(f"{self.name}: {written} of {size} elements are written")
        types = {tensors[name].dtype for name in (*self.xs, self.y)}
        if len(types) != 1:
            raise ValueError(f"{self.name}: a copy must keep its type, not go through {sorted(types)}")


@evaluates(Move)
def copied(kernel: Move, operands: Sequence[np.ndarray], y: Tensor) -> np.ndarray:
    """What a copy makes of its operands."""
    result = np.full(y.shape, kernel.fill or 0, y.dtype)
    for piece in kernel.pieces:
        result[tuple(piece.coordinates("y"))] = operands[piece.source][tuple(piece.coordinates("x"))]
    return result


def affine_runs(index: Sequence[int]) -> list[tuple[int, list[tuple[int, int, int]]]]:
    """A list of source indices as affine loops: (first destination, [(extent, source step, destination step)]).

    Indices that repeat evenly (nearest upsampling) are two loops; others are cut into maximal runs.
    """
    runs, at = [], 0
    while at < len(index):
        repeat = next((k for k in itertools.count(1) if at + k >= len(index) or index[at + k] != index[at]), 1)
        values = index[at::repeat]
        length = 1
        step = values[1] - values[0] if len(values) > 1 else 0
        while (length < len(values) and values[length] - values[length - 1] == step
               and at + repeat * (length + 1) <= len(index)
               and all(v == values[length] for v in index[at + repeat * length:at + repeat * (length + 1)])):
            length += 1
        runs.append((at, [loop for loop in ((length, step, repeat), (repeat, 0, 1)) if loop[0] > 1]))
        at += repeat * length
    return runs
