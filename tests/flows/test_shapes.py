"""Sizes of dynamic dimensions: what they are in a model, and how each that does not fit is refused."""

import onnx
import pytest
from onnx import TensorProto, helper

from tenon.compiler.frontend import read_graph
from tenon.flows.errors import UserError
from tenon.flows.shapes import fix_shapes, read_sizes
from tenon.flows.source import open_source
from tenon.flows.zoo import layers


def dynamic(*dims, second=None):
    """A layer whose input's dimensions are ``dims``: names, numbers, or None."""
    model = layers.gemm(5, 12, 9)
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, dims))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [dims[0], 9]))
    if second:
        model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, second))
    return model


def shapes(model):
    return {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in (*model.graph.input, *model.graph.output)}


@pytest.mark.parametrize(("dims", "texts"), [
    (("N", 12), ["N=5"]), (("N", "K"), ["K=12", "N=5"]), (("N", "K"), ["x=5x12"]), ((None, 12), ["x=5x12"]),
    (("N", "K"), ["N=5", "x=5x12"]), (("x", 12), ["x=5"]), (("x", 12), ["x=5x12"]),
], ids=["dimension", "two", "input", "nameless", "both", "same name, dimension", "same name, input"])
def test_sizes_are_set(dims, texts):
    model = dynamic(*dims)
    before = model.SerializeToString()
    fixed = fix_shapes(model, read_sizes(texts))
    assert shapes(fixed)["x"] == [5, 12]
    assert model.SerializeToString() == before
    graph = read_graph(fixed)
    assert graph.tensors[graph.outputs[0]].shape == (1, 1, 5, 9)


def test_a_dimension_has_one_size_everywhere():
    model = dynamic("N", 12, second=["N", 3])
    model.graph.value_info.append(helper.make_tensor_value_info("between", TensorProto.FLOAT, ["N", "floor(N/2)"]))
    fixed = fix_shapes(model, read_sizes(["x=5x12"]))
    assert shapes(fixed) == {"x": [5, 12], "z": [5, 3], "y": [5, 9]}
    assert not fixed.graph.value_info, "what is inferred from the dimension is inferred again"


def test_an_input_of_unknown_rank():
    model = dynamic("N", 12)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    assert shapes(fix_shapes(model, read_sizes(["x=5x12"])))["x"] == [5, 12]


@pytest.mark.parametrize(("texts", "message"), [
    (["N"], "--shape: 'N' must be a name, then = and sizes, such as N=1 or image=1x3x224x224"),
    (["N=x"], "--shape: 'N=x' must be a name, then = and sizes, such as N=1 or image=1x3x224x224"),
    (["=4"], "--shape: '=4' must be a name, then = and sizes, such as N=1 or image=1x3x224x224"),
    (["N=0"], "--shape: sizes of 'N' must be in 1..2147483647, not 0"),
    (["N=1", "N=2"], "--shape: 'N' is given twice"),
    (["M=1"], "--shape: the model has nothing called 'M'; it has dynamic dimension 'N', input 'x', input 'z'"),
    (["N=1x2"], "--shape: 'N' is one dimension, not 2"),
    (["x=5"], "--shape: input 'x' has 2 dimensions, not 1"),
    (["x=5x13"], "--shape: input 'x' has the size 12 in dimension 1, not 13"),
    (["x=5x12", "z=4x3"], "--shape: dimension 'N' cannot be both 5 and 4"),
    (["w=9x12"], "--shape: the model has nothing called 'w'; it has dynamic dimension 'N', input 'x', input 'z'"),
])
def test_rejects(texts, message):
    with pytest.raises(UserError) as refusal:
        fix_shapes(dynamic("N", 12, second=["N", 3]), read_sizes(texts))
    assert str(refusal.value) == message


def test_a_model_is_opened_with_sizes(tmp_path):
    onnx.save(dynamic("N", 12), tmp_path / "m.onnx")
    assert shapes(open_source(str(tmp_path / "m.onnx"), {"N": (5,)}).model) == {"x": [5, 12], "y": [5, 9]}
