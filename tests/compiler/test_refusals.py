"""What the frontend refuses, and in which words."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tenon.compiler.errors import CompileError, UnsupportedError
from tenon.compiler.frontend import load_model, read_graph
from tenon.tb.random_model import ModelBuilder

IMAGE = [1, 8, 6, 6]


def built(make, shape=None):
    """The model that ``make`` adds nodes to; it returns the output's name."""
    b = ModelBuilder(np.random.default_rng(3), "uint8")
    return b.model(make(b), shape)


def conv(b, **attributes):
    weight, _, _ = b.weight((4, 8 // attributes.get("group", 1), 3, 3), 0)
    return b.quantise(b.op("Conv", [b.input(IMAGE), weight], **attributes))


def pool(b, op, **attributes):
    parameters = b.parameters(0.05)
    return b.quantise(b.op(op, [b.input(IMAGE, parameters)], **attributes), parameters=parameters)


def broadcast(b):
    return b.quantise(b.op("Add", [b.input(IMAGE), b.input([1, 3, 6, 6])]))


def plus_constant(b):
    return b.quantise(b.op("Add", [b.input(IMAGE), b.put(np.linspace(-99, 99, 288, dtype=np.float32).reshape(IMAGE))]))


def float_operand(b):
    return b.quantise(b.op("Relu", [b.op("GlobalAveragePool", [b.op("Conv", [b.input(IMAGE), b.weight((4, 8, 3, 3), 0)[0]])])]))


def float_weights(b):
    return b.quantise(b.op("MatMul", [b.input([3, 8]), b.put(np.ones((8, 2), np.float32))]))


def column_bias(b):
    weight, _, _ = b.weight((8, 3), 1)
    return b.quantise(b.op("Gemm", [b.input([3, 8]), weight, b.put(np.ones((3, 1), np.float32))]))


def endless_bias(b):
    weight, _, _ = b.weight((8, 3), 1)
    return b.quantise(b.op("Gemm", [b.input([3, 8]), weight, b.put(np.array([1, np.nan, 2], np.float32))]))


def mixed_types(b):
    zero = [np.asarray(0, np.uint8), np.asarray(0, np.int8)]
    return b.quantise(b.op("MatMul", [b.input([8, 8], b.parameters(0.05, z)) for z in zero]))


def two_axes(b):
    weight, _, _ = b.weight((8, 5), 0)
    return b.quantise(b.op("MatMul", [b.input([3, 8]), weight]))


def transposed(b):
    weight, _, _ = b.weight((3, 5), 1)
    return b.quantise(b.op("Gemm", [b.input([3, 8]), weight], transA=1))


def crossed(b):
    return b.quantise(b.op("Clip", [b.input(IMAGE), b.put(np.float32(2)), b.put(np.float32(1))]))


def negative_scale(b):
    return b.quantise(b.input(IMAGE), parameters=[b.put(np.float32(-1)), b.put(np.uint8(3))])


def sixteen_bits(b):
    return b.quantise(b.input(IMAGE), parameters=[b.put(np.float32(1)), b.put(np.uint16(3))])


@pytest.mark.parametrize("make, words", [
    (lambda b: conv(b, kernel_shape=[3, 3], pads=[-1, 0, 0, 0]), "negative padding"),
    (lambda b: conv(b, kernel_shape=[3, 3], dilations=[4, 4]), "larger than its padded input"),
    (lambda b: pool(b, "AveragePool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, count_include_pad=1), "ceil_mode"),
    (lambda b: pool(b, "MaxPool", kernel_shape=[2, 2], strides=[0, 1]), "must be at least 1"),
    (lambda b: pool(b, "MaxPool", kernel_shape=[2, 2, 2]), "two spatial dimensions"),
    (broadcast, "cannot be broadcast"),
    (plus_constant, "its float constant spans 198, its result only"),
    (float_operand, "must be followed by QuantizeLinear"),
    (float_weights, "its weights are float"),
    (two_axes, "per tensor or per output channel"),
    (column_bias, "its bias of shape [3, 1] is not one element for each of 3"),
    (endless_bias, "its bias must be finite numbers"),
    (mixed_types, "the reference saturates"),
    (transposed, "transA"),
    (crossed, "bounds are crossed"),
    (negative_scale, "its scale must be positive"),
    (sixteen_bits, "must be int8 or uint8, not uint16"),
])
def test_a_node_is_refused_with_its_reason(make, words):
    with pytest.raises(UnsupportedError) as caught:
        read_graph(built(make, IMAGE))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_refusal_names_every_node():
    def make(b):
        x = b.input(IMAGE)
        strange = b.quantise(b.op("Einsum", [x], equation="ijkl->ijlk"))
        capped = b.quantise(b.op("MaxPool", [x], kernel_shape=[2, 2], strides=[0, 1]))
        b.quantise(b.op("Relu", [strange]))  # follows from the first, and is not named
        return b.quantise(b.op("Add", [strange, capped]))

    with pytest.raises(UnsupportedError) as caught:
        read_graph(built(make, IMAGE))
    assert len(caught.value.reasons) == 2 and "\n" not in str(caught.value)
    assert "(Einsum): the operator is not supported" in caught.value.reasons[0]
    assert "(MaxPool): its strides" in caught.value.reasons[1]


def test_dynamic_shapes():
    model = built(lambda b: b.quantise(b.op("Relu", [b.input(IMAGE)])), IMAGE)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    with pytest.raises(CompileError, match="dynamic.*batch|batch.*dynamic"):
        read_graph(model)


def test_other_inputs():
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g",
                              [helper.make_tensor_value_info("x", TensorProto.INT64, [3])],
                              [helper.make_tensor_value_info("y", TensorProto.INT64, [3])])
    with pytest.raises(CompileError):
        read_graph(helper.make_model(graph))


def test_damaged_files(tmp_path):
    """Cut anywhere, a model file is refused or, where only metadata went, still read: never another exception."""
    whole = built(lambda b: conv(b, kernel_shape=[3, 3]), [1, 4, 4, 4]).SerializeToString()
    rng = np.random.default_rng(5)
    refused = 0
    for number in range(60):
        data = bytearray(whole)
        if number % 2:
            data = data[:int(rng.integers(1, len(data)))]
        else:
            for place in rng.integers(0, len(data), 3):
                data[place] ^= 1 << int(rng.integers(8))
        path = tmp_path / f"{number}.onnx"
        path.write_bytes(bytes(data))
        try:
            read_graph(load_model(path))
        except CompileError as error:
            assert str(error).strip() and "Traceback" not in str(error)
            refused += 1
    assert refused > 30
    assert onnx.load_from_string(whole).graph.node


@pytest.mark.parametrize(("version", "words"), [(9, "operator set 9 is older than 10"), (99, "operator set 99 is newer than ")])
def test_operator_sets_that_may_mean_something_else(version, words):
    model = built(lambda b: b.quantise(b.op("Relu", [b.input(IMAGE)])))
    model.opset_import[0].version = version
    with pytest.raises(CompileError, match=words):
        read_graph(model)


def test_operators_of_no_imported_domain():
    model = built(lambda b: b.quantise(b.op("Relu", [b.input(IMAGE)])))
    next(node for node in model.graph.node if node.op_type == "Relu").domain = "my.ops"
    with pytest.raises(CompileError, match=r"Relu \(my.ops.Relu\): the model does not import its domain"):
        read_graph(model)
