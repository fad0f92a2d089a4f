"""Sums of products: which operand plays which part, and the loops that a kernel has."""

from __future__ import annotations

import math

from tenon.acg.access import ELEMENT_BYTES
from tenon.acg.expr import Load, Nest, Reduce
from tenon.acg.graph import Graph
from tenon.compiler.errors import CompileError
from tenon.compiler.packets.cover import Covers
from tenon.compiler.packets.forms import steps_of
from tenon.compiler.packets.roles import Roles, lane_loop
from tenon.compiler.packets.statement import canonical

__all__ = ["ContractionPlan"]

_MOST_ACROSS = 8  # sums of a tile


class ContractionPlan:
    """What a placed statement ``y = f(start + sum of products)`` asks of a machine, and the loops that it becomes.

    Raises
    ------
    CompileError
        If no instructions do it.
    """

    def __init__(self, graph: Graph, nest: Nest):
        self.graph, self.nest = graph, nest
        self.target: Load = nest.destination
        self.roles = Roles(graph, self.target.operand.name)
        self.lane = lane_loop(nest, self.roles)
        found = Covers(graph, self.lane, self.roles.lanes).of(canonical(nest.expr), self.target.operand.element)
        if found is None:
            raise CompileError("no instructions compute it")
        self.cover = found[1]
        summing = [s for s in self.cover.steps if s.folded]
        if len(summing) != 1:
            raise CompileError("it has no sum of products")
        self.dot, = summing
        result = self.cover.step.target.operand
        self.store = self.roles.store(result.name, ELEMENT_BYTES[result.element] * self.roles.lanes)
        self.finishing = [s for s in self.cover.steps if s is not self.dot]
        self.reduce: Reduce = self.dot.reductions[0][0]
        self._roles()
        self._shape()

    @property
    def latency(self) -> int:
        """Packets until a sum can be added to again."""
        return self.dot.mnemonic.timing.cycles("visible", self.dot.mnemonic.complete({}))

    def _roles(self) -> None:
        """Which operand of the product is one element for all lanes, and which has one for each; and the loop that an instruction sums."""
        self.scalar, self.vector = None, None
        for name, cover in self.dot.operands.items():
            if not isinstance(cover.leaf, Load) or name == self.dot.folded:
                continue
            if self.lane in steps_of(cover.leaf):
                self.vector = name
            else:
                self.scalar = name
        if self.scalar is None or self.vector is None:
            raise CompileError("a product must have one operand for all lanes and one for each")
        x, w = (self.dot.operands[name].leaf for name in (self.scalar, self.vector))
        inner, = self.dot.reductions[0][1].loops
        theirs = [steps_of(self.dot.reads[name]).get(inner.name, 0) for name in (self.scalar, self.vector)]
        self.summed = next((loop.name for loop in self.reduce.loops if loop.extent == inner.extent
                            and [steps_of(x).get(loop.name), steps_of(w).get(loop.name)] == theirs), None)
        if self.summed is None:
            raise CompileError(f"{inner.extent} elements of the reduction must lie as {self.dot.mnemonic.name} takes them")
        self.x, self.w, self.inner = x, w, inner.extent
        read = self.dot.reads[self.scalar]
        self.scalar_memory, self.vector_memory = read.operand.name, self.dot.reads[self.vector].operand.name
        if self.scalar_memory == self.vector_memory:
            raise CompileError(f"elements for all lanes and for each would share {self.vector_memory}")
        self.load_x = self.roles.load(self.scalar_memory)
        self.load_w = self.roles.load(self.vector_memory)
        self.parts = self.graph.memory(self.scalar_memory).word_bytes // self.inner  # products with one scalar register

    def _shape(self) -> None:
        """Loops of the program: along a scalar register, the other steps of the reduction, outputs side by side in a tile, and the rest."""
        steps_x, steps_w = steps_of(self.x), steps_of(self.w)
        rest = [loop for loop in self.reduce.loops if loop.name != self.summed and loop.extent > 1]
        along = [l for l in rest if steps_x.get(l.name) == self.inner]
        if self.parts > 1 and (not along or along[0].extent % self.parts):
            raise CompileError(f"the reduction must have whole registers of {self.parts * self.inner} elements")
        self.along = along[0] if self.parts > 1 else None
        reduced: list[tuple[int, int, int]] = []  # extent, step of x, step of w
        for loop in rest:
            extent, factor = (loop.extent // self.parts, self.parts) if loop is self.along else (loop.extent, 1)
            reduced.append((extent, steps_x.get(loop.name, 0) * factor, steps_w.get(loop.name, 0) * factor))
        self.reduced = sorted((r for r in reduced if r[0] > 1), key=lambda r: r[2])
        self.bodies = math.prod(r[0] for r in self.reduced)
        self.step_k = steps_w.get(self.along.name, 0) if self.along else 0
        outer = [l for l in self.nest.loops if l.name != self.lane and l.extent > 1]
        free = [l for l in outer if not steps_w.get(l.name) and steps_x.get(l.name)]
        across = min(free, key=lambda l: steps_x[l.name], default=None)
        self.across, self.tiles = (1, 1) if across is None else _cut(across.extent, self.latency)
        hop = (across.extent - self.across) // (self.tiles - 1) if self.tiles > 1 else 0
        self.outer: list[tuple[int, dict[str, int]]] = []
        if self.tiles > 1:
            self.outer.append((self.tiles, {across.name: hop}))
        others = sorted((l for l in outer if l is not across), key=lambda l: (bool(steps_w.get(l.name)), steps_x.get(l.name, 0)))
        self.outer += [(l.extent, {l.name: 1}) for l in others]
        self.across_loop = across.name if across else ""
        self.count = math.prod(extent for extent, _ in self.outer)


def _cut(extent: int, latency: int) -> tuple[int, int]:
    """Outputs of a tile, and tiles: as few packets as can be. Tiles may overlap, the same
    distance apart. ``latency``: packets between two products of one output."""
    best = None
    for across in range(1, min(extent, _MOST_ACROSS) + 1):
        tiles = -(-extent // across)
        while tiles > 1 and (extent - across) % (tiles - 1):
            tiles += 1
        cost = tiles * max(across, latency)
        if best is None or (cost, -across) < best[0]:
            best = (cost, -across), across, tiles
    return best[1], best[2]
