"""How an operator over the columns of a matrix is cut: tiles of columns, chunks of rows, and where each lies on chip."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tenon.compiler.home import Home
from tenon.compiler.ir import Graph
from tenon.compiler.layer import Layer
from tenon.compiler.layout import Layout, dense
from tenon.compiler.lower.tiles import Box, cut, tile_layout
from tenon.compiler.machine import Machine
from tenon.compiler.placement import Demand, TooSmall, allocate
from tenon.compiler.placing import Tile
from tenon.compiler.rows import PLANES, Softmax, run_of

__all__ = ["Region", "RowsChoices", "RowsPlan"]

_NUMBER = 4  # bytes


@dataclass(frozen=True, kw_only=True)
class RowsChoices:
    """``tile_c`` counts channel blocks, ``runs`` the runs in a chunk; ``depth``: chunks that are worked on at once. ``pieces``:
    in how many the last phase of a normalisation takes a run, for want of room."""

    tile_c: int
    runs: int
    depth: int
    pieces: int = 1


@dataclass(frozen=True)
class Region:
    """An operand on chip: where it lies, and its layout."""

    memory: str
    base: int
    layout: Layout

    @property
    def tile(self) -> Tile:
        return Tile(self.memory, self.layout)

    def at(self, **index: int) -> int:
        """Byte address of an element."""
        return self.base + self.layout.offset(**index)


class RowsPlan:
    """Tiles, chunks and regions of a layer under given choices. ``bytes`` and ``numbers`` name the two memories."""

    def __init__(self, machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], choices: RowsChoices):
        self.machine, self.graph, self.layer, self.choices = machine, graph, layer, choices
        self.kernel = layer.main
        self.x, self.y = homes[self.kernel.x], homes[layer.writes]
        self.block = machine.block
        self.bytes, self.numbers = machine.elementwise.memory["a"], machine.numbers.memory["shift"]
        self.length, columns = self.x.shape[2:]
        self.run = run_of(self.length)
        self.tiles = [(a * self.block, b * self.block) for a, b in cut(math.ceil(columns / self.block), choices.tile_c)]
        self.chunks = cut(self.length, choices.runs * self.run)
        self.parts = math.ceil(self.length / self.run)
        self._demands: list[tuple[Demand, Layout]] = []
        (self._softmax if isinstance(self.kernel, Softmax) else self._normalise)()
        self._keep_chunks("y", self.y, choices.depth, choices.depth)
        self._keep_chunks("x", self.x, 1, len(self.tiles) * len(self.chunks))

    @cached_property
    def regions(self) -> dict[str, list[Region]]:
        """Where each operand lies, and how often.

        Raises
        ------
        TooSmall
            If a memory cannot hold its regions.
        """
        found = allocate(self.machine, [demand for demand, _ in self._demands])
        return {d.what: [Region(d.memory, base, layout) for base in found[d.what][1]] for d, layout in self._demands}

    @property
    def piece(self) -> int:
        """Elements that the last phase takes at once of a run."""
        return self.run // self.choices.pieces

    @property
    def once(self) -> bool:
        """Whether what the second phase makes of each chunk stays until the last one."""
        return len(self.chunks) <= self.choices.depth

    def _softmax(self) -> None:
        (blocks, lanes), depth = self.columns, self.choices.depth
        for name in ("weight", "share"):
            self._keep(name, [("p", PLANES, 1), blocks, lanes])
        self._keep_sums(("total", 1), ("r", 2), ("error", 1), ("square", 1))
        self._keep("tops", [("p", len(self.chunks), 1), blocks, lanes], numbers=False)
        self._keep("peak", [blocks, lanes], numbers=False)
        self._keep("e", [("p", PLANES, 1), blocks, ("w", self.chunks[0][1], 1), lanes], numbers=False, times=depth)

    def _normalise(self) -> None:
        (blocks, lanes), depth = self.columns, self.choices.depth
        elements = [("m", self.choices.runs, 1), ("k", self.run, 1)]
        self._keep_sums(("total", 1), ("shift", 1), ("r", 2), ("error", 1), ("square", 1))
        self._keep("centred", [blocks, *elements, lanes], times=depth)
        elements = [("m", self.choices.runs, 1), ("k", self.piece, 1)]
        self._keep("scaled", [blocks, *elements, lanes], times=depth)
        for name in ("beta", "gamma"):  # these lie behind what they are paired with
            self._keep(name, [*elements, lanes], times=depth)
        self._keep("ones", [*elements, lanes])

    def _keep_sums(self, *columns: tuple[str, int]) -> None:
        """Sums of runs, and numbers that each column has one of."""
        self._keep("part", [("m", self.parts, 1), *self.columns])
        for name, times in columns:
            self._keep(name, self.columns, times=times)

    def box(self, tile: int, chunk: int) -> Box:
        return Box((0, 1), (0, 1), self.chunks[chunk], self.tiles[tile])

    @property
    def columns(self) -> list[tuple[str, int, int]]:
        """Axes of a whole tile's columns."""
        return [("c", self.choices.tile_c, self.block), ("c", self.block, 1)]

    def in_runs(self, chunk: int) -> Iterator[tuple[int, int, int]]:
        """First run, number of runs, elements in each: whole runs, then what is left of the last one."""
        whole, rest = divmod(self.chunks[chunk][1], self.run)
        if whole:
            yield 0, whole, self.run
        if rest:
            yield whole, 1, rest

    def _keep(self, name: str, axes: Sequence[tuple[str, int, int]], *, numbers: bool = True, times: int = 1) -> None:
        """Takes room for ``times`` of an operand."""
        layout = dense(axes, _NUMBER if numbers else 1)
        self._demands.append((Demand(name, self.numbers if numbers else self.bytes, layout.bytes, times, least=times), layout))

    def _keep_chunks(self, source: str, home: Home, least: int, most: int) -> None:
        """Room for chunks of a tensor: as many as fit."""
        layout = tile_layout(home, self.box(0, 0), self.block)
        self._demands.append((Demand(source, self.bytes, layout.bytes, most, least=least), layout))

    @property
    def fits(self) -> bool:
        try:
            return bool(self.regions)
        except TooSmall:
            return False
