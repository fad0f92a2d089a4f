"""Models as problems: the same optima as of the structures that they were built of."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tenon.compiler.errors import CompileError
from tenon.compiler.schedule import schedule
from tenon.compiler.schedule.model import problem_of
from tenon.compiler.schedule.rewrite import fold_concats, rewrite
from tenon.flows.zoo import resolve

#: Peaks in file order and at best, with concatenations folded, and at best after rewriting convolutions (the data of
#: the paper's authors).
KNOWN = {"a": (275_968, 200_704, 188_160), "b": (119_168, 81_536, 56_448), "c": (35_084, 32_536, 19_404)}


@pytest.mark.parametrize("cell", KNOWN)
def test_cells_of_swiftnet(cell):
    problem = fold_concats(problem_of(resolve(f"zoo:swiftnet_cell_{cell}", None).model, cell))
    found = schedule(problem)
    better = schedule(rewrite(problem, depthwise=False))
    assert (problem.peak(problem.file_order), found.peak, better.peak) == KNOWN[cell]
    assert found.proved and better.proved


def test_a_float_model_counts_its_floats():
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["r"]), helper.make_node("MaxPool", ["r"], ["y"], kernel_shape=[2, 2])], "g",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 4, 4])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 3, 3])])
    problem = problem_of(helper.make_model(graph), "float")
    assert problem.peak(problem.file_order) == 4 * (32 + 18)


@pytest.mark.parametrize("shape, words", [(["n", 2, 4, 4], "dynamic"), ([1, 2, 0, 4], "at least 1 byte")])
def test_what_has_no_size_is_refused(shape, words):
    graph = helper.make_graph([helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[1, 1])], "g",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
                              [onnx.numpy_helper.from_array(np.zeros(1, np.float32), "unused")])
    with pytest.raises(CompileError, match=words):
        problem_of(helper.make_model(graph), "model")


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def problem(nodes, inputs, outputs, constants=()):
    arrays = [onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in constants]
    return problem_of(helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, arrays)), "model")


def test_what_comes_before_an_activation_may_have_other_readers():
    """Then it stays beside the activation; else both are one tensor."""
    nodes = [helper.make_node("MaxPool", ["x"], ["p"], kernel_shape=[1, 1]), helper.make_node("Relu", ["p"], ["r"]),
             helper.make_node("Identity", ["p"], ["q"])]
    last = helper.make_node("Add", ["r", "q"], ["y"])
    alone = helper.make_node("Add", ["r", "r"], ["y"])
    x, y = floats("x", 1, 2, 4, 4), floats("y", 1, 2, 4, 4)
    assert [op.inputs for op in problem([*nodes, last], [x], [y]).operators] == [("x",), ("p",), ("r", "p")]
    assert [op.inputs for op in problem([*nodes[:2], alone], [x], [y]).operators] == [("x",), ("p",)]
    assert [op.inputs for op in problem([*nodes[:2], alone], [x], [y, floats("p", 1, 2, 4, 4)]).operators] == [("x",), ("p",), ("r",)]


def test_an_input_that_is_an_output_too_stays_to_the_end():
    x, y = floats("x", 1, 2, 4, 4), floats("y", 1, 2, 1, 1)
    nodes = [helper.make_node("MaxPool", ["x"], ["p"], kernel_shape=[1, 1]), helper.make_node("GlobalAveragePool", ["p"], ["y"])]
    kept, gone = problem(nodes, [x], [y, x]), problem(nodes, [x], [y])
    assert [m.after for m in kept.moments(kept.file_order)] == [256, 136] and [m.after for m in gone.moments(gone.file_order)] == [128, 8]
    assert kept.lifetimes(kept.file_order)["x"] == (0, 1)
    assert schedule(kept).peak == kept.peak(kept.file_order)


def test_only_convolutions_of_channels_with_constant_weights_are_cut():
    def cut(axis, weight=(), shape=(4, 4, 1, 1)):
        nodes = [helper.make_node("MaxPool", ["x"], [n], kernel_shape=[1, 1]) for n in "ab"]
        nodes.append(helper.make_node("Concat", ["a", "b"], ["c"], axis=axis))
        nodes.append(helper.make_node("Conv", ["c", "w"], ["y"], group=4 // shape[1]))
        extents = (1, 4, 4, 4) if axis in (1, -3) else (1, 4, 8, 4)
        given = floats("w", *shape)
        found = problem(nodes, [floats("x", 1, 2 if extents[2] == 4 else 4, 4, 4), *([] if weight else [given])], [floats("y", *extents)],
                        [("w", shape)] if weight else [])
        return len(fold_concats(rewrite(found)).operators) - len(fold_concats(found).operators)

    assert [cut(axis, True) for axis in (1, -3, 2)] == [1, 1, 0]
    assert [cut(axis, True, (4, 1, 1, 1)) for axis in (1, 2)] == [1, 0]
    assert cut(1) == 0, "weights that are computed are one tensor"


def test_bodies_read_what_is_outside():
    def body(name):
        return helper.make_graph([helper.make_node("Relu", [name], [f"of_{name}"])], "body", [], [floats(f"of_{name}", 1, 2, 4, 4)])

    nodes = [helper.make_node("MaxPool", ["x"], [n], kernel_shape=[1, 1]) for n in "ab"]
    nodes.append(helper.make_node("If", ["which"], ["y"], then_branch=body("a"), else_branch=body("b")))
    which = helper.make_tensor_value_info("which", TensorProto.BOOL, [])
    found = problem(nodes, [floats("x", 1, 2, 4, 4), which], [floats("y", 1, 2, 4, 4)])
    assert set(found.operators[-1].inputs) == {"which", "a", "b"}


def test_operators_of_the_runtime_have_shapes_too():
    """QOperator form: ONNX knows no QLinearAdd, QLinearConcat or QLinearGlobalAveragePool."""
    quantised = ["s", "z"]
    nodes = [helper.make_node("QLinearAdd", ["x", *quantised, "x", *quantised, *quantised], ["a"], domain="com.microsoft"),
             helper.make_node("QLinearConcat", [*quantised, "a", *quantised, "x", *quantised], ["c"], domain="com.microsoft", axis=1),
             helper.make_node("QLinearGlobalAveragePool", ["c", *quantised, *quantised], ["y"], domain="com.microsoft")]
    given = [helper.make_tensor_value_info(n, TensorProto.UINT8, s) for n, s in (("x", [1, 2, 4, 4]), ("y", [1, 4, 1, 1]))]
    constants = [onnx.numpy_helper.from_array(np.float32(1), "s"), onnx.numpy_helper.from_array(np.uint8(3), "z")]
    model = helper.make_model(helper.make_graph(nodes, "g", given[:1], given[1:], constants))
    found = problem_of(model, "model")
    assert [found.sizes[t] for t in ("x", "a", "c", "y")] == [32, 32, 64, 4]
    assert found.operators[1].kind == "concat"
