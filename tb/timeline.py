"""When each instruction of a run was where, and what the engines waited for: the same from RTL and from the cycle model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

__all__ = ["Span", "Timeline", "Wait", "Windows", "busy_intervals", "idle_waits", "merged", "token_levels"]

#: A pause this short does not end a wait: an engine that gets a bank every other cycle waits for it throughout.
_PAUSE = 16


@dataclass(frozen=True)
class Span:
    """Instruction ``index`` of the program on its way through an engine; moments in cycles since the start command."""

    index: int
    engine: str
    granted: int  # has its tokens
    begun: int  # worked on
    released: int  # its operands have been read
    done: int  # its results are visible


@dataclass(frozen=True)
class Wait:
    """``engine`` waited for ``cause`` ("token", "bank", "bus", "empty": nothing queued) in ``cycles`` of the cycles
    ``begin``..``end`` (not included); ``index``: the instruction that waited for tokens."""

    engine: str
    cause: str
    begin: int
    end: int
    cycles: int
    index: int | None = None


@dataclass(frozen=True)
class Timeline:
    """A run of ``cycles``. ``beats``: (first cycle, beats read, beats written) of each window of ``window`` cycles in
    which any moved. ``spans`` are in program order."""

    cycles: int
    spans: tuple[Span, ...]
    waits: tuple[Wait, ...]
    beats: tuple[tuple[int, int, int], ...]
    window: int


class Windows:
    """Counts the beats of bursts in windows of ``cycles``."""

    def __init__(self, cycles: int = 64):
        self.cycles = cycles
        self._counts: dict[int, list[int]] = {}

    def add(self, end: int, beats: int, write: bool) -> None:
        """One beat in each of the ``beats`` cycles before ``end``."""
        at = end - beats
        while at < end:
            until = min(end, (at // self.cycles + 1) * self.cycles)
            self._counts.setdefault(at // self.cycles, [0, 0])[write] += until - at
            at = until

    def rows(self) -> tuple[tuple[int, int, int], ...]:
        """As in a ``Timeline``."""
        return tuple((at * self.cycles, *self._counts[at]) for at in sorted(self._counts))


def busy_intervals(spans: Iterable[Span]) -> list[tuple[Span, int, int]]:
    """(span, begin, end) for spans of one engine, in order and without overlap.

    An engine may take an instruction while the one before drains; the cycles of both belong to the older one.
    """
    intervals, before = [], 0
    for span in spans:
        begin = max(span.begun, before)
        intervals.append((span, begin, max(begin, span.done)))
        before = max(before, span.done)
    return intervals


def idle_waits(engine: str, spans: Sequence[Span], heads: Sequence[int], cycles: int) -> list[Wait]:
    """Why an engine is idle between its instructions, which reached the head of its queue at ``heads``."""
    waits, before = [], 0
    for (span, _, end), head in zip(busy_intervals(spans), heads, strict=True):
        arrived = max(before, head)
        for cause, begin, until, index in (("empty", before, min(arrived, span.begun), None),
                                           ("token", arrived, span.granted, span.index)):
            if until > begin:
                waits.append(Wait(engine, cause, begin, until, until - begin, index))
        before = end
    return waits + ([Wait(engine, "empty", before, cycles, cycles - before)] if cycles > before else [])


def merged(waits: Sequence[Wait]) -> list[Wait]:
    """Waits of one engine for one cause, in order of time; those with a short pause between them become one."""
    result: list[Wait] = []
    for wait in waits:
        if result and wait.index == result[-1].index and wait.begin - result[-1].end <= _PAUSE:
            result[-1] = replace(result[-1], end=wait.end, cycles=result[-1].cycles + wait.cycles)
        else:
            result.append(wait)
    return result


def token_levels(spans: Sequence[Span], headers: Sequence) -> tuple[list[tuple[int, int, int]], dict[int, int]]:
    """Levels of the token counters, from the instructions' headers (``waits``, ``release``, ``done``: masks).

    Returns
    -------
    list of (cycle, token, level)
        In order of time: every change of a level.
    dict of int to int
        For an instruction that waits for tokens: the one whose signal came last.
    """
    changes = []  # signals before takings in one cycle
    for span in spans:
        header = headers[span.index]
        changes += [(span.released, 0, token, span.index) for token in _bits(header.release)]
        changes += [(span.done, 0, token, span.index) for token in _bits(header.done)]
        changes += [(span.granted + 1, 1, token, span.index) for token in _bits(header.waits)]
    held: dict[int, list[tuple[int, int]]] = {}
    levels, latest = [], {}
    for cycle, taken, token, index in sorted(changes):
        signals = held.setdefault(token, [])
        if not taken:
            signals.append((cycle, index))
        elif signals:
            latest[index] = max(latest.get(index, (-1, -1)), signals.pop(0))
        if levels and levels[-1][:2] == (cycle, token):
            levels.pop()
        levels.append((cycle, token, len(signals)))
    return levels, {index: by for index, (_, by) in latest.items()}


def _bits(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]
