"""Search for a layer's mapping: from the best of the most promising ones on, whatever neighbour of the best takes less time; where
none does, whatever differs in two choices."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from tenon.compiler.errors import CompileError
from tenon.compiler.estimate import UNESTIMATED, estimated, ranked
from tenon.compiler.home import Home
from tenon.compiler.ir import Graph
from tenon.compiler.join import joined
from tenon.compiler.layer import Layer
from tenon.compiler.lower import lower
from tenon.compiler.lower.constants import Constants
from tenon.compiler.machine import Machine
from tenon.compiler.mapping import Mapping
from tenon.compiler.space import Space, space_of
from tenon.compiler.timing import available, time_program
from tenon.compiler.tokens import token_masks

__all__ = ["DEFAULT_EFFORT", "cycles_of", "neighbours", "search"]

DEFAULT_EFFORT = 64  # mappings of a layer that are timed
_FIRST = 4  # of them the most promising ones, which differ in kind where they can
_PATIENCE = 40  # points that cannot be lowered before the layer is given up
_WORTH = 1.3  # what is estimated to take so much longer than the best is not tried


def search(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], *, effort: int = DEFAULT_EFFORT) -> Mapping:
    """The quickest of at most ``effort`` mappings; the most promising one if that is 1, or where no program can be timed
    (``timing.available``).

    What is timed is the layer twice, one behind the other: in a network most of its beginning and end is hidden by its neighbours, and
    some is not.

    Raises
    ------
    CompileError
        If none can be lowered: the reason of the most promising one.
    """
    space = space_of(machine, graph, layer, homes)
    if not available():
        effort = 1

    def cycles(mapping: Mapping) -> int:
        if effort == 1:
            lower(machine, graph, layer, homes, mapping, Constants())
            return 0
        return cycles_of(machine, graph, layer, homes, mapping)

    best, least, timed = _first(machine, graph, layer, homes, space, cycles, min(effort, _FIRST))
    wider = [_neighbours, _pairs]
    around = wider[:]
    while around and len(timed) < effort:
        for mapping in around.pop(0)(machine, graph, layer, homes, space, best):
            if len(timed) >= effort:
                break
            if mapping in timed:
                continue
            timed.add(mapping)
            try:
                found = cycles(mapping)
            except CompileError:
                continue
            if found < least:
                best, least, around = mapping, found, wider[:]
                break
    return best


def cycles_of(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], mapping: Mapping) -> int:
    """What the layer takes, twice in a row."""
    code = lower(machine, graph, layer, homes, mapping, Constants())
    twice, _ = joined(machine.graph, [code, code])
    return time_program(machine.graph, twice, masks=token_masks(machine.graph, twice)).cycles


def _first(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], space: Space, cycles,
           count: int) -> tuple[Mapping, int, set[Mapping]]:
    """The quickest of the ``count`` most promising mappings that can be lowered, its time, and all that were timed."""
    reason: CompileError | None = None
    best: tuple[int, Mapping] | None = None
    timed: set[Mapping] = set()
    failed = 0
    for mapping in ranked(machine, graph, layer, homes, space):
        try:
            found = cycles(mapping)
        except CompileError as error:
            reason = reason or error
            failed += 1
            if failed == _PATIENCE:
                break
            continue
        timed.add(mapping)
        if best is None or found < best[0]:
            best = found, mapping
        if len(timed) == count:
            break
    if best is None:
        if reason is not None:
            raise reason
        best = cycles(space[0]), space[0]  # nothing seems to fit: the smallest tiles say why
    return best[1], best[0], timed | {best[1]}


def neighbours(space: Space, mapping: Mapping) -> Iterator[Mapping]:
    """Mappings with one choice of ``mapping``'s changed to an option beside it, but for those that matter between layers."""
    for choice in (c for c in space.choices if not c.between):
        for there in choice.near(choice.options.index(mapping.choices[choice.name])):
            yield Mapping({**mapping.choices, choice.name: choice.options[there]})


def _neighbours(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], space: Space, best: Mapping) -> list[Mapping]:
    """Neighbours of the best mapping that are worth timing, the most promising first."""
    around = [best, *neighbours(space, best)]
    names = best.choices
    estimates = estimated(machine, graph, layer, homes, {name: np.array([m.choices[name] for m in around]) for name in names})
    order = np.argsort(estimates, kind="stable")
    return [around[i] for i in order if i and estimates[i] <= _WORTH * estimates[0]]


def _pairs(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], space: Space, best: Mapping) -> Iterator[Mapping]:
    """Mappings with two of the best one's choices changed to anything, as far as they are worth it: in turns the most promising of
    them, and any of them, for estimates are wrong about some."""
    wide = [c for c in space.choices if c.name not in UNESTIMATED and len(c.options) > 1]
    meshes = [(a.name, b.name, *(axis.ravel() for axis in np.meshgrid(a.options, b.options))) for a, b in itertools.combinations(wide, 2)]
    if not meshes:
        return
    total = sum(len(mesh[2]) for mesh in meshes)
    options = {c.name: c.options for c in space.choices}
    columns = {name: np.full(total + 1, value, np.array(options[name]).dtype) for name, value in best.choices.items()}
    low = 1
    for first, second, left, right in meshes:
        columns[first][low:low + len(left)], columns[second][low:low + len(left)] = left, right
        low += len(left)
    estimates = estimated(machine, graph, layer, homes, columns)
    order = np.argsort(estimates, kind="stable")
    order = order[estimates[order] <= _WORTH * estimates[0]]
    for k in itertools.chain.from_iterable(zip(order, np.random.default_rng(1).permutation(order))):
        yield Mapping({name: type(options[name][0])(columns[name][k]) for name in options})
