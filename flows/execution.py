"""Executes a program on one of the simulators: tensors in, tensors and cycles out."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenon.acg.parts import Role
from tenon.compiler.program import Program
from tenon.flows.errors import UserError
from tenon.hw.params import SystolicParams
from tenon.hw.registers import ErrorCode
from tenon.tb.functional import FunctionalSimulator, decode_program
from tenon.tb.gateware import verilog_of
from tenon.tb.model import simulate_program
from tenon.tb.rtl import Dram, Run, run_rtl
from tenon.tb.runner import SimulationError
from tenon.tb.timeline import Timeline
from tenon.tb.waves import Waves

__all__ = ["Execution", "Simulator", "Stamp", "Tensors", "execute", "time_programs"]

Tensors = dict[str, np.ndarray]  # NHWC arrays by name

_PAGE = 4096  # segments begin at its multiples, so that the bursts of every run are cut alike
_DRAM_BYTES = 1 << 30  # the largest DRAM that is simulated


class Simulator(enum.StrEnum):
    """What executes a program."""

    VERILATOR = "verilator"
    ICARUS = "icarus"
    FUNCTIONAL = "functional"  # values, no cycles
    MODEL = "model"  # cycles, no values


@dataclass(frozen=True)
class Stamp:
    """The instruction with this ``mark`` was done at ``cycle``; ``counters`` as they stood then, if known."""

    mark: int
    cycle: int
    counters: Mapping[str, int]


@dataclass(frozen=True)
class Execution:
    """What a simulator did: ``tensors`` after each run, ``cycles`` of each; counters, stamps and timeline (if asked for)
    of the first run."""

    tensors: tuple[Tensors, ...]
    cycles: tuple[int, ...]
    counters: Mapping[str, int]
    stamps: tuple[Stamp, ...]
    wall_seconds: float
    timeline: Timeline | None = None


def execute(program: Program, inputs: Sequence[Tensors], simulator: Simulator, *, params: SystolicParams | None = None,
            dram: Dram | None = None, waves: Waves | None = None, observe: bool = False,
            progress: Callable[[int, int], None] | None = None) -> Execution:
    """Runs ``program`` once for each set of input tensors, the cycle model just once.

    Parameters
    ----------
    params : SystolicParams
        The hardware, for RTL.
    dram : Dram, optional
        The DRAM's settings, for RTL; the standard DRAM if not given.
    waves : Waves, optional
        Record signals, in RTL.
    observe : bool
        Give a timeline. RTL is built with what writes it down.
    progress : callable, optional
        Told (number of the run, cycles so far; 0 if nobody counts them).

    Raises
    ------
    UserError
        If the runs do not fit the simulated DRAM.
    SimulationError
        If the accelerator answers with an error, or never.
    """
    if simulator is Simulator.MODEL:
        return _model(program)
    memories = [_memory(program, tensors, seed) for seed, tensors in enumerate(inputs)]
    if simulator is Simulator.FUNCTIONAL:
        return _functional(program, memories, progress)
    if params is None:
        raise ValueError("RTL needs its parameters")
    return _rtl(program, memories, params, simulator, dram, waves, observe, progress)


def _memory(program: Program, tensors: Tensors, seed: int) -> dict[str, np.ndarray]:
    """DRAM segments before a run: constants, inputs, and random bytes elsewhere, so that nothing relies on zeros."""
    rng = np.random.default_rng(seed)
    memory, constants = program.memory(), program.covenant.segment(Role.CONSTANTS)
    for name, array in memory.items():
        if name != constants:
            array[:] = rng.integers(0, 256, array.size, dtype=np.uint8)
    for name, array in tensors.items():
        program.tensors[name].write(memory, array)
    return memory


def _tensors(program: Program, memory: Mapping[str, np.ndarray]) -> Tensors:
    return {name: placed.read(memory) for name, placed in program.tensors.items()}


def _functional(program: Program, memories: Sequence[dict[str, np.ndarray]], progress) -> Execution:
    simulator = FunctionalSimulator(program.covenant.memory_bytes)
    began = time.perf_counter()
    for number, memory in enumerate(memories):
        if progress is not None:
            progress(number, 0)
        simulator.run(program.instructions, memory)
    seconds = time.perf_counter() - began
    return Execution(tuple(_tensors(program, m) for m in memories), (), {}, (), seconds)


def _model(program: Program) -> Execution:
    began = time.perf_counter()
    said = simulate_program(decode_program(program.image(), program.covenant), program.covenant)
    stamps = tuple(Stamp(mark, cycle, {}) for mark, cycle in said.marks)
    return Execution((), (said.cycles,), said.counters, stamps, time.perf_counter() - began, said.timeline)


class _Image:
    """What DRAM holds before runs, from its beginning on."""

    def __init__(self) -> None:
        self.parts: list[tuple[int, bytes]] = []
        self.end = 0

    def put(self, contents: bytes) -> int:
        """The address of ``contents``."""
        address = self.end
        self.parts.append((address, contents))
        self.end += -(-max(len(contents), 1) // _PAGE) * _PAGE
        return address

    def program(self, program: Program) -> tuple[int, int, int]:
        """Addresses of a program and its constants, and how many instructions it has."""
        code = program.image()
        return self.put(code), self.put(program.constants), len(program.instructions) + 1

    def run(self, program: Program, placed: tuple[int, int, int], memory: Mapping[str, np.ndarray],
            dram: Dram) -> tuple[Run, dict[str, int]]:
        """A run over ``memory``, and where its segments are."""
        start, constants, length = placed
        shared = program.covenant.segment(Role.CONSTANTS)  # all runs have it in common
        bases = {name: constants if name == shared else self.put(array.tobytes()) for name, array in memory.items()}
        order, sizes = zip(*((bases[name], memory[name].size) for name in program.covenant.segment_names), strict=True)
        return Run(start, length, order, _cycle_limit(program, dram), sizes=sizes), bases


def time_programs(programs: Sequence[Program], params: SystolicParams, *, dram: Dram | None = None) -> list[tuple[int, tuple[Stamp, ...]]]:
    """Cycles and stamps of each program in RTL, all in one simulation, over random inputs that nobody compares.

    Raises
    ------
    SimulationError
        If the accelerator answers with an error, or never.
    """
    image = _Image()
    runs = [image.run(p, image.program(p), _memory(p, {}, seed), dram or Dram())[0] for seed, p in enumerate(programs)]
    result = run_rtl(verilog_of(params), params, runs, image=image.parts, dram=dram)
    _ended(result.runs)
    return [(run.cycles, tuple(Stamp(mark.index, mark.cycle, mark.counters) for mark in run.marks)) for run in result.runs]


def _ended(outcomes) -> None:
    for number, outcome in enumerate(outcomes):
        if outcome.error != ErrorCode.NONE:
            raise SimulationError(f"run {number}: the accelerator ended with error {outcome.error.name} "
                                  f"after {outcome.index} instructions")


def _rtl(program: Program, memories: Sequence[dict[str, np.ndarray]], params: SystolicParams, simulator: Simulator,
         dram: Dram | None, waves: Waves | None, observe: bool, progress) -> Execution:
    image, constants = _Image(), program.covenant.segment(Role.CONSTANTS)
    placed = image.program(program)
    runs, regions = [], []
    for memory in memories:
        run, bases = image.run(program, placed, memory, dram or Dram())
        runs.append(run)
        regions += [(bases[name], array.size) for name, array in memory.items() if name != constants and array.size]
    if image.end > _DRAM_BYTES:
        raise UserError(f"{len(runs)} runs need {image.end} bytes of DRAM, more than {_DRAM_BYTES}: run fewer at a time with --runs")
    result = run_rtl(verilog_of(params), params, runs, image=image.parts, regions=regions, dram=dram, simulator=simulator.value,
                     waves=waves, observe=[i.mnemonic.unit for i in program.instructions] if observe else None, progress=progress)
    _ended(result.runs)
    contents = iter(result.regions)
    for memory in memories:
        for name, array in memory.items():
            if name != constants and array.size:
                array[:] = np.frombuffer(next(contents), np.uint8)
    first = result.runs[0]
    stamps = tuple(Stamp(mark.index, mark.cycle, mark.counters) for mark in first.marks)
    return Execution(tuple(_tensors(program, m) for m in memories), tuple(run.cycles for run in result.runs),
                     first.counters, stamps, result.wall_seconds, result.timeline)


def _cycle_limit(program: Program, dram: Dram) -> int:
    """Far more cycles than a run can take that is not stuck, with a DRAM that may be a slow one."""
    standard = Dram()
    slow = max(1, (dram.latency + dram.jitter) / standard.latency) * max(1, dram.cycles / dram.beats) * 100 / (100 - dram.stall)
    return int(slow * (100_000 + 100 * sum(max(layer.bound_cycles, 1000) for layer in program.layers)))
