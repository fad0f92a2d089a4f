"""Machines that nobody made: the compiler is right on them, or refuses in a line."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tenon.acg.errors import CovenantError
from tenon.acg.graph import Graph as Covenant
from tenon.compiler import placement
from tenon.compiler.checker import IllegalProgram
from tenon.compiler.compile import compile_graph
from tenon.compiler.errors import CompileError
from tenon.compiler.frontend import read_graph
from tenon.compiler.host import quantise_inputs
from tenon.compiler.ir import Graph
from tenon.tb.altered_graphs import ALTERATIONS, altered
from tenon.tb.kernel_networks import COVENANTS, conv, mismatches, random_inputs, small_network, tensor
from tenon.tb.random_layers import random_case

BASES = ("tiny", "4x16", "16x8", "edge8")
ALTERED = 500
#: What changes nothing that a program could see.
HARMLESS = ("memories renamed", "shuffled", "fields shuffled", "reads apart", "opcodes", "instructions renamed", "choices permuted")


def network_of(seed):
    """A network, and inputs for it."""
    if seed % 3 == 0:
        graph = small_network(seed)
        return graph, random_inputs(graph)
    case = random_case(seed)
    graph = read_graph(case.model)
    return graph, quantise_inputs(graph, case.inputs)


def reread(covenant):
    """By way of a file, if it describes a machine."""
    try:
        return Covenant.from_json(covenant.to_json())
    except CovenantError:
        return covenant


def test_altered_graphs():
    seen, wrong = Counter(), []
    for seed in range(ALTERED):
        what, covenant = altered(COVENANTS[BASES[seed % 4]], seed)
        covenant = reread(covenant) if seed % 5 == 0 else covenant
        graph, inputs = network_of(seed)
        seen.update(part.partition(":")[0] for part in what.split("; ") if not part.endswith(": nothing"))
        try:
            program = compile_graph(graph, covenant, effort=1, on_chip=bool(seed % 2))
        except CompileError as error:
            assert "\n" not in str(error), f"seed {seed}: {error}"
            seen["refused"] += 1
            continue
        seen["right"] += 1
        if mismatches(program, graph, inputs):
            wrong.append(f"seed {seed}: {what}")
    assert not wrong, "\n".join(wrong)
    assert min(seen[kind] for kind in ALTERATIONS) > 10 and seen["right"] > ALTERED // 2 and seen["refused"] > ALTERED // 4, seen


@pytest.mark.parametrize(("shape", "kernel", "pads"), [
    ((1, 1, 1, 4), (3, 1), (0, 0, 2, 0)), ((1, 1, 1, 1), (1, 2), (0, 0, 0, 1)), ((1, 2, 1, 4), (2, 1), (0, 0, 1, 0)),
    ((1, 4, 4, 4), (2, 2), (0, 0, 1, 1)), ((1, 4, 4, 4), (2, 2), (0, 0, 0, 0)), ((1, 3, 3, 8), (1, 1), (0, 0, 0, 0)),
])
def test_transfers_without_guards(shape, kernel, pads):
    """They do what needs none; padding does."""
    rng = np.random.default_rng(0)
    height, width = (size + sum(pads[axis::2]) - k + 1 for axis, (size, k) in enumerate(zip(shape[1:3], kernel)))
    x, y = tensor("x", *shape), tensor("y", 1, height, width, 4)
    graph = Graph("one", {"x": x, "y": y}, ("x",), ("y",), (conv(rng, x, y, kernel, channels_out=4, pads=pads),))
    _, covenant = ALTERATIONS["guards dropped"](COVENANTS["tiny"], random.Random(0))
    if any(pads):
        with pytest.raises(CompileError, match="no instruction copies between INPUTS and ACT"):
            compile_graph(graph, covenant)
    else:
        assert mismatches(compile_graph(graph, covenant), graph, random_inputs(graph)) == 0


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_changes_nothing_is_not_refused(kind):
    graph = small_network(1)
    for seed in range(8):
        what, covenant = ALTERATIONS[kind](COVENANTS[BASES[seed % 4]], random.Random(seed))
        program = compile_graph(graph, covenant, effort=1, on_chip=bool(seed % 2))
        assert mismatches(program, graph, random_inputs(graph)) == 0, what


def merged(count):
    """Small networks on machines of which two memories are one."""
    graph, seen = small_network(1), Counter()
    for seed in range(count):
        what, covenant = ALTERATIONS["memories merged"](COVENANTS[BASES[seed % 4]], random.Random(seed))
        try:
            seen["wrong" if mismatches(compile_graph(graph, covenant, effort=1), graph, random_inputs(graph)) else "right"] += 1
        except (CompileError, IllegalProgram):
            seen["refused"] += 1
    return seen


def test_two_operands_in_one_memory():
    assert merged(40) == {"right": 40}


def test_two_operands_in_one_place_are_wrong(monkeypatch):
    """So the tests above would see it."""
    parts = placement._parts
    monkeypatch.setattr(placement, "_parts", lambda machine, memory, demands, low, high: [
        (max(first - 64, 0), end) for first, end in parts(machine, memory, demands, low, high)])
    assert merged(20)["wrong"] > 3


@pytest.mark.parametrize(("change", "message"), [
    (lambda g: replace(g, sequencer=replace(g.sequencer, token_limit=9)), "^tiny: a token's limit of 9 must be at least 10: queues hold 8"),
    (lambda g: replace(g, units=g.units[1:]), "^tiny: LOAD is of unit LOAD, which there is not$"),
])
def test_refusals(change, message):
    with pytest.raises(CompileError, match=message):
        compile_graph(small_network(1), change(COVENANTS["tiny"]))
