"""Trials: programs run in RTL from a known state, and what came of them. Many go into one simulation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tenon.hw.encoding import ENCODING
from tenon.hw.params import SystolicParams
from tenon.tb.rtl import Dram, Outcome, Run, run_rtl

__all__ = ["DRAM_LATENCY", "Laboratory", "Program", "Result", "Trial"]

#: The DRAM answers at once, so that what is measured is hardware's own.
DRAM_LATENCY = 1

_PAGE = 4096
_BATCH_BYTES = 40 << 20  # of DRAM in one simulation


@dataclass(frozen=True)
class Program:
    """One start of the accelerator.

    ``contents`` pairs the number of a segment with what it holds at first; of the segments in ``shown`` the result has
    what they hold in the end. ``bases`` sets segments' base registers to an address instead; ``length`` the register
    for the number of instructions, if it is not that of ``image``; ``reads``: registers to read in the end, besides
    ``counters``.
    """

    image: bytes
    contents: tuple[tuple[int, bytes], ...] = ()
    shown: frozenset[int] = frozenset()
    bases: tuple[tuple[int, int], ...] = ()
    length: int | None = None
    reads: tuple[int, ...] = ()
    cycle_limit: int = 1_000_000
    counters: bool = True


@dataclass(frozen=True)
class Trial:
    """Programs that run one after the other; nothing is known of the on-chip memories before the first."""

    programs: tuple[Program, ...]


@dataclass(frozen=True)
class Result:
    """What a trial's programs did, and what the shown segments of each hold in the end."""

    outcomes: tuple[Outcome, ...]
    shown: tuple[Mapping[int, bytes], ...]


class Laboratory:
    """Runs trials on the RTL of one configuration; equal trials once.

    Parameters
    ----------
    verilog : str
        Text of module ``tenon``.
    segments : int
        Number of DRAM segments, that is of base registers that are written.
    """

    def __init__(self, verilog: str, params: SystolicParams, segments: int):
        self.verilog, self.params, self.segments = verilog, params, segments
        self.results: dict[Trial, Result] = {}
        self.cycles = 0

    def measure(self, trials: Iterable[Trial]) -> None:
        """Puts the results of ``trials`` into ``results``."""
        new = [t for t in dict.fromkeys(trials) if t not in self.results]
        while new:
            batch, size, shared = [], 0, set()
            while new and size < _BATCH_BYTES:
                batch.append(new.pop())
                for program in batch[-1].programs:
                    texts = [program.image, *(c for number, c in program.contents if number not in program.shown)]
                    size += sum(len(t) + _PAGE for t in set(texts) - shared)
                    size += sum(len(c) + _PAGE for number, c in program.contents if number in program.shown)
                    shared.update(texts)
            self._simulate(batch)

    def _simulate(self, trials: list[Trial]) -> None:
        image: list[tuple[int, bytes]] = []
        known: dict[bytes, int] = {}
        at = 0

        def put(contents: bytes, shared: bool) -> int:
            nonlocal at
            if shared and contents in known:
                return known[contents]
            place, at = at, at + -(-max(len(contents), 1) // _PAGE) * _PAGE
            image.append((place, contents))
            if shared:
                known[contents] = place
            return place

        runs, regions = [], []
        for program in (p for t in trials for p in t.programs):
            bases = {number: put(contents, number not in program.shown) for number, contents in program.contents}
            bases |= dict(program.bases)
            start = put(program.image, True)
            length = len(program.image) // ENCODING.bytes if program.length is None else program.length
            runs.append(Run(start, length, tuple(bases.get(i, 0) for i in range(self.segments)), program.cycle_limit,
                            may_stick=True, reads=program.reads, counters=program.counters))
            regions += [(bases[number], len(contents)) for number, contents in program.contents if number in program.shown]
        word = self.params.bus_bytes
        found = run_rtl(self.verilog, self.params, runs, image=image, regions=[(a, -(-n // word) * word) for a, n in regions],
                        dram=Dram(latency=DRAM_LATENCY), bursts=True)
        outcomes, shown = iter(found.runs), iter(zip(found.regions, regions, strict=True))
        for trial in trials:
            done, seen = [], []
            for program in trial.programs:
                done.append(next(outcomes))
                seen.append({number: _cut(*next(shown)) for number, _ in program.contents if number in program.shown})
            self.results[trial] = Result(tuple(done), tuple(seen))
        self.cycles += found.cycles


def _cut(contents: bytes, region: tuple[int, int]) -> bytes:
    return contents[:region[1]]
