"""Random layers through the whole stack: reference, functional simulator, RTL, each against the one before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tenon.compiler.compile import compile_graph
from tenon.compiler.frontend import read_graph
from tenon.compiler.host import quantise_inputs
from tenon.compiler.program import Program
from tenon.hw.covenant import covenant
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset
from tenon.hw.registers import ErrorCode
from tenon.tb.functional import FunctionalSimulator
from tenon.tb.gateware import verilog_of
from tenon.tb.random_layers import KINDS, Case, random_case
from tenon.tb.reference import Reference
from tenon.tb.rtl import Dram, Run, run_rtl

__all__ = ["SHAPES", "Prepared", "against_reference", "against_rtl", "all_against_reference", "prepare", "prepare_case",
           "shape_of"]

#: Arrays that random layers run on.
SHAPES: dict[str, SystolicParams] = {
    "4x4": preset("tiny"),
    "8x8": preset("edge8"),
    "4x16": SystolicParams(name="r4x16", rows=4, cols=16, lanes=16, bus_bits=64, activation_bytes=16384, weight_bytes=16384,
                           accumulator_bytes=16384, vector_bytes=16384, parameter_bytes=8192),
    "16x8": SystolicParams(name="r16x8", rows=16, cols=8, lanes=2, bus_bits=32, activation_bytes=16384, weight_bytes=16384,
                           accumulator_bytes=16384, vector_bytes=16384, parameter_bytes=8192),
}

_PAGE = 4096


def shape_of(seed: int) -> str:
    """The array on which a seed's case runs; kinds of layers and arrays meet in all combinations."""
    return list(SHAPES)[sum(divmod(seed, len(KINDS))) % len(SHAPES)]


@dataclass(frozen=True)
class Prepared:
    """A compiled case, and what the functional simulator made of it: DRAM before and after."""

    case: Case
    program: Program
    before: dict[str, np.ndarray]
    after: dict[str, np.ndarray]
    classes: dict[str, str]  # of the model's tensors that the program leaves in DRAM: exact, step, after


def prepare(seed: int, params: SystolicParams) -> Prepared:
    """The random case of a seed, compiled for ``params`` and executed in the functional simulator."""
    return prepare_case(random_case(seed), params)


def prepare_case(case: Case, params: SystolicParams, *, effort: int = 2, **options) -> Prepared:
    """Compiles a case for ``params``, with ``options`` of ``compile_graph``, and executes it in the functional simulator."""
    graph = read_graph(case.model)
    program = compile_graph(graph, covenant(params), effort=effort, **options)
    before = program.memory()
    for name, array in quantise_inputs(graph, case.inputs).items():
        program.tensors[name].write(before, array)
    after = {name: held.copy() for name, held in before.items()}
    FunctionalSimulator(program.covenant.memory_bytes).run(program.instructions, after)
    classes = {name: kind for name, kind in graph.classes.items() if name in program.tensors and graph.tensors[name].onnx_name}
    return Prepared(case, program, before, after, classes)


def against_reference(prepared: Prepared) -> Counter:
    """Elements compared and mismatches of each class, and the largest difference, by name.

    Every tensor of the model that the program leaves in DRAM is compared; the largest difference leaves out what is
    computed from elements that may be a step off.
    """
    tensors = {name: prepared.program.tensors[name] for name in prepared.classes}
    names = [placed.tensor.onnx_name for placed in tensors.values()]
    expected = Reference(prepared.case.model, names).run(prepared.case.inputs)
    seen = Counter()
    for name, placed in tensors.items():
        ours = placed.tensor.to_onnx(placed.read(prepared.after)).astype(int)
        difference = np.abs(ours - expected[placed.tensor.onnx_name].astype(int))
        kind = prepared.classes[name]
        seen[kind] += difference.size
        seen[f"{kind}_mismatches"] += int((difference > 0).sum())
        if kind != "after":
            seen["max_difference"] = max(seen["max_difference"], int(difference.max()))
        seen[str(placed.tensor.dtype)] += 1
    return seen


def all_against_reference(batch: Sequence[Prepared]) -> Counter:
    """Counts of ``against_reference`` over all cases, and the largest difference of any."""
    total = Counter()
    for found in map(against_reference, batch):
        worst = max(total["max_difference"], found["max_difference"])
        total += found
        total["max_difference"] = worst
    return total


def against_rtl(batch: Sequence[Prepared], params: SystolicParams, dram: Dram | None = None) -> Counter:
    """Runs all cases in one simulation; counts bytes compared and differing from the functional simulator's DRAM."""
    image, runs, regions, expected, at = [], [], [], [], 0

    def put(data: bytes) -> int:
        nonlocal at
        place, at = at, at + -(-max(len(data), 1) // _PAGE) * _PAGE
        image.append((place, data))
        return place

    for prepared in batch:
        code = prepared.program.image()
        start = put(code)
        bases = {name: put(held.tobytes()) for name, held in prepared.before.items()}
        runs.append(Run(start, len(prepared.program.instructions) + 1,
                        tuple(bases[name] for name in prepared.program.covenant.segment_names), cycle_limit=2_000_000,
                        sizes=tuple(prepared.before[name].size for name in prepared.program.covenant.segment_names)))
        for name in ("ARENA", "OUTPUTS"):
            regions.append((bases[name], -(-prepared.after[name].size // params.bus_bytes) * params.bus_bytes))
            expected.append((prepared.case.name, name, prepared.after[name]))
    result = run_rtl(verilog_of(params), params, runs, image=image, regions=regions, dram=dram)
    seen = Counter(cycles=result.cycles)
    for prepared, outcome in zip(batch, result.runs, strict=True):
        if outcome.error is not ErrorCode.NONE:
            raise AssertionError(f"{prepared.case.name} ended with {outcome.error.name} at instruction {outcome.index}")
    for (case, name, wanted), got in zip(expected, result.regions, strict=True):
        differing = int((np.frombuffer(got, np.uint8)[:wanted.size] != wanted).sum())
        seen["bytes"] += wanted.size
        seen["mismatches"] += differing
        if differing:
            seen[f"{case} {name}"] += differing
    return seen
