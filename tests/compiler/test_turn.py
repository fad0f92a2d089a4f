"""Transpositions by the array, and copies of copies in digits: which are made of what, and that no element goes astray."""

from dataclasses import replace

import numpy as np
import pytest

from tenon.compiler.chains import unchained
from tenon.compiler.compile import compile_graph
from tenon.compiler.evaluate import evaluate
from tenon.compiler.ir import Graph, Lookup
from tenon.compiler.machine import Machine
from tenon.compiler.move import Move, Piece, Step
from tenon.compiler.turn import Turn, turned
from tenon.tb.kernel_networks import COVENANTS, mismatches, random_inputs, tensor

_UNIT = [tuple(int(d == axis) for d in range(4)) for axis in range(4)]
_NARROW = Machine(COVENANTS["16x8"])


def _table(name, x, y):
    """Something that computes, so that what it writes is a tensor between layers."""
    return Lookup(name, (name,), "Table", True, x.name, y.name, np.arange(256)[::-1].astype(np.uint8))


def _copy(name, x, y, loops, x0=(0, 0, 0, 0), y0=(0, 0, 0, 0)):
    return Move(name, (name,), "Transpose", True, (x.name,), y.name, (Piece(0, x0, y0, tuple(Step(*s) for s in loops if s[0] > 1)),))


def _network(x, y, copy, ends):
    """``copy`` between two tables, without those at ``ends`` in DRAM's inputs and outputs."""
    outside_in, outside_out = ends
    given, result = replace(x, name="given"), replace(y, name="result")
    kernels = ([] if outside_in else [_table("before", given, x)]) + [copy] + ([] if outside_out else [_table("after", y, result)])
    tensors = {t.name: t for t in (x, y, *(() if outside_in else (given,)), *(() if outside_out else (result,)))}
    graph = Graph("turn", tensors, ("x" if outside_in else "given",), ("y" if outside_out else "result",), tuple(kernels))
    graph.verify()
    return graph


def _transposed(rng, dtype):
    """Matrices [rows, length] of heads to [length, rows], perhaps in an image whose pixels are the rows."""
    heads, block = int(rng.integers(1, 4)), 16
    h, w = (1, int(rng.integers(40, 100))) if rng.random() < 0.5 else (int(rng.integers(5, 10)), int(rng.integers(7, 11)))
    length = int(rng.choice((block, 2 * block, 21, 64)))
    x = tensor("x", heads, h, w, length, dtype=dtype)
    y = tensor("y", heads, 1, length, h * w, dtype=dtype)
    loops = ((heads, _UNIT[0], _UNIT[0]), (h, _UNIT[1], (0, 0, 0, w)), (w, _UNIT[2], _UNIT[3]), (length, _UNIT[3], _UNIT[2]))
    return x, y, _copy("turn", x, y, loops)


def _taken_apart(rng, dtype):
    """Heads side by side in a row's elements, each transposed; ``first``: of one of the matrices that lie in a row."""
    heads, size, rows, matrices = int(rng.integers(1, 5)), 16 * int(rng.integers(1, 3)), int(rng.integers(40, 100)), 3
    x = tensor("x", 1, 1, rows, matrices * heads * size, dtype=dtype)
    y = tensor("y", 1, heads, size, rows, dtype=dtype)
    first = heads * size * int(rng.integers(matrices))
    loops = ((heads, (0, 0, 0, size), _UNIT[1]), (rows, _UNIT[2], _UNIT[3]), (size, _UNIT[3], _UNIT[2]))
    return x, y, _copy("turn", x, y, loops, x0=(0, 0, 0, first))


@pytest.mark.parametrize("name", ["tiny", "4x16", "edge8", "edge16"])
@pytest.mark.parametrize("kind", [_transposed, _taken_apart])
def test_no_element_goes_astray(kind, name):
    made, ragged, ends_met = 0, 0, set()
    for seed in range(16):
        rng = np.random.default_rng(seed)
        dtype = str(rng.choice(("uint8", "int8")))
        x, y, copy = kind(rng, dtype)
        ends = tuple(bool(v) for v in rng.integers(0, 2, 2))
        graph = _network(x, y, copy, ends)
        again = turned(Machine(COVENANTS[name]), graph)
        found = [k for k in again.kernels if isinstance(k, Turn)]
        again.verify()
        inputs = random_inputs(graph, seed)
        np.testing.assert_array_equal(evaluate(again, inputs | again.constants)["y"], evaluate(graph, inputs)["y"])
        if found and ends not in ends_met:
            program = compile_graph(graph, COVENANTS[name], effort=1)
            assert mismatches(program, graph, inputs) == 0, (seed, ends)
            assert any(layer.engine == "MATRIX" for layer in program.layers)
            ragged += y.shape[3] % Machine(COVENANTS[name]).block > 0
            ends_met.add(ends)
        made += bool(found)
    assert made > 3 and ragged and len(ends_met) > 2


@pytest.mark.parametrize(("loops", "y0"), [
    (((40, _UNIT[2], _UNIT[3]), (2, _UNIT[3], _UNIT[2])), (0, 0, 0, 0)),  # columns of two: products would be mostly empty
    (((64, _UNIT[2], _UNIT[2]), (64, _UNIT[3], _UNIT[3])), (0, 0, 0, 0)),  # nothing is turned
    (((64, _UNIT[2], _UNIT[3]), (64, _UNIT[3], _UNIT[2])), (0, 0, 0, 4)),  # words begin elsewhere
    (((40, _UNIT[2], _UNIT[3]), (64, _UNIT[3], _UNIT[2])), (0, 0, 0, 0)),  # the last word holds other elements, too
])
def test_what_the_array_would_do_wrong_or_slowly_stays_a_copy(loops, y0):
    x, y = tensor("x", 1, 1, 64, 64), tensor("y", 1, 1, 64, 68)
    graph = Graph("g", {"x": x, "y": y}, ("x",), ("y",), (_copy("turn", x, y, loops, y0=y0),))
    assert turned(Machine(COVENANTS["edge16"]), graph).kernels == graph.kernels


def test_without_an_instruction_that_takes_columns_copies_stay():
    x, y, copy = _transposed(np.random.default_rng(1), "uint8")
    graph = _network(x, y, copy, (True, True))
    assert turned(_NARROW, graph).kernels == graph.kernels


def test_copies_of_a_row_of_elements_read_what_lies_behind_it():
    """A tensor of five dimensions stands in a row; what takes it apart reads its source, digit by digit."""
    rng, changed = np.random.default_rng(3), 0
    for _ in range(40):
        rows, parts, heads, size = (int(v) for v in rng.integers(2, 6, 4))
        x = tensor("x", 1, 1, rows, parts * heads * size)
        row = tensor("row", 1, 1, 1, parts * rows * heads * size)
        place = heads * size
        first = _copy("first", x, row, ((parts, (0, 0, 0, place), (0, 0, 0, rows * place)), (rows, _UNIT[2], (0, 0, 0, place)),
                                        (place, _UNIT[3], _UNIT[3])))
        tensors, kernels = {"x": x, "row": row}, [first]
        for i in range(parts):
            y = tensor(f"y{i}", 1, heads, rows, size)
            loops = ((heads, (0, 0, 0, size), _UNIT[1]), (rows, (0, 0, 0, place), _UNIT[2]), (size, _UNIT[3], _UNIT[3]))
            tensors[y.name] = y
            kernels.append(_copy(f"part{i}", row, y, loops, x0=(0, 0, 0, i * rows * place)))
        graph = Graph("parts", tensors, ("x",), tuple(f"y{i}" for i in range(parts)), tuple(kernels))
        graph.verify()
        once = unchained(graph)
        once.verify()
        changed += len(once.kernels) < len(graph.kernels)
        assert [n for k in once.kernels for n in k.nodes] == [n for k in graph.kernels for n in k.nodes]
        inputs = random_inputs(graph)
        ours, wanted = evaluate(once, inputs), evaluate(graph, inputs)
        assert all(np.array_equal(ours[name], wanted[name]) for name in graph.outputs)
    assert changed == 40


def test_random_copies_of_random_permutations():
    rng, kept, crossed = np.random.default_rng(5), 0, 0
    for _ in range(300):
        sizes = [int(v) for v in rng.integers(1, 5, 5)]
        x = tensor("x", 1, sizes[0], sizes[1] * sizes[2], sizes[3] * sizes[4])
        digits = [(sizes[0], _UNIT[1]), (sizes[1], (0, 0, sizes[2], 0)), (sizes[2], _UNIT[2]), (sizes[3], (0, 0, 0, sizes[4])),
                  (sizes[4], _UNIT[3])]
        order = [digits[i] for i in rng.permutation(5)]
        total = int(np.prod(sizes))
        row, loops, weight = tensor("row", 1, 1, 1, total), [], 1
        for extent, step in order:
            loops.append((extent, step, (0, 0, 0, weight)))
            weight *= extent
        by = int(rng.integers(1, 4))
        count = int(rng.integers(1, (total - 1) // by + 2))
        start = int(rng.integers(0, total - (count - 1) * by)) if count > 1 else int(rng.integers(total))
        y = tensor("y", 1, 1, count, 1)
        graph = Graph("g", {"x": x, "row": row, "y": y}, ("x",), ("y",), (
            _copy("first", x, row, loops), _copy("second", row, y, ((count, (0, 0, 0, by), _UNIT[2]),), x0=(0, 0, 0, start))))
        graph.verify()
        once = unchained(graph)
        once.verify()
        inputs = random_inputs(graph)
        np.testing.assert_array_equal(evaluate(once, inputs)["y"], evaluate(graph, inputs)["y"])
        crossed += len(once.kernels) == 2
        kept += len(once.kernels) == 1
    assert min(kept, crossed) > 30
