"""What each engine did in each layer of a run: worked, or waited for something."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tenon.compiler.program import Program
from tenon.tb.timeline import Timeline, busy_intervals, token_levels

__all__ = ["EngineUse", "use_by_counters", "use_by_timeline"]


@dataclass(frozen=True)
class EngineUse:
    """Cycles of one engine. ``busy``: an instruction was in flight, ``bank`` and ``bus`` of these waiting for a bank of a memory
    or for the bus; ``token`` and ``empty``: idle, waiting for tokens or without an instruction.

    ``token_from`` splits ``token`` by the engine whose signal came last. None: the simulator does not know.
    """

    busy: int
    token: int
    bank: int | None
    bus: int | None
    empty: int
    token_from: Mapping[str, int] | None


def use_by_counters(engine: str, now: Mapping[str, int], before: Mapping[str, int],
                    token_from: Mapping[str, int] | None) -> EngineUse | None:
    """Between two readings of the hardware's counters, which may lack the engine."""
    names = [f"{engine}_{event}" for event in ("BUSY", "TOKEN", "BANK", "BUS", "EMPTY")]
    if not all(name in now for name in names):
        return None
    return EngineUse(*(now[name] - before.get(name, 0) for name in names), token_from)


def use_by_timeline(program: Program, timeline: Timeline, ends: Sequence[int]) -> list[dict[str, EngineUse]]:
    """For the intervals that end at ``ends``, each from the end of the one before: the use of each engine."""
    engine_of = [i.mnemonic.unit for i in program.instructions]
    _, signaller = token_levels(timeline.spans, [i.header for i in program.instructions])
    found: list[dict[str, EngineUse]] = [{} for _ in ends]
    for unit in program.covenant.units:
        sums: list[Counter] = [Counter() for _ in ends]
        origins: list[Counter] = [Counter() for _ in ends]
        for _, begin, end in busy_intervals([s for s in timeline.spans if s.engine == unit.name]):
            for interval, cycles in _split(begin, end, ends):
                sums[interval]["busy"] += cycles
        for wait in (w for w in timeline.waits if w.engine == unit.name and w.cause in ("token", "empty")):
            for interval, cycles in _split(wait.begin, wait.end, ends):
                sums[interval][wait.cause] += cycles
                if wait.index in signaller:
                    origins[interval][engine_of[signaller[wait.index]]] += cycles
        for interval, (total, origin) in enumerate(zip(sums, origins)):
            found[interval][unit.name] = EngineUse(total["busy"], total["token"], None, None, total["empty"], dict(origin))
    return found


def _split(begin: int, end: int, ends: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The cycles ``begin``..``end`` (not included) by the interval that they lie in."""
    interval = bisect_right(ends, begin)
    while begin < end and interval < len(ends):
        until = min(end, ends[interval])
        if until > begin:
            yield interval, until - begin
        begin, interval = until, interval + 1
