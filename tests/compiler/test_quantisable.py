"""What ONNX Runtime's quantiser does not take or gets wrong is said in another way before it."""

import tempfile

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tenon.compiler.errors import CompileError, NothingToComputeError
from tenon.compiler.frontend import read_graph
from tenon.compiler.frontend.quantize import quantize
from tenon.flows.quantize import drift

_RNG = np.random.default_rng(5)


def _model(node, shape, result, constants, opset=17, kind=TensorProto.FLOAT):
    values = [helper.make_tensor_value_info(n, kind, s) for n, s in (("x", shape), ("y", result))]
    graph = helper.make_graph([node], "one", values[:1], values[1:], [numpy_helper.from_array(c, n) for n, c in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.mark.parametrize("shape", [(4,), (1, 4), (1, 1), (1,), ()])
@pytest.mark.parametrize("beta", [0.5, 1.0])
@pytest.mark.parametrize("transposed", [0, 1])
def test_biases_of_gemm(shape, beta, transposed):
    node = helper.make_node("Gemm", ["x", "w", "c"], ["y"], beta=beta, transB=transposed)
    constants = {"w": _RNG.random((4, 6) if transposed else (6, 4), dtype=np.float32), "c": np.array(_RNG.random(shape), np.float32) + 3}
    samples = _RNG.random((8, 2, 6), dtype=np.float32)
    model = _model(node, [2, 6], [2, 4], constants)
    before = model.SerializeToString()
    result = quantize(model, {"x": samples})
    (found,) = drift(model, result, [{"x": s} for s in samples])
    assert found.relative_rms < 0.01, "a bias that is dropped, or not multiplied by beta, moves it by a third"
    assert len(read_graph(result).kernels) == 1
    assert model.SerializeToString() == before


def test_old_opsets_are_converted():
    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3])
    model = _model(node, [1, 3, 6, 6], [1, 4, 4, 4], {"w": _RNG.random((4, 3, 3, 3), dtype=np.float32)}, opset=9)
    result = quantize(model, {"x": _RNG.random((2, 3, 6, 6), dtype=np.float32)})
    assert max(o.version for o in result.opset_import if not o.domain) >= 13
    assert len(read_graph(result).kernels) == 1


def test_constants_that_are_inputs_as_well():
    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])
    model = _model(node, [1, 3, 6, 6], [1, 4, 6, 6], {"w": _RNG.random((4, 3, 1, 1), dtype=np.float32)}, opset=9)
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3, 1, 1]))
    model.ir_version = 3
    result = quantize(model, {"x": _RNG.random((2, 3, 6, 6), dtype=np.float32)})
    assert [i.name for i in result.graph.input] == ["x"] and len(read_graph(result).kernels) == 1


@pytest.mark.parametrize("op", ["Exp", "Relu", "Sum"])
def test_every_operator(op):
    model = _model(helper.make_node(op, ["x"], ["y"]), [1, 3, 4, 4], [1, 3, 4, 4], {})
    samples = {"x": _RNG.standard_normal((2, 3, 4, 4)).astype(np.float32)}
    with pytest.raises(CompileError, match="finds nothing in the model that it can quantise$"):
        quantize(model, samples)
    kinds = [n.op_type for n in quantize(model, samples, every_operator=True).graph.node]
    assert kinds.count("QuantizeLinear") == 2 and op in kinds


def test_refusals_name_no_temporary_files():
    model = _model(helper.make_node("FlexAttention", ["x", "x", "x"], ["y"], domain="ai.onnx.preview"), [1, 1, 4, 4], [1, 1, 4, 4], {})
    model.opset_import.append(helper.make_opsetid("ai.onnx.preview", 1))
    with pytest.raises(CompileError, match="cannot quantise the model: ") as caught:
        quantize(model, {"x": np.ones((1, 1, 4, 4), np.float32)})
    assert tempfile.gettempdir() not in str(caught.value)


def test_integers_are_not_taken_for_a_float_model():
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])
    assert len(read_graph(_model(node, [1, 2, 4, 4], [1, 2, 3, 3], {}, kind=TensorProto.UINT8)).kernels) == 1
    with pytest.raises(NothingToComputeError, match="^the accelerator would compute nothing: the host would run Add$"):
        read_graph(_model(helper.make_node("Add", ["x", "x"], ["y"]), [2, 4], [2, 4], {}, kind=TensorProto.UINT8))


def test_inputs_without_elements():
    model = _model(helper.make_node("Relu", ["x"], ["y"]), [2, 0], [2, 0], {})
    with pytest.raises(CompileError, match=r"^input 'x' must have elements, but has the shape \[2, 0\]$"):
        quantize(model, {"x": np.ones((1, 2, 0), np.float32)})
