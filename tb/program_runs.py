"""Random programs in RTL, many in one simulation: legal ones against the functional simulator, illegal ones against
the promised error."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from tenon.acg.graph import Graph
from tenon.hw.params import SystolicParams
from tenon.hw.registers import ErrorCode
from tenon.tb.functional import FunctionalSimulator, Instruction, decode_program
from tenon.tb.gateware import verilog_of
from tenon.tb.illegal_programs import NOWHERE, IllegalProgram
from tenon.tb.memory_state import dump_bytes, dump_program, fill_data, fill_program
from tenon.tb.random_programs import SEGMENT_BYTES, RandomProgram, small_parameters
from tenon.tb.rtl import Dram, Outcome, Run, run_rtl

__all__ = ["ProgramRuns", "run_programs"]

_PAGE = 4096
_CYCLE_LIMIT = 4_000_000  # of one run
_BATCH_BYTES = 48 << 20  # of DRAM in one simulation
_DRAM_BYTES = 1 << 26  # what the simulated system has


@dataclass(frozen=True)
class ProgramRuns:
    """What became of a set of programs; ``problems``: a line for each that did not do as promised."""

    legal: int
    illegal: int
    instructions: int  # of the legal ones
    compared_bytes: int
    cycles: int
    problems: tuple[str, ...]

    def __add__(self, other: ProgramRuns) -> ProgramRuns:
        return ProgramRuns(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def run_programs(params: SystolicParams, graph: Graph, legal: Sequence[RandomProgram], illegal: Sequence[IllegalProgram], *,
                 dram: Dram | None = None, seed: int = 1) -> ProgramRuns:
    """Runs legal and illegal programs in turn.

    Every legal one finds all memories filled anew, and is followed by a program that copies all of them to DRAM. After
    the last one, the whole of DRAM (but for what an illegal program may have written) must be as the functional
    simulator says.
    """
    size = len(graph.segment_names) * SEGMENT_BYTES + dump_bytes(graph) + 2 * _PAGE
    batches = max(1, -(-len(legal) * size // _BATCH_BYTES))
    parts = [_Batch(params, graph, legal[k::batches], illegal[k::batches], seed + k).run(dram) for k in range(batches)]
    return functools.reduce(operator.add, parts)


class _Batch:
    """The programs of one simulation. ``memory`` is all of DRAM, and becomes what it must be in the end."""

    def __init__(self, params: SystolicParams, graph: Graph, legal: Sequence[RandomProgram], illegal: Sequence[IllegalProgram],
                 seed: int):
        self.params, self.graph, self.legal, self.illegal = params, graph, legal, illegal
        self.rng = np.random.default_rng(seed)
        self.image: list[tuple[int, bytes]] = []
        self.at = 0
        self.runs: list[tuple[Run, RandomProgram | IllegalProgram | str]] = []
        self.areas: list[tuple[str, int, int]] = []  # what is compared: whose, address, bytes
        self.functional: list[tuple[list[Instruction], dict[str, tuple[int, int]]]] = []

    def put(self, contents: bytes) -> int:
        place, self.at = self.at, self.at + -(-max(len(contents), 1) // _PAGE) * _PAGE
        self.image.append((place, contents))
        return place

    def segments(self, fixed: dict[str, int]) -> tuple[int, ...]:
        return tuple(fixed.get(name, 0) for name in self.graph.segment_names)

    def run(self, dram: Dram | None) -> ProgramRuns:
        graph = self.graph
        data = fill_data(graph, self.rng, small_parameters(graph))
        fill, dump = ([*p] for p in (fill_program(graph), dump_program(graph)))
        codes = [graph.sequencer.encoding.image(p) for p in (fill, dump)]
        constants, fill_at, dump_at = self.put(data), *(self.put(code) for code in codes)
        scratch = {name: self.put(self.rng.bytes(SEGMENT_BYTES)) for name in graph.segment_names}  # of illegal programs
        self.open = min(scratch.values()), self.at
        legal, illegal = list(self.legal), list(self.illegal)
        while legal or illegal:
            if legal:
                program = legal.pop(0)
                code = graph.sequencer.encoding.image(program.instructions)
                start = self.put(code)
                own = {name: self.put(self.rng.bytes(SEGMENT_BYTES)) for name in graph.segment_names}
                shown = self.put(bytes(dump_bytes(graph)))
                whole = {"CONSTANTS": (constants, len(data)), "OUTPUTS": (shown, dump_bytes(graph))}
                bodies = {name: (place, SEGMENT_BYTES) for name, place in own.items()}
                for what, place, instructions, where in (
                        ("filling", fill_at, fill, whole), (program, start, program.instructions, bodies),
                        ("showing", dump_at, dump, whole)):
                    bases, sizes = (self.segments({name: w[k] for name, w in where.items()}) for k in (0, 1))
                    self.runs.append((Run(place, len(instructions) + 1, bases, _CYCLE_LIMIT, sizes=sizes), what))
                    self.functional.append((decode_program(graph.sequencer.encoding.image(instructions), graph), where))
                self.areas += [(f"program {program.seed}: {name}", place, SEGMENT_BYTES) for name, place in own.items()]
                self.areas.append((f"program {program.seed}: on-chip memories", shown, dump_bytes(graph)))
            if illegal:
                broken = illegal.pop(0)
                if broken.held is None:
                    start = self.put(broken.image)
                else:
                    start = _DRAM_BYTES - broken.held * graph.sequencer.encoding.bytes if broken.held else NOWHERE
                    self.image.append((start, broken.image[:broken.held * graph.sequencer.encoding.bytes]))
                bases = self.segments(scratch | ({broken.unmapped: NOWHERE} if broken.unmapped else {}))
                sizes = (SEGMENT_BYTES,) * len(graph.segment_names)
                self.runs.append((Run(start, broken.length, bases, _CYCLE_LIMIT, sizes=sizes), broken))
        return self.compare(dram)

    def compare(self, dram: Dram | None) -> ProgramRuns:
        expected = np.zeros(self.at, np.uint8)
        for place, contents in self.image:
            if place < self.at:
                expected[place:place + len(contents)] = np.frombuffer(contents, np.uint8)
        simulator = FunctionalSimulator(self.graph.memory_bytes)
        for instructions, where in self.functional:
            simulator.run(instructions, {name: expected[base:base + size] for name, (base, size) in where.items()})
        result = run_rtl(verilog_of(self.params), self.params, [run for run, _ in self.runs],
                         image=[(a, c) for a, c in self.image if a < NOWHERE], regions=[(0, self.at)], dram=dram)
        problems = [line for (_, what), outcome in zip(self.runs, result.runs, strict=True) for line in _judged(what, outcome)]
        seen = np.frombuffer(result.regions[0], np.uint8)
        problems += self.differences(expected, seen)
        return ProgramRuns(len(self.legal), len(self.illegal), sum(len(p.instructions) for p in self.legal), self.at,
                           result.cycles, tuple(problems))

    def differences(self, expected: np.ndarray, seen: np.ndarray) -> list[str]:
        """Bytes of DRAM that are not as they must be, by whom they belong to."""
        wrong = np.flatnonzero(expected != seen)
        wrong = wrong[(wrong < self.open[0]) | (wrong >= self.open[1])]
        lines = []
        for what, place, size in self.areas:
            here = wrong[(wrong >= place) & (wrong < place + size)]
            if here.size:
                lines.append(f"{what}: {here.size} bytes differ, the first at {here[0] - place:#x}")
                wrong = np.setdiff1d(wrong, here, assume_unique=True)
        if wrong.size:
            lines.append(f"{wrong.size} bytes differ that belong to no program, the first at {wrong[0]:#x}")
        return lines


def _judged(what: RandomProgram | IllegalProgram | str, outcome: Outcome) -> list[str]:
    if isinstance(what, IllegalProgram):
        name, error, (low, high) = what.name, what.error, what.index
    else:
        name = what if isinstance(what, str) else f"program {what.seed}"
        error, low, high = ErrorCode.NONE, 0, 1 << 24
        if not isinstance(what, str):
            low = high = len(what.instructions) + 1
            strange = {m.index for m in outcome.marks} - {i.header.mark for i in what.instructions}
            if strange:
                return [f"{name}: time stamps {sorted(strange)} of no instruction"]
    if outcome.error != error or not low <= outcome.index <= high:
        return [f"{name}: {outcome.error.name} after {outcome.index} instructions, not {error.name} after {low}..{high}"]
    return []
