"""Data movement: random affine copies against their definition, between all kinds of homes."""

import itertools

import numpy as np
import pytest

from tenon.compiler.compile import compile_graph
from tenon.compiler.evaluate import evaluate
from tenon.compiler.ir import Graph
from tenon.compiler.move import Move, Piece, Step, affine_runs
from tenon.tb.kernel_networks import COVENANTS, mismatches, random_inputs, tensor


def unit(axis, by=1):
    return tuple(by if d == axis else 0 for d in range(4))


def loops(shape, x_axes=range(4), y_axes=range(4)):
    """A loop for each extent, along the axes named."""
    return tuple(Step(e, unit(a), unit(b)) for e, a, b in zip(shape, x_axes, y_axes) if e > 1)


def chain(kernel, *tensors):
    """The kernel between two whole copies, so that it reads and writes blocked tensors."""
    by_name = {t.name: t for t in tensors}
    kernels, inner = [], {}
    for name in kernel.xs:
        t = by_name[name]
        by_name["in_" + name] = tensor("in_" + name, *t.shape, dtype=t.dtype)
        kernels.append(Move("copy_" + name, (), "Copy", True, ("in_" + name,), name, (Piece(0, (0,) * 4, (0,) * 4, loops(t.shape)),)))
        inner["in_" + name] = None
    y = by_name[kernel.y]
    by_name["out"] = tensor("out", *y.shape, dtype=y.dtype)
    kernels += [kernel, Move("copy_out", (), "Copy", True, (kernel.y,), "out", (Piece(0, (0,) * 4, (0,) * 4, loops(y.shape)),))]
    graph = Graph("moves", by_name, tuple(inner), ("out",), tuple(kernels))
    graph.verify()
    return graph


def cases():
    zero = (0, 0, 0, 0)
    a, b = (1, 3, 4, 7), (1, 3, 4, 22)
    yield "concat", Move("k", (), "Concat", True, ("a", "b"), "y", (
        Piece(0, zero, zero, loops(a)), Piece(1, zero, (0, 0, 0, 7), loops(b)))), {"a": a, "b": b}, (1, 3, 4, 29)
    yield "slice", Move("k", (), "Slice", True, ("a",), "y", (
        Piece(0, (0, 2, 1, 37), zero, (Step(2, (0, -1, 0, 0), unit(1)), Step(3, unit(2, 2), unit(2)), Step(17, unit(3, -2), unit(3)))),)), \
        {"a": (1, 3, 6, 40)}, (1, 2, 3, 17)
    yield "transpose", Move("k", (), "Transpose", True, ("a",), "y", (
        Piece(0, zero, zero, loops((2, 5, 6, 19), range(4), (0, 3, 1, 2))),)), {"a": (2, 5, 6, 19)}, (2, 6, 19, 5)
    yield "pad", Move("k", (), "Pad", True, ("a",), "y", (Piece(0, zero, (0, 2, 1, 3), loops((1, 4, 5, 6))),), fill=77), \
        {"a": (1, 4, 5, 6)}, (1, 7, 6, 24)
    yield "upsample", Move("k", (), "Resize", True, ("a",), "y", (
        Piece(0, zero, zero, (*loops((1, 1, 1, 20)), Step(3, unit(1), unit(1, 2)), Step(2, zero, unit(1)), Step(4, unit(2), unit(2, 3)),
                              Step(3, zero, unit(2)))),)), {"a": (1, 3, 4, 20)}, (1, 6, 12, 20)
    # An image's elements in the order of NCHW, as one row.
    yield "flatten", Move("k", (), "Reshape", True, ("a",), "y", (
        Piece(0, zero, zero, (Step(18, unit(3), unit(3, 20)), Step(4, unit(1), unit(3, 5)), Step(5, unit(2), unit(3)))),)), \
        {"a": (1, 4, 5, 18)}, (1, 1, 1, 360)


@pytest.mark.parametrize("name", ["tiny", "4x16", "16x8", "edge8"])
@pytest.mark.parametrize("case", list(cases()), ids=lambda c: c[0])
def test_copies(case, name):
    _, kernel, sources, shape = case
    tensors = [tensor(n, *s, dtype="int8") for n, s in sources.items()]
    graph = chain(kernel, *tensors, tensor("y", *shape, dtype="int8"))
    assert mismatches(compile_graph(graph, COVENANTS[name], effort=2), graph, random_inputs(graph)) == 0


def test_evaluation_of_a_transposition():
    x = np.arange(24, dtype=np.uint8).reshape(1, 2, 3, 4)
    kernel = Move("k", (), "Transpose", True, ("x",), "y", (Piece(0, (0,) * 4, (0,) * 4, loops((1, 2, 3, 4), range(4), (0, 2, 3, 1))),))
    graph = Graph("t", {"x": tensor("x", 1, 2, 3, 4), "y": tensor("y", 1, 4, 2, 3)}, ("x",), ("y",), (kernel,))
    assert (evaluate(graph, {"x": x})["y"] == x.transpose(0, 3, 1, 2)).all()


def test_large_copies_are_cut():
    """More bytes than the buffer, and runs longer than a loop counts."""
    kernel = Move("k", (), "Copy", True, ("x",), "y", (Piece(0, (0,) * 4, (0,) * 4, loops((1, 70, 40, 30))),), fill=9)
    graph = Graph("t", {"x": tensor("x", 1, 70, 40, 30), "y": tensor("y", 1, 70, 40, 30)}, ("x",), ("y",), (kernel,))
    program = compile_graph(graph, COVENANTS["tiny"])
    assert mismatches(program, graph, random_inputs(graph)) == 0
    assert len(program.instructions) > 20


@pytest.mark.parametrize("change, words", [
    ({"pieces": (Piece(0, (0,) * 4, (0, 1, 0, 0), loops((1, 2, 3, 4))),)}, "leaves y"),
    ({"pieces": (Piece(0, (0,) * 4, (0,) * 4, loops((1, 2, 3, 3))),)}, "18 of 24"),
])
def test_wrong_copies_are_refused(change, words):
    kernel = Move(**({"name": "k", "nodes": (), "op": "Copy", "exact": True, "xs": ("x",), "y": "y"} | change))
    graph = Graph("t", {"x": tensor("x", 1, 2, 3, 4), "y": tensor("y", 1, 2, 3, 4)}, ("x",), ("y",), (kernel,))
    with pytest.raises(ValueError, match=words):
        graph.verify()


def test_affine_runs_give_the_indices_back():
    rng = np.random.default_rng(2)
    lists = [[i // 3 for i in range(12)], [2 * i for i in range(5)], [5, 4, 3, 3, 3], [0], list(range(7))]
    lists += [list(map(int, rng.integers(0, 4, rng.integers(1, 12)))) for _ in range(200)]
    for index in lists:
        found = [None] * len(index)
        for first, steps in affine_runs(index):
            for counts in itertools.product(*(range(e) for e, _, _ in steps)):
                at = first + sum(i * d for i, (_, _, d) in zip(counts, steps))
                assert found[at] is None
                found[at] = index[first] + sum(i * s for i, (_, s, _) in zip(counts, steps))
        assert found == index
    assert [len(affine_runs(index)) for index in lists[:3]] == [1, 1, 2]
