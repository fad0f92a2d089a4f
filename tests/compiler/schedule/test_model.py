"""Models as problems: the same optima as of the structures that they were built of."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from compiler.errors import CompileError
from compiler.schedule import schedule
from compiler.schedule.model import problem_of
from compiler.schedule.rewrite import fold_concats, rewrite
from flows.zoo import resolve

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
