"""Places tokens: who waits for whom, so that executing in parallel means the same as executing in order."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tenon.acg.encoding import Header
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic
from tenon.compiler.code import Code
from tenon.compiler.errors import CompileError
from tenon.compiler.hazards import dependences
from tenon.compiler.instruction import Instruction
from tenon.compiler.timing import native
from tenon.compiler.timing.footprints import footprint_rows, memories_of

__all__ = ["Masks", "place_tokens", "token_masks"]

Masks = tuple[Sequence[int], Sequence[int], Sequence[int]]  # waits, releases, dones of each instruction
Clock = dict[tuple[str, str], int]  # (unit, "release" | "done"): the latest of its instructions known to be that far


def place_tokens(graph: Graph, instructions: Sequence[Instruction]) -> list[Instruction]:
    """``instructions`` with their waits and signals.

    There is one counter for each (producing unit, consuming unit, kind); signals and waits of a counter correspond
    one to one in order. A wait that others imply is not placed: every instruction's knowledge is the join of its
    predecessor's on the same unit and of those it waits for.

    Raises
    ------
    CompileError
        If the machine has too few counters.
    """
    waits, release, done = (np.asarray(mask).tolist() for mask in token_masks(graph, instructions))
    return [replace(i, header=Header(waits[k], release[k], done[k], i.header.mark)) for k, i in enumerate(instructions)]


def token_masks(graph: Graph, instructions: Sequence[Instruction]) -> Masks:
    """What ``place_tokens`` places, apart from the instructions: to time them that is enough."""
    return (_compiled if native.available() else _masks)(graph, instructions)


def _compiled(graph: Graph, instructions: Sequence[Instruction]) -> Masks:
    """``_masks``, by tokens.cpp."""
    units, memories = sorted(graph.units, key=lambda unit: unit.name), memories_of(graph)
    ordered = np.array([[m in unit.ordered for m in memories] for unit in units], np.int64)
    code = Code.of(instructions)
    unit, prints = code.rows(graph, _units, 1)[:, 0], footprint_rows(graph, code)
    needed, masks = native.run_tokens(unit, len(units), prints, ordered, graph.sequencer.tokens, _most(graph))
    _check(graph, needed)
    return tuple(masks)


def _units(graph: Graph, mnemonic: Mnemonic, fields: Sequence[object]) -> np.ndarray:
    """The unit of each, numbered in the order of names."""
    return np.full((len(fields), 1), sorted(u.name for u in graph.units).index(mnemonic.unit))


def _masks(graph: Graph, instructions: Sequence[Instruction]) -> Masks:
    unit = [i.mnemonic.unit for i in instructions]
    number = [0] * len(instructions)  # position among the unit's own
    count: dict[str, int] = {}
    for k, u in enumerate(unit):
        number[k] = count[u] = count.get(u, 0) + 1
    before: list[Clock] = []  # known when each instruction begins
    latest: dict[str, Clock] = {}
    wanted: dict[int, list[tuple[int, str]]] = {}
    for d in dependences(graph, instructions):
        wanted.setdefault(d.consumer, []).append((d.producer, d.kind))

    links: list[tuple[int, int, str]] = []
    for k, u in enumerate(unit):
        clock = dict(latest.get(u, {}))
        # The latest producers first: what they have seen may make the others unnecessary.
        for j, kind in sorted(wanted.get(k, ()), reverse=True):
            if clock.get((unit[j], kind), 0) >= number[j]:
                continue
            links.append((j, k, kind))
            for known, value in before[j].items():
                clock[known] = max(clock.get(known, 0), value)
            clock[unit[j], kind] = number[j]
            if kind == "done":
                clock[unit[j], "release"] = max(clock.get((unit[j], "release"), 0), number[j])
        before.append(clock)
        latest[u] = clock
    return _encoded(graph, unit, links)


def _encoded(graph: Graph, unit: list[str], links) -> Masks:
    counters = sorted({(unit[j], unit[k], kind) for j, k, kind in links})
    if len(counters) > graph.sequencer.tokens:  # done implies released: fewer counters, at some cost in time
        links = sorted({(j, k, "done") for j, k, _ in links}, key=lambda l: (l[1], l[0]))
        counters = sorted({(unit[j], unit[k], kind) for j, k, kind in links})
        links = _monotone(links, unit)
    _check(graph, len(counters))
    waits, signals = [0] * len(unit), {"release": [0] * len(unit), "done": [0] * len(unit)}
    for bit, counter in enumerate(counters):
        pairs = [(j, k) for j, k, kind in links if (unit[j], unit[k], kind) == counter]
        for j, k in _bounded(graph, pairs, [i for i, u in enumerate(unit) if u == counter[0]]):
            waits[k] |= 1 << bit
            signals[counter[2]][j] |= 1 << bit
    return waits, signals["release"], signals["done"]


def _check(graph: Graph, needed: int) -> None:
    if needed > graph.sequencer.tokens:
        raise CompileError(f"the program needs {needed} token counters; {graph.name} has {graph.sequencer.tokens}")


def _most(graph: Graph) -> int:
    """Signals ahead of their waits; of what is dispatched, waits that have not happened sit in the consumer's queue."""
    return graph.sequencer.token_limit - graph.sequencer.queue_depth - 1


def _monotone(links, unit):
    """Of links between the same units, those that wait for something later than all before them."""
    latest: dict[tuple[str, str], int] = {}
    kept = []
    for j, k, kind in sorted(links, key=lambda l: (l[1], -l[0])):
        pair = unit[j], unit[k]
        if j > latest.get(pair, -1):
            kept.append((j, k, kind))
            latest[pair] = j
    return kept


def _bounded(graph: Graph, pairs: list[tuple[int, int]], producers: list[int]) -> list[tuple[int, int]]:
    """``pairs`` with so few signals ahead of their waits that the counter cannot overflow.

    Where there would be more, a later instruction of the producer signals instead, one after the wait that many back;
    or, if there is none, the wait before waits for this signal too.
    """
    most = _most(graph)
    bounded: list[tuple[int, int]] = []
    for j, k in pairs:
        if bounded and j <= bounded[-1][0]:
            continue  # implied by the one before
        if len(bounded) >= most and j < bounded[-most][1]:
            later = bisect.bisect_right(producers, bounded[-most][1])
            if later == len(producers) or producers[later] >= k:
                bounded[-1] = j, bounded[-1][1]
                continue
            j = producers[later]
        bounded.append((j, k))
    return bounded
