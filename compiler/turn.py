"""Transpositions by the array: what lies side by side is to be a column, which a transfer could only move byte by byte.

The identity times a matrix that the array takes by columns is that matrix transposed. So a copy that turns rows into
columns is a product with a small identity for every block of the rows' elements, and moves whole words.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tenon.compiler.evaluate import evaluates
from tenon.compiler.home import Home
from tenon.compiler.ir import Conv, Graph, Kernel, Tensor, fresh_name
from tenon.compiler.layer import Layer
from tenon.compiler.layout import Layout
from tenon.compiler.machine import Machine
from tenon.compiler.move import ORIGIN, Move, Piece, Vector, copied, plus
from tenon.compiler.product import Matrices

__all__ = ["Turn", "turned"]

_IDENTITY = "identity"
_BYTE_CYCLES = 1.3  # of a transfer that writes single bytes; these three fit the cycle model of arrays of 4, 8 and 16
_MATRIX_CYCLES = 100  # of a product, and of each of its words
_WORD_CYCLES = 3


@dataclass(frozen=True)
class _Turning:
    """A piece that turns: ``rows`` of ``length`` elements become columns, once for each of ``starts`` (x, y)."""

    length: int  # along the channels of what is read
    rows: int  # and of what is written
    x_step: Vector  # from row to row
    y_step: Vector  # and from column to column
    starts: tuple[tuple[Vector, Vector], ...]


@dataclass(frozen=True)
class Turn(Matrices):
    """``y[j] = x[i]`` for the pairs of coordinates of every piece: a copy that turns rows into columns, each piece as the
    product of an identity with blocks of the rows, by columns."""

    copies = True
    columns = True

    one: str
    x: str
    y: str
    pieces: tuple[Piece, ...]
    turnings: tuple[_Turning, ...]

    inputs = property(lambda self: (self.one, self.x))

    def verify(self, tensors: Mapping[str, Tensor]) -> None:
        self.move.verify(tensors)

    @property
    def move(self) -> Move:
        """The same as a transfer would do it."""
        return Move(self.name, self.nodes, self.op, self.exact, (self.x,), self.y, self.pieces)

    def matrices(self, graph: Graph, layer: Layer, homes: Mapping[str, Home]) -> Iterator[tuple[Layer, dict[str, Home], Home]]:
        x, y, block = homes[self.x], homes[self.y], graph.tensors[self.one].shape[3]
        low, high = graph.tensors[self.y].bounds
        for t in self.turnings:
            stand_in = np.full((1, 1, block, t.rows), min(low, 0))  # shape and type alone
            conv = Conv(self.name, self.nodes, self.op, self.exact, self.one, self.y, stand_in, np.zeros(t.rows, np.int32),
                        np.ones(1, np.float32), 0, np.zeros(1, np.int64), 0, low, high)
            for (x0, y0), first in itertools.product(t.starts, range(0, t.length, block)):
                size = min(block, t.length - first)
                source = _view(x, plus(x0, (0, 0, 0, first)), t.x_step, t.rows, size)
                into = _view(y, tuple(a + first * b for a, b in zip(y0, t.y_step)), t.y_step, size, t.rows)
                yield replace(layer, main=conv), dict(homes) | {self.y: into}, source


@evaluates(Turn)
def _turn(kernel: Turn, operands: Sequence[np.ndarray], y: Tensor) -> np.ndarray:
    return copied(kernel.move, operands[1:], y)


def turned(machine: Machine, graph: Graph) -> Graph:
    """The graph with copies as products with the identity, where they turn rows into columns and that is quicker."""
    block = machine.block
    if not machine.takes_columns:
        return graph
    tensors, constants, kernels = dict(graph.tensors), dict(graph.constants), []
    for kernel in graph.kernels:
        turnings = _turnings(graph, kernel, block)
        if turnings and _quicker(turnings, block, machine.channel_lanes):
            dtype = tensors[kernel.y].dtype
            one = fresh_name(graph.tensors, f"{_IDENTITY}_{dtype}")
            tensors[one] = Tensor(one, (1, 1, block, block), dtype, 1.0, 0)
            constants[one] = np.eye(block, dtype=dtype).reshape(1, 1, block, block)
            kernel = Turn(kernel.name, kernel.nodes, kernel.op, kernel.exact, one, kernel.xs[0], kernel.y, kernel.pieces, turnings)
        kernels.append(kernel)
    return replace(graph, tensors=tensors, constants=constants, kernels=tuple(kernels))


def _quicker(turnings: Sequence[_Turning], block: int, lanes: int) -> bool:
    bytes_moved = sum(t.length * t.rows * len(t.starts) for t in turnings)
    products = sum(len(t.starts) * math.ceil(t.length / block) for t in turnings)
    words = sum(len(t.starts) * t.length * math.ceil(t.rows / lanes) for t in turnings)
    return products * _MATRIX_CYCLES + words * _WORD_CYCLES < bytes_moved * _BYTE_CYCLES


def _turnings(graph: Graph, kernel: Kernel, block: int) -> tuple[_Turning, ...]:
    """How each piece of a copy turns; none if one of them does not, or not in whole blocks."""
    if not isinstance(kernel, Move) or len(kernel.xs) != 1 or kernel.fill is not None:
        return ()
    found = [_turning(p, graph.tensors[kernel.xs[0]].shape, graph.tensors[kernel.y].shape, block) for p in kernel.pieces]
    return () if None in found else tuple(found)


def _turning(piece: Piece, x: Sequence[int], y: Sequence[int], block: int) -> _Turning | None:
    read = [s for s in piece.steps if s.x[:3] == (0, 0, 0) and s.x[3] > 0 and s.y[3] == 0]
    written = [s for s in piece.steps if s.y[:3] == (0, 0, 0) and s.y[3] > 0 and s.x[3] == 0]
    length, y_step, used = _chain([(s.extent, s.x[3], s.y) for s in read], y)
    rows, x_step, also = _chain([(s.extent, s.y[3], s.x) for s in written], x)
    if length == 1 or rows == 1:
        return None
    rest = [s for s in piece.steps if s not in [read[i] for i in used] and s not in [written[i] for i in also]]
    starts = []
    for digits in itertools.product(*(range(s.extent) for s in rest)):
        x0, y0 = piece.x0, piece.y0
        for digit, s in zip(digits, rest):
            x0, y0 = plus(x0, s.x, digit), plus(y0, s.y, digit)
        if x0[3] % block or y0[3] % block or rows % block and y0[3] + rows != y[3]:
            return None  # words of other elements would be written, or words begin elsewhere
        starts.append((x0, y0))
    return _Turning(length, rows, x_step, y_step, tuple(starts))


def _chain(loops: list[tuple[int, int, Vector]], shape: Sequence[int]) -> tuple[int, Vector, list[int]]:
    """Of loops (extent, step along channels on one side, step on the other) those that together count channels from one to
    the next, while the other side goes on evenly in its rows: how far, that side's step, and which loops."""
    size, first, used = 1, ORIGIN, []
    while True:
        place = next((i for i, (_, by, _) in enumerate(loops) if by == size), None)
        if place is None:
            return size, first, used
        extent, _, step = loops[place]
        if not used:
            first = step
        elif _rows(step, shape) != size * _rows(first, shape) or step[0] or first[0]:
            return size, first, used
        size, used = size * extent, [*used, place]


def _rows(step: Vector, shape: Sequence[int]) -> int:
    """A step in elements of a channel: images lie row after row."""
    return step[1] * shape[2] + step[2]


def _view(home: Home, start: Vector, step: Vector, count: int, channels: int) -> Home:
    """``count`` rows of ``channels`` elements of a tensor, from ``start`` on, ``step`` apart."""
    n, h, w, c = start
    strides = {a.dim: a.stride for a in home.layout.axes if a.dim != "c"}
    offset = home.offset + home.layout.offset(n=n, h=h, w=w, c=c)
    row = sum(by * strides[d] for d, by in zip("nhw", step))
    axes = []
    for a in home.layout.axes:
        if a.dim != "c":
            axes.append(replace(a, extent=count, stride=row) if a.dim == "w" else replace(a, extent=1))
        elif a.weight == 1:
            axes.append(replace(a, extent=min(a.extent, channels) if not home.block else a.extent))
        else:
            axes.append(replace(a, extent=math.ceil(channels / home.block)))
    return Home(home.segment, offset, Layout(tuple(axes), home.layout.bytes), (1, 1, count, channels), home.block)
