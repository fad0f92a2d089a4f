"""Random programs: what they reach, that everything is seen afterwards, and RTL against the promises."""

import random

import numpy as np
import pytest

from tenon.compiler.checker import check_program
from tenon.hw.covenant import covenant
from tenon.hw.registers import ErrorCode
from tenon.tb.functional import FunctionalSimulator
from tenon.tb.illegal_programs import illegal_programs
from tenon.tb.memory_state import dump_bytes, dump_program, fill_data, fill_program
from tenon.tb.program_runs import run_programs
from tenon.tb.random_programs import random_program, small_parameters, unreached
from tenon.tb.random_runs import SHAPES
from tenon.tb.rtl import Dram


@pytest.mark.parametrize("shape", SHAPES)
def test_programs_reach_every_corner(shape):
    graph = covenant(SHAPES[shape])
    programs = [random_program(graph, seed) for seed in range(60)]
    assert unreached(graph, programs) == []
    assert len(unreached(graph, programs[:1])) > 20, "a single program cannot reach all"
    assert random_program(graph, 5) == programs[5]


def test_illegal_programs_have_every_kind():
    graph = covenant(SHAPES["16x8"])
    programs = illegal_programs(graph, 60)
    assert {p.error for p in programs} == set(ErrorCode) - {ErrorCode.NONE, ErrorCode.STOPPED}
    assert len({p.name for p in illegal_programs(graph, 100)}) > 60


@pytest.mark.parametrize("shape", SHAPES)
def test_what_memories_hold_is_shown(shape):
    """Filled memories hold data everywhere, and whatever bit is wrong in them, what is shown is wrong too."""
    graph = covenant(SHAPES[shape])
    data = fill_data(graph, np.random.default_rng(1), small_parameters(graph))
    fill, dump = fill_program(graph), dump_program(graph)
    segments = {"CONSTANTS": len(data), "ARENA": 0, "INPUTS": 0, "OUTPUTS": dump_bytes(graph)}
    for program in (fill, dump):
        check_program(graph, graph.sequencer.encoding.image(program), segments)
    dram = {name: np.zeros(size, np.uint8) for name, size in segments.items()}
    dram["CONSTANTS"][:] = np.frombuffer(data, np.uint8)
    simulator = FunctionalSimulator(graph.memory_bytes)
    simulator.run(fill, dram)
    held = {name: contents.copy() for name, contents in simulator.memories.items()}

    def shown() -> bytes:
        simulator.run(dump, dram)
        return dram["OUTPUTS"].tobytes()

    right, rng = shown(), random.Random(1)
    for name, contents in held.items():
        assert np.unique(contents).size > 100
        for place in (0, contents.size - 1, *(rng.randrange(contents.size) for _ in range(4))):
            for other, untouched in held.items():
                simulator.memories[other][:] = untouched
            if name in ("ACC", "PAR"):
                place |= 3  # a word's highest byte
            simulator.memories[name][place] ^= 1 << rng.randrange(8)
            assert shown() != right, f"{name} byte {place}"


@pytest.mark.rtl
@pytest.mark.parametrize(("shape", "dram"), [("4x4", Dram(latency=1)), ("16x8", Dram(stall=30, jitter=20, seed=2))], ids=["4x4", "16x8"])
def test_rtl_keeps_what_programs_are_promised(shape, dram):
    params = SHAPES[shape]
    graph = covenant(params)
    legal = [random_program(graph, seed) for seed in range(12)]
    result = run_programs(params, graph, legal, illegal_programs(graph, 15), dram=dram)
    assert result.problems == ()
    assert (result.legal, result.illegal) == (12, 15) and result.instructions > 150
