"""Softmax and layer normalisation: a tile of columns at a time, in phases that each go over all chunks of its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tenon.compiler.code import Note
from tenon.compiler.codelets import Codelet, normalise, softmax
from tenon.compiler.layout import Axis, Layout, dense
from tenon.compiler.lower.boxes import Boxes
from tenon.compiler.lower.emitter import Emitter
from tenon.compiler.lower.rows_plan import Region, RowsPlan
from tenon.compiler.lower.slots import Slots
from tenon.compiler.lower.tiles import binary32, element, padded_walks, tile_layout
from tenon.compiler.placing import Tile
from tenon.compiler.rows import PLANES, REFINEMENTS, Softmax

__all__ = ["lower_rows"]

_TABLE_BYTES = 256
_BELOW = 255  # entry of the exponential's tables for the largest element itself


def lower_rows(plan: RowsPlan, out: Emitter) -> None:
    """Appends the layer's instructions.

    Raises
    ------
    CompileError, TooSmall
        If no instruction does what is needed, or a buffer is too small.
    """
    (_SoftmaxLowering if isinstance(plan.kernel, Softmax) else _NormaliseLowering)(plan, out).run()


class _Lowering:
    """What both have in common. A phase is stages that a chunk goes through; only the first reads the operand."""

    codelet: Codelet

    def __init__(self, plan: RowsPlan, out: Emitter):
        self.plan, self.out, self.boxes, self.kernel = plan, out, Boxes(out), plan.kernel
        self.x_type = element(plan.graph.tensors[plan.kernel.x].dtype)
        # First all chunks of a tile, then all of them again; and once more if what was made of them did not stay.
        phases, chunks = 2 if plan.once else 3, len(plan.chunks)
        uses = {(t, i): [(t * phases + p) * chunks + i for p in range(phases)] for t in range(len(plan.tiles)) for i in range(chunks)}
        self.x = Slots(plan.bytes, [r.base for r in plan.regions["x"]], uses)
        self.order = sorted((step, unit) for unit, steps in uses.items() for step in steps)
        self.tile = self.step = self.fetched = 0

    def each_chunk(self, *stages: Callable[[int], None]) -> None:
        """Every chunk through every stage: one after the other, or interleaved if there is room for two at a time."""
        count, lag = len(self.plan.chunks), int(self.plan.choices.depth > 1)
        for at in range(count + lag * (len(stages) - 1)):
            for number, stage in enumerate(stages):
                chunk = at - lag * number
                if 0 <= chunk < count:
                    if number == 0:
                        self.fetch()
                    stage(chunk)
                    if number == 0:
                        self.step += 1

    def fetch(self) -> None:
        """Makes sure that the operand of this step is there, and brings in those of later ones as far as there is room."""
        while self.fetched < len(self.order):
            step, unit = self.order[self.fetched]
            if not self.x.claim(unit, step, self.step):
                break
            if self.x.missing(unit, 0, 1):
                self.load(unit, self.x.base(unit))
            self.fetched += 1
        self.x.touch(self.order[self.step][1], self.step)

    def load(self, unit: tuple[int, int], base: int) -> None:
        plan, box = self.plan, self.plan.box(*unit)
        tile = tile_layout(plan.x, box, plan.block)
        self.boxes.load(plan.x, box, tile, (plan.bytes, base), ("x of tile %d, chunk %d", *unit), walks=padded_walks)

    def operand(self, chunk: int) -> Region:
        layout = tile_layout(self.plan.x, self.plan.box(self.tile, chunk), self.plan.block)
        return Region(self.plan.bytes, self.x.base((self.tile, chunk)), layout)

    def result(self, chunk: int) -> Region:
        y = self.region("y", chunk)
        return Region(y.memory, y.base, tile_layout(self.plan.y, self.plan.box(self.tile, chunk), self.plan.block))

    def region(self, name: str, turn: int = 0) -> Region:
        regions = self.plan.regions[name]
        return regions[turn % len(regions)]

    def constant(self, values: np.ndarray, near: tuple[str, int], note: Note) -> None:
        """Brings constants, laid out as they are to lie, on chip."""
        data = values.tobytes()
        self.out.load_run(len(data), (self.out.fixed, self.out.constants.put(data)), near, note)

    def numbers(self, values: np.ndarray, region: Region) -> None:
        self.constant(values.astype(np.float32), (region.memory, region.base), ("constants",))

    def store(self, chunk: int) -> None:
        y = self.result(chunk)
        box = self.plan.box(self.tile, chunk)
        self.boxes.store(self.plan.y, box, y.layout, (y.memory, y.base), ("tile %d, chunk %d", self.tile, chunk))

    def compute(self, statement: str, extents: Mapping[str, int], attributes: Mapping[str, int | float] | None = None,
                bases: Mapping[str, int] | None = None, *, columns: int | None = None, **operands: Region | Tile) -> None:
        """One pass over all columns of the tile, or ``columns`` of them. ``bases``: of operands that begin within their region."""
        tiles = {name: r.tile if isinstance(r, Region) else r for name, r in operands.items()}
        begins = {name: r.base for name, r in operands.items() if isinstance(r, Region)} | dict(bases or {})
        self.out.compute(self.codelet, statement, tiles, {"c": columns or self.plan.tiles[self.tile][1], **extents},
                         {"run": self.plan.run, **(attributes or {})}, begins, ("tile %d, %s", self.tile, statement))

    def refined(self, total: Region, *, square: bool) -> Region:
        """1 / total, or its square root."""
        self.compute("guess", {}, again=self.region("r"), total=total)
        for turn in range(REFINEMENTS):
            r, again = self.region("r", turn), self.region("r", turn + 1)
            error, squared = self.region("error"), self.region("square")
            if square:
                self.compute("square", {}, r=r, square=squared)
            self.compute("error", {}, r=r, square=squared, total=total, error=error)
            self.compute("refine", {}, r=r, error=error, again=again)
        return self.region("r", REFINEMENTS)

    def bounds(self) -> dict[str, int]:
        return {"lo": self.kernel.lo, "hi": self.kernel.hi, "zy": self.kernel.zy}


class _SoftmaxLowering(_Lowering):
    def __init__(self, plan: RowsPlan, out: Emitter):
        super().__init__(plan, out)
        self.codelet = softmax(self.x_type)
        self.table_memory = plan.machine.memory("table")
        self.tables: list[int | None] = [None] * len(plan.machine.tables)  # which plane's table each place holds

    def run(self) -> None:
        width = self.plan.choices.tile_c * self.plan.block
        self.numbers(np.repeat(256.0 ** np.arange(PLANES), width), self.region("weight"))
        for tile in range(len(self.plan.tiles)):
            self.tile = tile
            self.each_chunk(self.peak)
            self.top()
            self.each_chunk(self.exponentials, self.parts)
            self.shares()
            if self.plan.once:
                for chunk in range(len(self.plan.chunks)):
                    self.finish(chunk)
            else:
                self.each_chunk(self.exponentials, self.finish)

    def peak(self, chunk: int) -> None:
        lo, hi = self.plan.graph.tensors[self.kernel.x].bounds
        many, tops = len(self.plan.chunks) > 1, self.region("tops")
        peak = Region(tops.memory, tops.at(p=chunk), dense(self.plan.columns)) if many else self.region("peak")
        self.compute("peak", {"w": self.plan.chunks[chunk][1]}, {"lo": lo, "hi": hi}, x=self.operand(chunk), peak=peak)

    def top(self) -> None:
        lo, hi = self.plan.graph.tensors[self.kernel.x].bounds
        if len(self.plan.chunks) > 1:
            self.compute("top", {"p": len(self.plan.chunks)}, {"lo": lo, "hi": hi}, tops=self.region("tops"), peak=self.region("peak"))

    def exponentials(self, chunk: int) -> None:
        e = self.region("e", chunk)
        axes = tuple(a for a in e.layout.axes if a.dim != "p")
        for p in range(PLANES):
            plane = Region(e.memory, e.at(p=p), Layout(axes, e.layout.bytes // PLANES))
            table = Tile(self.table_memory, dense([("i", _TABLE_BYTES, 1)]))
            self.compute("plane", {"w": self.plan.chunks[chunk][1]}, {"reach": _BELOW, "lo": 0, "hi": _BELOW}, {"table": self.table(p)},
                         x=self.operand(chunk), top=self.region("peak"), plane=plane, table=table)

    def table(self, plane: int) -> int:
        """Address of a plane's table, which is brought in unless it is there."""
        place = plane % len(self.tables)
        address = self.plan.machine.tables[place]
        if self.tables[place] != plane:
            self.constant(self.kernel.planes[plane], (self.table_memory, address), ("table",))
            self.tables[place] = plane
        return address

    def parts(self, chunk: int) -> None:
        e, part = self.region("e", chunk), self.region("part")
        before = self.plan.chunks[chunk][0] // self.plan.run
        for first, runs, each in self.plan.in_runs(chunk):
            bases = {"e": e.at(w=first * self.plan.run), "part": part.at(m=before + first)}
            self.compute("part", {"m": runs, "k": each, "p": PLANES}, {}, bases, e=e, weight=self.region("weight"), part=part)

    def shares(self) -> None:
        self.compute("total", {"m": self.plan.parts}, part=self.region("part"), total=self.region("total"))
        r = self.refined(self.region("total"), square=False)
        self.compute("share", {"p": PLANES}, {"factor": binary32(self.kernel.factor)}, weight=self.region("weight"), r=r,
                     share=self.region("share"))

    def finish(self, chunk: int) -> None:
        self.compute("finish", {"w": self.plan.chunks[chunk][1], "p": PLANES}, self.bounds(), e=self.region("e", chunk),
                     share=self.region("share"), y=self.result(chunk))
        self.store(chunk)


class _NormaliseLowering(_Lowering):
    def __init__(self, plan: RowsPlan, out: Emitter):
        super().__init__(plan, out)
        self.codelet = normalise(self.x_type)

    def run(self) -> None:
        ones = self.region("ones")
        self.numbers(np.ones(ones.layout.bytes // 4), ones)
        for tile in range(len(self.plan.tiles)):
            self.tile = tile
            self.each_chunk(self.sums)
            over = np.float32(1) / np.float32(self.plan.length)
            self.compute("shift", {"m": self.plan.parts}, {"over": float(-over)}, part=self.region("part"), shift=self.region("shift"))
            self.each_chunk(self.centre, self.squares)
            self.compute("total", {"m": self.plan.parts}, {"over": float(over), "epsilon": binary32(self.kernel.epsilon)},
                         part=self.region("part"), total=self.region("total"))
            self.r = self.refined(self.region("total"), square=True)
            last = (self.scale, self.finish) if self.plan.choices.pieces == 1 else (self.piecewise,)
            if self.plan.once:
                for chunk in range(len(self.plan.chunks)):
                    for stage in last:
                        stage(chunk)
            else:
                self.each_chunk(self.centre, *last)

    def runs(self, statement: str, chunk: int, attributes: Mapping[str, int], moved: Sequence[str], **operands: Region) -> None:
        """A pass over whole runs, and one over the rest. ``moved``: operands that are counted in runs of this chunk."""
        for first, runs, each in self.plan.in_runs(chunk):
            bases = {name: r.at(w=first * self.plan.run) for name, r in operands.items() if name in "xy"}
            bases |= {name: operands[name].at(m=first) for name in moved}
            bases |= {"part": operands["part"].at(m=self.plan.chunks[chunk][0] // self.plan.run + first)} if "part" in operands else {}
            self.compute(statement, {"m": runs, "k": each}, attributes, bases, **operands)

    def sums(self, chunk: int) -> None:
        self.runs("part", chunk, {"zx": self.kernel.zx}, (), x=self.operand(chunk), part=self.region("part"))

    def centre(self, chunk: int) -> None:
        self.runs("centre", chunk, {"zx": self.kernel.zx}, ("centred",), x=self.operand(chunk), shift=self.region("shift"),
                  centred=self.region("centred", chunk))

    def squares(self, chunk: int) -> None:
        self.runs("squares", chunk, {}, ("centred",), centred=self.region("centred", chunk), part=self.region("part"))

    def scale(self, chunk: int) -> None:
        self.runs("scale", chunk, {}, ("centred", "scaled"), centred=self.region("centred", chunk), r=self.r,
                  scaled=self.region("scaled", chunk))

    def finish(self, chunk: int) -> None:
        first, extent = self.plan.chunks[chunk]
        self.rounded(chunk, chunk, 0, first, extent, tuple(self.plan.in_runs(chunk)))
        self.store(chunk)

    def piecewise(self, chunk: int) -> None:
        """Scales and finishes a chunk a piece of a run at a time."""
        first, extent = self.plan.chunks[chunk]
        centred = self.region("centred", chunk)
        for turn, at in enumerate(range(0, extent, self.plan.piece)):
            size, scaled = min(self.plan.piece, extent - at), self.region("scaled", turn)
            self.compute("scale", {"m": 1, "k": size}, {}, {"centred": centred.at(k=at)}, centred=centred, r=self.r, scaled=scaled)
            self.rounded(chunk, turn, at, first + at, size, ((0, 1, size),))
        self.store(chunk)

    def rounded(self, chunk: int, turn: int, at: int, first: int, extent: int, runs: Sequence[tuple[int, int, int]]) -> None:
        """Elements ``at`` and following of a chunk's result, in ``runs``, a block of columns at a time: constants, from ``first`` on,
        are alike for all. ``turn``: which regions hold them."""
        plan = self.plan
        gamma, beta, ones = self.region("gamma", turn), self.region("beta", turn), self.region("ones")
        for values, region in ((self.kernel.gamma, gamma), (self.kernel.beta, beta)):
            self.numbers(np.repeat(values[first:first + extent], plan.block), region)
        y, scaled = self.result(chunk), self.region("scaled", turn)
        factor = _beside(gamma, ones.base - gamma.base)
        for column in range(0, plan.tiles[self.tile][1], plan.block):
            begin = scaled.at(c=column)
            pair = _beside(gamma, beta.base - begin)
            for run, count, each in runs:
                bases = {"pair": begin + gamma.layout.offset(m=run), "factor": gamma.at(m=run), "y": y.at(w=at + run * plan.run, c=column)}
                self.compute("finish", {"m": count, "k": each, "q": 2}, self.bounds(), bases, columns=plan.block,
                             pair=Tile(scaled.memory, pair), factor=Tile(gamma.memory, factor), y=y)


def _beside(region: Region, distance: int) -> Layout:
    """The layout of two operands, ``distance`` bytes from one to the other, each laid out as ``region`` is."""
    return Layout((Axis("q", 2, distance), *region.layout.axes), distance + region.layout.bytes)
