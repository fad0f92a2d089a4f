# amaranth: UnusedElaboratable=no
"""The compiled event loop against the model in Python: every moment of every instruction of random programs."""

import random
from dataclasses import replace

import numpy as np
import pytest

from tenon.acg.formula import evaluate, evaluate_all, names
from tenon.acg.mnemonic import Header
from tenon.compiler.timing import native, time_program
from tenon.compiler.timing.transfers import LEVELS
from tenon.hw.covenant import covenant
from tenon.hw.presets import PRESETS, preset
from tenon.tb.model import Deadlock, simulate_program
from tenon.tb.random_programs import random_program

GRAPHS = {name: covenant(preset(name)) for name in ("tiny", "edge8", "edge16")}


def same(graph, program, **dram):
    """Compares both; whether the program ends."""
    found = time_program(graph, program, **dram)
    try:
        expected = simulate_program(program, graph, **dram)
    except Deadlock:
        assert not found.ended
        return False
    assert found.ended and found.cycles == expected.cycles
    spans = [(s.granted, s.begun, s.released, s.done) for s in expected.timeline.spans]
    assert found.moments[:, 1:].tolist() == [list(s) for s in spans]
    counters = {"READ_BEATS": found.read_beats, "WRITE_BEATS": found.write_beats}
    counters |= {f"{unit}_BUSY": busy for unit, busy in found.busy.items()} | {f"{unit}_TOKEN": n for unit, n in found.waited.items()}
    assert counters == {name: value for name, value in expected.counters.items() if name != "CYCLES"}
    return True


@pytest.mark.parametrize("name", GRAPHS)
def test_random_programs(name):
    rng = random.Random(7)
    for seed in range(60):
        program = random_program(GRAPHS[name], seed, length=rng.choice([6, 12, 30])).instructions
        assert same(GRAPHS[name], program, latency=rng.choice([1, 40, 200]), outstanding=rng.choice([1, 2, 32]))


def test_programs_that_stop():
    """A signal less, somewhere: most such programs wait for ever, and both say so."""
    rng = random.Random(8)
    ended = []
    for seed in range(40):
        program = list(random_program(GRAPHS["tiny"], seed).instructions)
        signalling = [k for k, i in enumerate(program) if i.header.done]
        if signalling:
            k = rng.choice(signalling)
            header = program[k].header
            program[k] = replace(program[k], header=Header(header.waits, header.release, 0, header.mark))
            ended.append(same(GRAPHS["tiny"], program))
    assert 5 < ended.count(False) < len(ended)


def test_no_instruction_at_all():
    assert same(GRAPHS["edge8"], [])


@pytest.mark.parametrize("name", PRESETS)
def test_formulas_over_arrays(name):
    """Each cost and rule of each mnemonic, on random fields."""
    rng = np.random.default_rng(9)
    for m in covenant(preset(name)).mnemonics:
        for formula in (*m.cost.values(), *m.rules):
            columns = {f: rng.integers(0, 5, 200) - (rng.random(200) < 0.2) for f in names(formula)}
            each = [int(evaluate(formula, {f: int(c[k]) for f, c in columns.items()})) for k in range(200)]
            assert np.broadcast_to(evaluate_all(formula, columns), 200).tolist() == each, formula


def test_transfers_in_more_levels_are_refused():
    from tenon.acg.expr import Loop
    from tenon.compiler.errors import CompileError
    from tenon.compiler.instruction import Instruction

    load = GRAPHS["tiny"].mnemonic("LOAD")
    nest = replace(load.effect, loops=(*(Loop(f"more{k}", "n_l0") for k in range(LEVELS)), *load.effect.loops))
    deeper = replace(load, effect=nest)
    with pytest.raises(CompileError, match="^LOAD moves runs in 8 levels with 2 guards; transfers are timed of at most 4 and 2$"):
        time_program(GRAPHS["tiny"], [Instruction(deeper, load.complete({}))])


def test_without_a_compiler(monkeypatch, tmp_path):
    from tenon.compiler.errors import CompileError

    monkeypatch.setenv("PATH", str(tmp_path))
    native._core.cache_clear()
    with pytest.raises(CompileError, match="^g[+][+] is missing"):
        time_program(GRAPHS["tiny"], [])
    native._core.cache_clear()
