"""Layers without products: additions, tables and pooling, tile by tile through one pass of the vector chain.

Pooling may have its windows gathered first, by an instruction that slides them over the channels.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property

from tenon.compiler.code import Note
from tenon.compiler.home import Home
from tenon.compiler.ir import Graph, Pool
from tenon.compiler.layer import Layer
from tenon.compiler.layout import Layout, dense
from tenon.compiler.lower.boxes import Boxes
from tenon.compiler.lower.emitter import Emitter
from tenon.compiler.lower.margin import surround
from tenon.compiler.lower.operators import padding_of, pass_operator
from tenon.compiler.lower.pooling import Window, parts, window_of
from tenon.compiler.lower.slots import Slots
from tenon.compiler.lower.tiles import Box, Walk, box_start, cut, padded_walks, tile_layout
from tenon.compiler.machine import Machine
from tenon.compiler.placement import CONTENTS, Demand, TooSmall, allocate
from tenon.compiler.placing import Tile

__all__ = ["PassChoices", "PassPlan", "lower_pass"]


@dataclass(frozen=True, kw_only=True)
class PassChoices:
    """Extents of one output tile; ``tile_c`` counts channel blocks. ``depth``: tiles of each kind on chip at once.
    ``windows``: what windows hold is gathered by sliding them, or by the vector chain (``slide``, ``chain``)."""

    tile_n: int
    tile_h: int
    tile_w: int
    tile_c: int
    depth: int = 2
    windows: str = "chain"


class PassPlan:
    """Geometry of a layer under given choices: its tiles, and the boxes that they read and write."""

    def __init__(self, machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], choices: PassChoices):
        self.machine, self.graph, self.layer, self.choices = machine, graph, layer, choices
        self.kernel = layer.main
        self.y = homes[layer.writes]
        self.sources = dict(zip(("a", "b") if len(self.kernel.inputs) == 2 else ("x",), [homes[n] for n in self.kernel.inputs]))
        self.block = machine.block
        self.window = window_of(self.kernel, self.sources["x"].shape) if isinstance(self.kernel, Pool) else Window()
        self.sliding = choices.windows == "slide"

    @cached_property
    def boxes(self) -> list[Box]:
        """Output boxes in order."""
        n, h, w, c = self.y.shape
        t = self.choices
        blocks = math.ceil(c / self.block)
        return [Box(a, b, d, (e * self.block, f * self.block))
                for a, b, d, (e, f) in itertools.product(cut(n, t.tile_n), cut(h, t.tile_h), cut(w, t.tile_w), cut(blocks, t.tile_c))]

    def source_box(self, box: Box) -> Box:
        """What a box of results reads."""
        v = self.window

        def along(axis: int, first: int, extent: int) -> tuple[int, int]:
            reach = (extent - 1) * v.strides[axis] + (v.kernel[axis] - 1) * v.dilations[axis] + 1
            return first * v.strides[axis] - v.pads[axis], reach

        return Box(box.n, along(0, *box.h), along(1, *box.w), box.c)

    def source_layout(self, name: str, box: Box) -> Layout:
        return tile_layout(self.sources[name], self.source_box(box), self.block)

    def gathered(self, box: Box) -> Layout:
        """Where what the windows of a box hold lies among the accumulators."""
        lanes = self.machine.channel_lanes
        return dense([("c", box.c[1] // lanes, lanes), ("n", box.n[1], 1), ("h", box.h[1], 1), ("w", box.w[1], 1), ("c", lanes, 1)], 4)

    @cached_property
    def slots(self) -> dict[str, tuple[str, list[int]]]:
        """Memory and slot bases of every operand that does not stay on chip anyway.

        Raises
        ------
        TooSmall
            If a memory cannot hold what one tile needs.
        """
        memory = self.machine.elementwise.memory
        sizes = {name: self.source_layout(name, self.boxes[0]).bytes for name, home in self.sources.items() if not home.on_chip}
        if not self.y.on_chip:
            sizes["y"] = tile_layout(self.y, self.boxes[0], self.block).bytes
        if self.sliding:
            memory = {**memory, **self.machine.windows.memory}
            sizes["acc"] = self.gathered(self.boxes[0]).bytes
        depth = self.choices.depth
        return allocate(self.machine, [Demand(name, memory.get(name, memory["a"]), size, depth, least=depth)
                                       for name, size in sizes.items()])


def lower_pass(plan: PassPlan, out: Emitter, table: int | None) -> None:
    """Appends the layer's instructions. ``table``: address of the layer's byte table on chip, if it has one.

    Raises
    ------
    CompileError, TooSmall
        If no instruction does what is needed, or a buffer is too small.
    """
    _Lowering(plan, out, table).run()


class _Lowering:
    def __init__(self, plan: PassPlan, out: Emitter, table: int | None):
        self.plan, self.out, self.boxes, self.table, self.fill = plan, out, Boxes(out), table, 0
        if isinstance(plan.kernel, Pool):
            self.fill = padding_of(plan.graph, plan.kernel)
        self.codelet, self.attributes = pass_operator(plan.graph, plan.kernel, next(iter(plan.sources.values())).shape, plan.sliding)
        uses = {t: [t] for t in range(len(plan.boxes))}
        self.slots = {name: Slots(memory, bases, uses) for name, (memory, bases) in plan.slots.items()}

    def run(self) -> None:
        boxes = self.plan.boxes
        fetched = 0
        if self.plan.y.on_chip:
            surround(self.out, self.plan.y, self.plan.graph.tensors[self.plan.layer.y].zero_point & 255)
        for now in range(len(boxes)):
            while fetched <= now:
                if not self.fetch(fetched, now):
                    raise TooSmall(f"a buffer is too small for {CONTENTS['x']} beside what it holds")
                fetched += 1
            self.compute(now)
            while fetched < min(len(boxes), now + self.plan.choices.depth) and self.fetch(fetched, now):
                fetched += 1

    def fetch(self, wanted: int, now: int) -> bool:
        """Brings in the operands of a tile; False if there is no room yet."""
        box = self.plan.boxes[wanted]
        for name, home in self.plan.sources.items():
            if home.on_chip:
                continue
            slots = self.slots[name]
            if not slots.claim(wanted, wanted, now):
                return False
            if slots.missing(wanted, 0, 1):
                self.load(home, self.plan.source_box(box), self.plan.source_layout(name, box), (slots.memory, slots.base(wanted)),
                          ("%s of tile %d", name, wanted))
        return True

    def load(self, home: Home, box: Box, tile: Layout, near: tuple[str, int], note: Note) -> None:
        # What a tile holds beyond its channels ends up beyond those of its result: let it be the same each time.
        (w0, w), (c0, c), (_, _, width, channels) = box.w, box.c, home.shape
        if not home.block and min(c, channels - c0) < tile.digits("c")[0].extent and not 0 <= w0 <= width - w:
            self.out.load([Walk(tile.bytes, 1, 1)], (home.segment, box_start(home, box)), near, note, fill=self.fill, rows=(0, 0))
        self.boxes.load(home, box, tile, near, note, fill=self.fill, walks=padded_walks)

    def compute(self, now: int) -> None:
        plan, box = self.plan, self.plan.boxes[now]
        for slots in self.slots.values():
            slots.claim(now, now, now)
            slots.touch(now, now)
        tiles, begins = {}, {}
        for name, home in {**plan.sources, "y": plan.y}.items():
            if home.on_chip:
                first = box if name == "y" else plan.source_box(box)
                tiles[name] = Tile(home.segment, home.layout)
                begins[name] = home.offset + home.layout.offset(n=first.n[0], h=first.h[0], w=first.w[0], c=first.c[0])
            else:
                tile = tile_layout(home, box, plan.block) if name == "y" else plan.source_layout(name, box)
                tiles[name], begins[name] = Tile(self.slots[name].memory, tile), self.slots[name].base(now)
        if self.table is not None:
            tiles["table"] = Tile(plan.machine.memory("table"), dense([("i", 256, 1)]))
        if plan.sliding:
            tiles["acc"], begins["acc"] = Tile(self.slots["acc"].memory, plan.gathered(box)), self.slots["acc"].base(now)
        for rows, columns, attributes in parts(plan.kernel, next(iter(plan.sources.values())).shape, box.h, box.w):
            extents = {"n": box.n[1], "oh": rows[1], "ow": columns[1], "oc": box.c[1], "kh": plan.window.kernel[0],
                       "kw": plan.window.kernel[1]}
            bases = {name: begins[name] + tiles[name].layout.offset(
                h=rows[0] * plan.window.strides[0], w=columns[0] * plan.window.strides[1]) for name in plan.sources}
            bases |= {name: begins[name] + tiles[name].layout.offset(h=rows[0], w=columns[0]) for name in ("y", "acc") if name in begins}
            if self.table is not None:
                bases["table"] = self.table
            for statement in self.codelet.statements:
                self.out.compute(self.codelet, statement, tiles, extents, self.attributes | attributes, bases, ("tile %d", now))
        if not plan.y.on_chip:
            self.boxes.store(plan.y, box, tiles["y"].layout, (tiles["y"].memory, begins["y"]), ("tile %d", now))
