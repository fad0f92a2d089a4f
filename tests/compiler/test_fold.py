"""Concatenations of whole blocks disappear; their readers read the operands, to the same result."""

from dataclasses import replace

import numpy as np
import pytest

from tenon.compiler.compile import compile_graph
from tenon.compiler.fold import folded
from tenon.compiler.ir import Add, Graph, Pool
from tenon.compiler.move import Move, Piece, Step
from tenon.tb.kernel_networks import COVENANTS, conv, mismatches, random_inputs, tensor


def concat(name, xs, y):
    pieces, at = [], 0
    for number, x in enumerate(xs):
        steps = tuple(Step(e, unit, unit) for axis, e in enumerate(x.shape) if e > 1
                      for unit in [tuple(int(d == axis) for d in range(4))])
        pieces.append(Piece(number, (0, 0, 0, 0), (0, 0, 0, at), steps))
        at += x.shape[3]
    return Move(name, (), "Concat", True, tuple(x.name for x in xs), y.name, tuple(pieces))


def network(*widths):
    """Convolutions of these widths side by side, joined, and the joined tensor joined again; all kinds of readers."""
    rng = np.random.default_rng(4)
    x = tensor("x", 2, 7, 6, 5)
    parts = [tensor(f"p{i}", 2, 7, 6, w) for i, w in enumerate(widths)]
    total = sum(widths)
    joined, twice = tensor("joined", 2, 7, 6, total), tensor("twice", 2, 7, 6, total + widths[0])
    a, b, s, m = tensor("a", 2, 7, 6, 11), tensor("b", 2, 7, 6, total), tensor("s", 2, 7, 6, total), tensor("m", 2, 3, 3, total)
    y, z = tensor("y", 2, 7, 6, 9), tensor("z", 2, 3, 3, 7)
    kernels = [conv(rng, x, p, (3, 3), channels_out=w, pads=(1, 1, 1, 1)) for p, w in zip(parts, widths)]
    kernels += [
        concat("join", parts, joined), concat("join_twice", [joined, parts[0]], twice),
        conv(rng, joined, a, (3, 3), channels_out=11, pads=(1, 1, 1, 1)), conv(rng, twice, y, (1, 1), channels_out=9),
        conv(rng, a, b, (1, 1), channels_out=total), Add("sum", (), "Add", True, "b", "joined", "s", 0.7, 0.6, -1.0, 0, 255),
        Pool("pool", (), "MaxPool", True, "max", "s", "m", (2, 2), (2, 2), lo=0, hi=255), conv(rng, m, z, (1, 1), channels_out=7),
    ]
    graph = Graph("joined", {t.name: t for t in (x, *parts, joined, twice, a, b, s, m, y, z)}, ("x",), ("y", "z"), tuple(kernels))
    graph.verify()
    return graph


@pytest.mark.parametrize("name", ["tiny", "4x16", "16x8", "edge8"])
def test_joined_tensors_are_read_in_parts(name):
    graph = network(16, 32, 16)
    program = compile_graph(graph, COVENANTS[name], effort=2)
    assert "joined" not in program.tensors and "twice" not in program.tensors
    assert not any(layer.op == "Concat" for layer in program.layers)
    assert mismatches(program, graph, random_inputs(graph)) == 0


def test_only_the_last_operand_may_end_within_a_block():
    """What follows such a concatenation in another one begins within a block: both stay copies."""
    graph = network(16, 11)
    program = compile_graph(graph, COVENANTS["edge8"], effort=2)
    assert "joined" in program.tensors and "twice" in program.tensors
    alone = replace(graph, kernels=tuple(k for k in graph.kernels if k.y not in ("twice", "y")), outputs=("z",))
    program = compile_graph(alone, COVENANTS["edge8"], effort=2)
    assert "joined" not in program.tensors
    assert mismatches(program, alone, random_inputs(alone)) == 0
    program = compile_graph(graph, COVENANTS["edge8"], effort=2)
    assert mismatches(program, graph, random_inputs(graph)) == 0


def test_what_is_no_row_of_blocks_stays():
    graph = network(12, 16)
    assert folded(graph, 8)[1] == {} and set(folded(graph, 4)[1]) == {"joined", "twice"}
    assert mismatches(compile_graph(graph, COVENANTS["edge8"], effort=2), graph, random_inputs(graph)) == 0
