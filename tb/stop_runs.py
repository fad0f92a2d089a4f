"""Runs that are stopped or reset at random cycles, in RTL, each followed by one whose results must be right to the last bit."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tenon.acg.encoding import Header
from tenon.acg.graph import Graph
from tenon.compiler.errors import CompileError
from tenon.compiler.instruction import Instruction
from tenon.compiler.tokens import place_tokens
from tenon.hw.params import SystolicParams
from tenon.hw.registers import ErrorCode, registers
from tenon.tb.functional import FunctionalSimulator, decode_program
from tenon.tb.gateware import graph_of, verilog_of
from tenon.tb.memory_state import dump_bytes, dump_program, fill_data, fill_program
from tenon.tb.model import simulate_program
from tenon.tb.random_programs import SEGMENT_BYTES, random_program, small_parameters
from tenon.tb.rtl import Dram, Outcome, Run, run_rtl

__all__ = ["SMALL", "run_stops"]

#: An accelerator whose memories are filled and shown in few cycles.
SMALL = SystolicParams(name="small", rows=4, cols=4, lanes=4, bus_bits=32, activation_bytes=1024, weight_bytes=1024,
                       accumulator_bytes=1024, vector_bytes=1024, parameter_bytes=1024, tables=1)

#: Cycles from the command, or from the last thing that was owed on the bus, to the interrupt at most; and to a request that
#: was on its way.
_END_CYCLES, _LAST_REQUEST_CYCLES = 6, 3

_PAGE = 4096
_CYCLE_LIMIT = 200_000


@dataclass(frozen=True)
class _Program:
    """A program in DRAM; for one that is checked, what its segments hold before and after it, one after the other."""

    place: int
    length: int
    cycles: int
    before: bytes = b""
    after: bytes = b""


def run_stops(params: SystolicParams, count: int, *, dram: Dram, seed: int = 1, programs: int = 8) -> Counter:
    """Stops ``count`` runs of ``programs`` different programs, and runs as many others in between; counts what came of it.

    Raises
    ------
    AssertionError
        A run ended late or with another error, or the one after it had a wrong result; the message says which.
    """
    return _Stops(params, graph_of(params), random.Random(seed), programs).run(count, dram)


class _Stops:
    def __init__(self, params: SystolicParams, graph: Graph, rng: random.Random, programs: int):
        self.params, self.graph, self.rng = params, graph, rng
        self.contents = bytearray()
        data = fill_data(graph, np.random.default_rng(rng.getrandbits(32)), small_parameters(graph))
        self.data = data.ljust(-(-len(data) // _PAGE) * _PAGE, b"\0")
        self.sizes = dict.fromkeys(graph.segment_names, SEGMENT_BYTES)
        self.sizes |= {"CONSTANTS": len(self.data), "OUTPUTS": SEGMENT_BYTES + -(-dump_bytes(graph) // _PAGE) * _PAGE}
        self.stopped = [self.place(random_program(graph, rng.getrandbits(32)).instructions) for _ in range(programs)]
        self.checked = [self.whole_program() for _ in range(programs)]
        self.scratch = self.put(rng.randbytes(len(graph.segment_names) * SEGMENT_BYTES))

    def put(self, contents: bytes) -> int:
        place = len(self.contents)
        self.contents += contents.ljust(-(-len(contents) // _PAGE) * _PAGE, b"\0")
        return place

    def place(self, instructions: Sequence[Instruction], **segments: bytes) -> _Program:
        image = self.graph.sequencer.encoding.image(instructions)
        cycles = simulate_program(decode_program(image, self.graph), self.graph).cycles
        return _Program(self.put(image), len(instructions) + 1, cycles, **segments)

    def whole_program(self) -> _Program:
        """Fills every memory, does something random, and shows every memory behind what that wrote to OUTPUTS."""
        graph = self.graph
        shown = [replace(i, fields={**i.fields, "d": i.fields["d"] + SEGMENT_BYTES}) if i.mnemonic.unit == "STORE" else i
                 for i in dump_program(graph)]
        while True:
            body = random_program(graph, self.rng.getrandbits(32)).instructions
            try:
                program = place_tokens(graph, [replace(i, header=Header()) for i in (*fill_program(graph), *body, *shown)])
                break
            except CompileError:  # too many pairs of units depend on each other
                continue
        dram = {name: np.frombuffer(self.data if name == "CONSTANTS" else self.rng.randbytes(size), np.uint8).copy()
                for name, size in self.sizes.items()}
        before = b"".join(contents.tobytes() for contents in dram.values())
        FunctionalSimulator(graph.memory_bytes).run(decode_program(graph.sequencer.encoding.image(program), graph), dram)
        return self.place(program, before=before, after=b"".join(contents.tobytes() for contents in dram.values()))

    def run(self, count: int, dram: Dram) -> Counter:
        runs, checked, segments, power_on = [], [], len(self.graph.segment_names), _power_on(self.params)
        for _ in range(count):
            program, check = self.rng.choice(self.stopped), self.rng.choice(self.checked)
            runs.append(Run(program.place, program.length, tuple(self.scratch + SEGMENT_BYTES * i for i in range(segments)),
                            _CYCLE_LIMIT, may_stick=True, counters=False, sizes=(SEGMENT_BYTES,) * segments,
                            stop_after=self.rng.randrange(program.cycles), stop_by=self.rng.choice(("STOP", "STOP", "RESET")),
                            reads=tuple(power_on)))
            at, sizes = self.put(check.before), tuple(self.sizes.values())
            bases = tuple(at + end - size for size, end in zip(sizes, itertools.accumulate(sizes), strict=True))
            runs.append(Run(check.place, check.length, bases, _CYCLE_LIMIT, may_stick=True, counters=False, sizes=sizes))
            checked.append((at, check))
        result = run_rtl(verilog_of(self.params), self.params, runs, image=[(0, bytes(self.contents))],
                         regions=[(0, len(self.contents))], dram=dram)
        seen = Counter(cycles=result.cycles, bytes=len(self.contents))
        for number, outcome in enumerate(result.runs[::2]):
            seen += _judged(number, runs[2 * number], outcome, tuple(power_on.values()))
        assert all(outcome.error is ErrorCode.NONE and not outcome.stuck for outcome in result.runs[1::2])
        for at, check in checked:
            self.contents[at:at + len(check.after)] = check.after
        scratch = slice(self.scratch, self.scratch + segments * SEGMENT_BYTES)
        wrong = np.frombuffer(result.regions[0], np.uint8) != np.frombuffer(bytes(self.contents), np.uint8)
        wrong[scratch] = False
        assert not wrong.any(), f"{wrong.sum()} bytes are wrong, the first at {wrong.argmax():#x}"
        return seen


def _power_on(params: SystolicParams) -> dict[int, int]:
    """What registers hold that a run changes, by their offsets, when it has never been run."""
    regs = registers(params)
    values = {regs.offset(r.name, i): 0 for r in regs.registers if r.name not in ("ID", "VERSION", "FINGERPRINT", "MARK")
              for i in range(r.count)}
    low, high = 0xFFFF_FFFF, (1 << params.address_bits - 32) - 1
    return values | {regs.offset(name, i): value for name, value in (("SEGMENT_BYTES", low), ("SEGMENT_BYTES_HIGH", high))
                     for i in range(regs[name].count)}


def _judged(number: int, run: Run, outcome: Outcome, power_on: tuple[int, ...]) -> Counter:
    """What became of a run that was to be stopped."""
    stop = outcome.stop
    assert not outcome.stuck, f"run {number} does not end"
    if stop is None or run.stop_by == "STOP" and outcome.error is ErrorCode.NONE:
        return Counter(ended=1)
    assert stop.requested <= stop.written + _LAST_REQUEST_CYCLES, f"run {number} went on to ask after it was stopped"
    found = Counter(stopped=1, owed=stop.answered > stop.written, asked=stop.requested > stop.written)
    if run.stop_by == "RESET":
        assert outcome.reads == power_on, f"registers after the reset of run {number}: {outcome.reads}"
        return found + Counter(reset=1)
    assert outcome.error is ErrorCode.STOPPED, f"run {number} ended with {outcome.error.name}"
    late = outcome.cycles - max(stop.written, stop.answered)
    assert late <= _END_CYCLES, f"run {number} ended {late} cycles after the bus had answered"
    return found
