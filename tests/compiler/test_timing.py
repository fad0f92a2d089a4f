# amaranth: UnusedElaboratable=no
"""The compiled event loop and placement of tokens against those in Python, on random programs."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tenon.acg.encoding import Header
from tenon.acg.expr import Loop
from tenon.acg.formula import evaluate, evaluate_all, names
from tenon.compiler import tokens
from tenon.compiler.compile import compile_graph
from tenon.compiler.errors import CompileError
from tenon.compiler.frontend import read_graph
from tenon.compiler.instruction import Instruction
from tenon.compiler.timing import native, time_program
from tenon.compiler.timing.native import LEVELS
from tenon.flows.zoo.network import Network
from tenon.hw.covenant import covenant
from tenon.hw.presets import PRESETS, preset
from tenon.tb.random_banks import random_banks, without_precedence
from tenon.tb.random_programs import random_program
from tenon.tb.timing_differences import timing_differences

GRAPHS = {name: covenant(preset(name)) for name in ("tiny", "edge8", "edge16")}


def same(graph, program, **dram):
    """Compares both; whether the program ends."""
    ended, differences = timing_differences(graph, program, **dram)
    assert not differences
    return ended


@pytest.mark.parametrize("name", GRAPHS)
def test_random_programs(name):
    rng = random.Random(7)
    waits = 0
    for seed in range(60):
        program = random_program(GRAPHS[name], seed, length=rng.choice([6, 12, 30])).instructions
        assert same(GRAPHS[name], program, latency=rng.choice([1, 40, 200]), outstanding=rng.choice([1, 2, 32]))
        waits += waits_for_banks(GRAPHS[name], program)
    assert waits > 5, "engines hardly ever waited for banks"


@pytest.mark.parametrize("name", GRAPHS)
def test_banks(name):
    for seed in range(10):
        program = list(random_banks(GRAPHS[name], random.Random(seed)))
        assert same(GRAPHS[name], program) and waits_for_banks(GRAPHS[name], program)


@pytest.mark.parametrize("name", GRAPHS)
def test_banks_in_layers(name):
    """And where layers overlap, with forms of instructions whose addresses differ from tile to tile."""
    net = Network("mixed", 1)
    there = net.conv("stem", net.input("x", (2, 3, 12, 12)), 32, (3, 3))
    for number in range(3):
        there = net.conv(f"point{number}", net.conv(f"deep{number}", there, 32, (3, 3), depthwise=True), 32)
    program = compile_graph(read_graph(net.model([there])), GRAPHS[name], on_chip=True, effort=1).instructions
    assert same(GRAPHS[name], program)
    assert waits_for_banks(GRAPHS[name], program)


def waits_for_banks(graph, program):
    """Whether anybody does, in ``program``."""
    return time_program(without_precedence(graph), program).cycles != time_program(graph, program).cycles


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
        for formula in (*dict(m.timing.terms()).values(), *m.rules):
            columns = {f: rng.integers(0, 5, 200) - (rng.random(200) < 0.2) for f in names(formula)}
            each = [int(evaluate(formula, {f: int(c[k]) for f, c in columns.items()})) for k in range(200)]
            assert np.broadcast_to(evaluate_all(formula, columns), 200).tolist() == each, formula


def test_transfers_in_more_levels_are_refused():
    load = GRAPHS["tiny"].mnemonic("LOAD")
    nest = replace(load.effect, loops=(*(Loop(f"more{k}", "n_l0") for k in range(LEVELS)), *load.effect.loops))
    deeper = replace(load, effect=nest)
    with pytest.raises(CompileError, match="^LOAD moves runs in 8 levels with 2 guards; transfers are timed of at most 4 and 2$"):
        time_program(GRAPHS["tiny"], [Instruction(deeper, load.complete({}))])


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TENON_CACHE", str(tmp_path / "cache"))
    found = native._core, native.available
    for function in found:
        function.cache_clear()
    yield tmp_path / "cache"
    for function in found:
        function.cache_clear()


def test_without_a_compiler(monkeypatch, tmp_path, empty_cache):
    """Timing says what is missing; tokens are placed in Python."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CompileError, match="^g[+][+] is missing"):
        time_program(GRAPHS["tiny"], [])
    assert not native.available() and tokens.place_tokens(GRAPHS["tiny"], []) == []


def test_without_a_place_to_keep_it(empty_cache):
    empty_cache.write_text("no folder")
    with pytest.raises(CompileError, match="^the compiled timing of programs cannot be kept in "):
        time_program(GRAPHS["tiny"], [])
    assert not native.available()


def test_a_covenant_without_a_pace():
    """One written by hand notes none."""
    bare = replace(GRAPHS["tiny"], notes={})
    program = random_program(bare, 1).instructions
    assert same(bare, program) and time_program(bare, program).cycles < time_program(GRAPHS["tiny"], program).cycles


def narrowed(graph, tokens, limit):
    return replace(graph, sequencer=replace(graph.sequencer, tokens=tokens, token_limit=limit))


@pytest.mark.parametrize("name", GRAPHS)
def test_tokens(name):
    """The compiled placement equals the one in Python, where counters are many and where they are few, or soon full."""
    seen = Counter()
    for seed in range(60):
        graph = narrowed(GRAPHS[name], (16, 8, 4)[seed % 3], (255, 12)[seed % 2])
        program = random_program(GRAPHS[name], seed, length=40).instructions
        results = []
        for place in (tokens._compiled, tokens._masks):
            try:
                results.append([list(masks) for masks in place(graph, program)])
            except CompileError as error:
                results.append(str(error))
        assert results[0] == results[1], f"program {seed}"
        seen["refused" if isinstance(results[0], str) else "both" if any(results[0][1]) else "done alone"] += 1
    assert min(seen[kind] for kind in ("refused", "done alone", "both")) > 3, seen


def test_a_full_counter_is_avoided_alike():
    """Many signals of one unit before the first wait of another."""
    graph = narrowed(GRAPHS["edge8"], 16, 12)
    load, vector = (graph.mnemonic(name) for name in ("LOAD", "VECTOR"))
    loads = [Instruction(load, load.complete({"mem": "vec", "n": 8, "d": 8 * k, "y_lim": 1, "x_lim": 1})) for k in range(60)]
    reads = [Instruction(vector, vector.complete({"x_sel": "i8", "x": k, "d": 100 + k})) for k in range(60)]
    program = [*loads, *reads]
    assert [list(m) for m in tokens._compiled(graph, program)] == [list(m) for m in tokens._masks(graph, program)]
    bare = GRAPHS["edge8"]
    assert [list(m) for m in tokens._compiled(bare, program)] != [list(m) for m in tokens._compiled(graph, program)]
