"""Products by columns, and copies of copies: which transpositions are left out, and that nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest

from tenon.compiler.chains import unchained
from tenon.compiler.columns import by_columns
from tenon.compiler.compile import compile_graph
from tenon.compiler.evaluate import evaluate
from tenon.compiler.frontend import read_graph
from tenon.compiler.host import quantise_inputs
from tenon.compiler.ir import Graph
from tenon.compiler.machine import Machine
from tenon.compiler.move import Move, Piece, Step
from tenon.compiler.product import Matrices, Product
from tenon.compiler.turn import turned
from tenon.tb.kernel_networks import COVENANTS, mismatches, random_inputs, tensor
from tenon.tb.random_layers import KINDS, random_case

SEEDS = [seed for seed in range(8 * len(KINDS)) if KINDS[seed % len(KINDS)] == "scores"]
UNIT = [tuple(int(d == axis) for d in range(4)) for axis in range(4)]


def permuted(name, x, y, perm):
    """A copy whose axis d is axis ``perm[d]`` of the tensor ``x``."""
    steps = tuple(Step(x.shape[p], UNIT[p], UNIT[d]) for d, p in enumerate(perm))
    return Move(name, (f"{name}_node",), "Transpose", True, (x.name,), y.name, (Piece(0, (0, 0, 0, 0), (0, 0, 0, 0), steps),))


def scores(*, reader=False):
    """``q`` times the transposed ``k``; with a ``reader``, something else reads the transposed tensor too."""
    q, k, t = tensor("q", 1, 2, 7, 5), tensor("k", 1, 2, 9, 5), tensor("t", 1, 2, 5, 9)
    y, other = tensor("y", 1, 2, 7, 9), tensor("other", 1, 2, 5, 9)
    kernels = [permuted("turn", k, t, (0, 1, 3, 2)),
               Product("product", ("p",), "MatMul", True, "q", "t", "y", 0.002, 3, 3, 3, 0, 255)]
    outputs = ["y"]
    if reader:
        kernels.append(permuted("copy", t, other, (0, 1, 2, 3)))
        outputs.append("other")
    graph = Graph("scores", {v.name: v for v in (q, k, t, y, other)}, ("q", "k"), tuple(outputs), tuple(kernels))
    graph.verify()
    return graph


def test_a_transposition_before_a_product_is_left_out():
    graph = by_columns(scores())
    (product,) = graph.kernels
    assert product.columns and product.w == "k" and product.nodes == ("turn_node", "p")
    inputs = random_inputs(graph)
    np.testing.assert_array_equal(evaluate(graph, inputs)["y"], evaluate(scores(), inputs)["y"])


def test_what_others_read_stays():
    graph = scores(reader=True)
    assert by_columns(graph).kernels == graph.kernels
    graph = replace(scores(), outputs=("y", "t"))
    assert by_columns(graph).kernels == graph.kernels


def test_a_copy_of_a_permutation_reads_its_source():
    """Heads taken apart and transposed in two steps: one copy, which keeps rows together, and a product by columns."""
    q, k, a, b = tensor("q", 1, 3, 7, 5), tensor("k", 1, 9, 3, 5), tensor("a", 1, 3, 9, 5), tensor("b", 1, 3, 5, 9)
    y = tensor("y", 1, 3, 7, 9)
    kernels = (permuted("heads", k, a, (0, 2, 1, 3)), permuted("turn", a, b, (0, 1, 3, 2)),
               Product("product", ("p",), "MatMul", True, "q", "b", "y", 0.002, 3, 3, 3, 0, 255))
    graph = Graph("scores", {v.name: v for v in (q, k, a, b, y)}, ("q", "k"), ("y",), kernels)
    graph.verify()
    once = unchained(graph)
    assert [(k.name, k.inputs) for k in once.kernels] == [("turn", ("k",)), ("product", ("q", "b"))]
    assert once.kernels[0].nodes == ("heads_node", "turn_node")
    columns = by_columns(once)
    move, product = columns.kernels
    assert columns.tensors[move.y].shape == (1, 3, 9, 5) and product.columns and product.w == move.y
    inputs = random_inputs(graph)
    for changed in (once, columns):
        changed.verify()
        np.testing.assert_array_equal(evaluate(changed, inputs)["y"], evaluate(graph, inputs)["y"])


@pytest.mark.parametrize("name", ["tiny", "4x16", "16x8", "edge16"])
def test_scores_are_right_on_every_array(name):
    """With and without an instruction that takes columns."""
    covenant = COVENANTS[name]
    assert Machine(covenant).takes_columns == (name != "16x8")
    taken = 0
    for seed in SEEDS:
        case = random_case(seed)
        graph = read_graph(case.model)
        program = compile_graph(graph, covenant, effort=1)
        assert mismatches(program, graph, quantise_inputs(graph, case.inputs)) == 0, case.name
        wanted = any(k.columns for k in turned(Machine(covenant), by_columns(unchained(graph))).kernels if isinstance(k, Matrices))
        found = any(i.mnemonic.name == "MATRIX" and i.fields.get("transposed") for i in program.instructions)
        assert found == (wanted and name != "16x8"), case.name
        taken += found
    assert taken == 0 if name == "16x8" else taken >= len(SEEDS) // 2, "keys of an image's layout have no rows to keep together"
