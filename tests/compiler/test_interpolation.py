"""Resize in mode linear: its phases are what the reference interpolates."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tenon.compiler.errors import CompileError
from tenon.compiler.evaluate import evaluate
from tenon.compiler.frontend import read_graph
from tenon.compiler.frontend.interpolation import phases_of
from tenon.compiler.host import read_inputs
from tenon.tb.reference import Reference

_F32 = np.float32


def _float_model(size, wanted, mode, kind="linear"):
    nodes = [helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], mode=kind, coordinate_transformation_mode=mode)]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, *size])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, *wanted])],
                              [numpy_helper.from_array(np.array([1, 2, *wanted], np.int64), "sizes")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("mode", ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"])
def test_phases_make_what_the_reference_makes(mode):
    rng, covered = np.random.default_rng(1), set()
    for size in range(1, 9):
        for wanted in range(1, 25):
            axis = phases_of(size, wanted, _F32(wanted / size), mode)
            if axis is None:
                continue
            x = rng.standard_normal((1, 2, 1, size)).astype(_F32)
            padded, ours = x[0, 0, 0, axis.inputs(size)], np.empty(wanted)
            for r, row in enumerate(axis.taps):
                starts = np.arange(axis.count(r)) * axis.stride
                ours[r::axis.period] = [np.dot(padded[s:s + len(row)], row) / axis.unit for s in starts]
            expected = Reference(_float_model((1, size), (1, wanted), mode)).run({"x": x})["y"][0, 0, 0]
            assert np.allclose(ours, expected, atol=1e-5), (size, wanted)
            covered.add((wanted > size) - (wanted < size))
    assert covered == {-1, 0, 1}


def test_weights_that_do_not_return_have_no_phases():
    assert phases_of(100, 171, _F32(1.71), "half_pixel") is None
    assert phases_of(7, 14, _F32(2), "tf_crop_and_resize") is None


def _quantised(size, wanted, **attributes):
    nodes = [helper.make_node("DequantizeLinear", ["q", "s", "z"], ["x"]),
             helper.make_node("Resize", ["x", "", "", "sizes"], ["r"], **attributes),
             helper.make_node("QuantizeLinear", ["r", "s", "z"], ["y"])]
    constants = {"s": np.array(0.1, _F32), "z": np.array(3, np.uint8), "sizes": np.array(wanted, np.int64)}
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("q", TensorProto.UINT8, size)],
                              [helper.make_tensor_value_info("y", TensorProto.UINT8, wanted)],
                              [numpy_helper.from_array(a, n) for n, a in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_both_axes_are_rounded_once():
    model = _quantised([1, 3, 8, 6], [1, 3, 32, 9], mode="linear", coordinate_transformation_mode="half_pixel")
    graph = read_graph(model)
    feeds = {"q": np.random.default_rng(2).integers(0, 256, (1, 3, 8, 6)).astype(np.uint8)}
    (kernel,) = [k for k in graph.kernels if k.op == "Resize"]
    ours = graph.tensors[kernel.y].to_onnx(evaluate(graph, read_inputs(graph, feeds))[kernel.y])
    difference = np.abs(ours.astype(int) - Reference(model).run(feeds)["y"].astype(int))
    assert difference.max() <= 1 and (difference > 0).mean() < 0.02, "only where the sum is a tie"


@pytest.mark.parametrize(("size", "wanted", "attributes", "message"), [
    ([1, 3, 8, 8], [1, 3, 64, 64], {"mode": "linear"}, r"its weights, up to 225 in units of 1/256, are not exact in 8 bits"),
    ([1, 3, 8, 8], [1, 6, 8, 8], {"mode": "linear"}, "mode linear is supported for height and width"),
    ([1, 3, 100, 100], [1, 3, 171, 171], {"mode": "linear"}, "has weights that do not return within 16 elements"),
    ([1, 3, 8, 8], [1, 3, 16, 16], {"mode": "cubic"}, "mode cubic is not supported"),
])
def test_what_would_not_be_exact_is_refused(size, wanted, attributes, message):
    model = _quantised(size, wanted, **attributes)
    onnx.checker.check_model(model)
    with pytest.raises(CompileError, match=message):
        read_graph(model)
