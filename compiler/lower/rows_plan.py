"""How an operator over the columns of a matrix is cut: tiles of columns, chunks of rows, and where each lies on chip."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tenon.compiler.home import Home
from tenon.compiler.ir import Graph
from tenon.compiler.layer import Layer
from tenon.compiler.layout import Layout, dense
from tenon.compiler.lower.slots import TooSmall
from tenon.compiler.lower.tiles import Box, cut, tile_layout
from tenon.compiler.machine import Machine
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
        self._used = {self.bytes: 0, self.numbers: 0}
        self.regions: dict[str, list[Region]] = {}
        (self._softmax if isinstance(self.kernel, Softmax) else self._normalise)()
        self._keep_chunks("y", self.y, choices.depth)
        self._keep_chunks("x", self.x, None)

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
        memory = self.numbers if numbers else self.bytes
        layout = dense(axes, _NUMBER if numbers else 1)
        self.regions[name] = [Region(memory, self._take(memory, layout.bytes), layout) for _ in range(times)]

    def _keep_chunks(self, source: str, home: Home, times: int | None) -> None:
        """Room for ``times`` chunks of a tensor; for as many as there are, if they fit, when not said."""
        layout = tile_layout(home, self.box(0, 0), self.block)
        if times is None:
            free = self.machine.size(self.bytes) - self._used[self.bytes]
            times = max(1, min(free // layout.bytes, len(self.tiles) * len(self.chunks)))
        self.regions[source] = [Region(self.bytes, self._take(self.bytes, layout.bytes), layout) for _ in range(times)]

    def _take(self, memory: str, size: int) -> int:
        base = self._used[memory]
        self._used[memory] = base + math.ceil(size / self.machine.alignment) * self.machine.alignment
        return base

    @property
    def fits(self) -> bool:
        return all(used <= self.machine.size(memory) for memory, used in self._used.items())

    def check(self) -> None:
        """Raises TooSmall if a memory cannot hold its regions."""
        for memory, used in self._used.items():
            if used > self.machine.size(memory):
                held: Mapping[str, int] = {n: sum(r.layout.bytes for r in rs) for n, rs in self.regions.items() if rs[0].memory == memory}
                raise TooSmall(f"buffer {memory} too small for " + ", ".join(f"{size} bytes of {name}" for name, size in held.items())
                               + f": {used} of {self.machine.size(memory)} bytes")
