"""Small quantised models as exporters and quantisers write them: each function is a kind of difficulty, seeded.

A function adds nodes to a builder and returns the model's float output.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

from tenon.tb.random_model import ModelBuilder

__all__ = ["EXPORTED", "exported"]

EXPORTED: dict[str, Callable[[ModelBuilder], str]] = {}


def _kind(function):
    EXPORTED[function.__name__] = function
    return function


def exported(kind: str, seed: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """A model of a kind, whose output says nothing of its shape, and inputs for it."""
    b = ModelBuilder(np.random.default_rng((seed, *map(ord, kind))))
    outputs = [EXPORTED[kind](b), *([b.extra] if hasattr(b, "extra") else [])]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(b.nodes, kind, b.inputs, results, b.initialisers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), b.feeds


def _float(b: ModelBuilder, shape: list[int]) -> str:
    name = b.fresh("x")
    b.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    b.feeds[name] = (b.rng.standard_normal(shape) * 3).astype(np.float32)
    return name


def _ints(b: ModelBuilder, *values: int) -> str:
    return b.put(np.array(values, np.int64))


def _conv(b: ModelBuilder, x: str, c_in: int, c_out: int, kernel: tuple[int, ...] = (3, 3), **attributes) -> str:
    weight, _, _ = b.weight((c_out, c_in, *kernel), 0)
    return b.op("Conv", [x, weight], pads=[k // 2 for k in kernel] * 2, **attributes)


@_kind
def moved_before_quantising(b):
    """An input is transposed, reshaped or cut before it is quantised."""
    x = _float(b, [1, 6, 4, 5])
    for _ in range(int(b.rng.integers(1, 4))):
        x = b.op("Transpose", [x], perm=[0, 3, 1, 2]) if b.rng.random() < 0.5 else b.op(
            "Slice", [x, _ints(b, 0), _ints(b, 3), _ints(b, 1)])
    return b.quantise(b.op("Relu", [b.quantise(x)]), 0.03)


@_kind
def moved_after_dequantising(b):
    """What moves elements stands between a DequantizeLinear and what computes."""
    x = b.op("Transpose", [b.input([1, 6, 6, 3])], perm=[0, 3, 1, 2])
    if b.rng.random() < 0.5:
        x = b.op("Slice", [x, _ints(b, 1), _ints(b, 6), _ints(b, 3)])
    return b.op("Transpose", [b.quantise(_conv(b, x, 3, 5))], perm=[0, 2, 3, 1])


@_kind
def moved_before_its_quantising(b):
    """A result is moved before it is quantised."""
    x = _conv(b, b.input([1, 3, 6, 6]), 3, 4)
    choice = b.rng.integers(4)
    if choice == 0:
        x = b.op("Reshape", [b.op("Transpose", [x], perm=[0, 2, 3, 1]), _ints(b, 1, -1, 4)])
    elif choice == 1:
        x = b.op("Relu", [b.op("Flatten", [x])])
    elif choice == 2:
        x = b.op("MaxPool", [b.op("Relu", [x])], kernel_shape=[2, 2], strides=[2, 2])
    else:
        x = b.op("Pad", [x, _ints(b, 0, 0, 1, 2, 0, 0, 0, 1), b.put(np.float32(0.7))])
    return b.quantise(x)


@_kind
def joined_before_quantising(b):
    """Branches are concatenated in float; the sum of both is quantised."""
    x = b.input([1, 3, 5, 5])
    return b.quantise(b.op("Concat", [_conv(b, x, 3, 4), _conv(b, x, 3, 2, (1, 1))], axis=1))


@_kind
def computed_constants(b):
    """Weights, scales and shapes are computed from constants."""
    x = b.input([2, 3, 4, 4])
    weight = b.op("Clip", [b.put(b.rng.integers(-128, 128, (4, 3, 1, 1), dtype=np.int8)), b.put(np.int8(-100)), b.put(np.int8(100))])
    weight = b.op("DequantizeLinear", [weight, b.put(np.float32(0.01)), b.put(np.int8(0))])
    gamma = b.op("DequantizeLinear", [b.put(b.rng.integers(1, 100, 4, dtype=np.uint8)), b.put(np.float32(0.01)), b.put(np.uint8(0))])
    others = [b.put(b.rng.uniform(0.5, 1, 4).astype(np.float32)) for _ in range(3)]
    x = b.quantise(b.op("BatchNormalization", [b.quantise(b.op("Conv", [x, weight])), gamma, *others]))
    rows = b.op("Gather", [b.op("Shape", [x]), b.put(np.int64(0))])
    shape = b.op("Concat", [b.op("Unsqueeze", [rows, _ints(b, 0)]), _ints(b, -1)], axis=0)
    return b.quantise(b.op("Reshape", [x, shape]))


@_kind
def constant_operand(b):
    """A constant tensor stands where an activation may: position embeddings, class tokens, a constant matrix."""
    x = b.input([1, 4, 6])
    constant = b.op("DequantizeLinear", [b.put(b.rng.integers(0, 200, (1, 4, 6)).astype(b.kind if b.kind == np.uint8 else np.uint8).view(
        b.kind)), *b.parameters()])
    choice = b.rng.integers(3)
    if choice == 2:
        return b.quantise(b.op("MatMul", [constant, b.op("Transpose", [x], perm=[0, 2, 1])]), 0.5)
    return b.quantise(b.op("Concat", [constant, x], axis=1) if choice else b.op("Add", [x, constant]))


@_kind
def one_dimension(b):
    """Convolution and pooling along one dimension."""
    x = b.quantise(b.op("Relu", [_conv(b, b.input([2, 3, 20]), 3, 4, (5,), strides=[int(b.rng.integers(1, 3))])]))
    op = b.rng.choice(["MaxPool", "GlobalAveragePool", "GlobalMaxPool"])
    return b.quantise(b.op(op, [x], **({"kernel_shape": [2], "strides": [2]} if op == "MaxPool" else {})))


@_kind
def normalised_rows(b):
    """BatchNormalization of matrices and of sequences."""
    shape = [3, 8] if b.rng.random() < 0.5 else [1, 8, 5]
    constants = [b.put(b.rng.uniform(0.5, 1.5, 8).astype(np.float32)) for _ in range(4)]
    return b.quantise(b.op("BatchNormalization", [b.input(shape), *constants]))


@_kind
def scalar_result(b):
    """A mean over everything, which has no dimensions left; a single row of a tensor."""
    x = b.input([1, 3, 4, 4])
    if b.rng.random() < 0.5:
        return b.quantise(b.op("ReduceMean", [x], keepdims=0))
    return b.quantise(b.op("Gather", [x, b.put(np.int64(b.rng.integers(-4, 4)))], axis=2))


@_kind
def blocks_of_channels(b):
    """Channels become places, and the other way round."""
    if b.rng.random() < 0.5:
        return b.quantise(b.op("SpaceToDepth", [b.input([1, 3, 4, 6])], blocksize=2))
    return b.quantise(b.op("DepthToSpace", [b.input([1, 8, 3, 2])], blocksize=2, mode=str(b.rng.choice(["DCR", "CRD"]))))


@_kind
def slopes(b):
    """PRelu with a slope for each channel."""
    low = float(b.rng.choice([-0.5, 1.0]))
    return b.quantise(b.op("PRelu", [b.input([1, 4, 5, 5]), b.put(b.rng.uniform(low, low + 1.5, (4, 1, 1)).astype(np.float32))]))


@_kind
def sum_of_two(b):
    """Sum has an input or two."""
    return b.quantise(b.op("Sum", [b.input([1, 4, 5, 5]) for _ in range(int(b.rng.integers(1, 3)))]))


@_kind
def shared_weight(b):
    """One constant is read twice."""
    x, names = b.input([4, 8]), [b.put(b.rng.integers(-100, 100, (8, 8), dtype=np.int8)), b.put(np.float32(0.01)), b.put(np.int8(0))]
    for _ in range(2):
        x = b.quantise(b.op("MatMul", [x, b.op("DequantizeLinear", names)]))
    return x


@_kind
def unread_nodes(b):
    """Nodes that nothing reads, with operators that nobody knows."""
    x = b.input([2, 8])
    b.op("Sin", [b.op("Det", [b.put(np.eye(3, dtype=np.float32))])])
    return b.quantise(b.op("Cos", [x]))


@_kind
def rescaled_maximum(b):
    """A MaxPool whose result has a scale of its own."""
    return b.quantise(b.op("MaxPool", [b.input([1, 2, 6, 6])], kernel_shape=[3, 3], strides=[2, 2]), 0.2)


@_kind
def float_tail(b):
    """The last layers are not quantised; one of them may read what is quantised as well."""
    x = b.quantise(b.op("Relu", [_conv(b, b.input([1, 3, 6, 6]), 3, 4)]))
    if b.rng.random() < 0.5:
        real = _conv(b, x, 4, 5)
        b.extra = b.op("Softmax", [b.op("Sigmoid", [real])], axis=1)
        return b.quantise(real)
    x = b.op("GlobalAveragePool", [_conv(b, x, 4, 5)])
    return b.op("Softmax", [b.op("Reshape", [x, _ints(b, 1, 5)])], axis=1)


@_kind
def float_head(b):
    """The input is prepared in float, or looked up by numbers, before it is quantised."""
    if b.rng.random() < 0.5:
        x = b.op("Div", [b.op("Sub", [_float(b, [1, 3, 6, 6]), b.put(b.rng.normal(0, 1, (1, 3, 1, 1)).astype(np.float32))]),
                         b.put(b.rng.uniform(0.5, 2, (1, 3, 1, 1)).astype(np.float32))])
        return b.quantise(_conv(b, b.quantise(b.op("Transpose", [x], perm=[0, 1, 3, 2])), 3, 4))
    name = b.fresh("x")
    b.inputs.append(helper.make_tensor_value_info(name, TensorProto.INT64, [2, 5]))
    b.feeds[name] = b.rng.integers(0, 12, (2, 5))
    x = b.quantise(b.op("Gather", [b.put(b.rng.normal(0, 2, (12, 8)).astype(np.float32)), name]))
    return b.quantise(b.op("Relu", [x]))


@_kind
def large_mean(b):
    """A mean over an image that no small buffer holds."""
    height, width = (int(v) for v in b.rng.integers(60, 90, 2))
    return b.quantise(b.op("GlobalAveragePool", [b.input([1, int(b.rng.integers(3, 12)), height, width])]))


@_kind
def interpolated(b):
    """Resize in mode linear, up and down, of images and of lines; scales or sizes given."""
    modes = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric")
    spatial = [int(v) for v in b.rng.integers(2, 7, int(b.rng.integers(1, 3)))]
    x, mode = b.input([1, 3, *spatial]), str(b.rng.choice(modes))
    if mode == "align_corners":
        factor = int(b.rng.integers(2, 4))
        given = ["", "", _ints(b, 1, 3, *((v - 1) * factor + 1 for v in spatial))]
    else:
        scales = [float(b.rng.choice((0.5, 1.5, 2, 3) if v % 2 == 0 else (2, 3))) for v in spatial]
        given = ["", b.put(np.array([1, 1, *scales], np.float32))]
        if b.rng.random() < 0.5:
            given = ["", "", _ints(b, 1, 3, *(int(v * s) for v, s in zip(spatial, scales)))]
    return b.quantise(b.op("Resize", [x, *given], mode="linear", coordinate_transformation_mode=mode))


@_kind
def channels_last(b):
    """As Keras has it: an image with channels last, put first for a convolution, and back again; quantised before or after."""
    x = _float(b, [1, 7, 6, 3])
    if b.rng.random() < 0.5:
        x = b.quantise(b.op("Transpose", [x], perm=[0, 3, 1, 2]))
    else:
        x = b.op("Transpose", [b.quantise(x)], perm=[0, 3, 1, 2])
    return b.op("Transpose", [b.quantise(_conv(b, x, 3, 5))], perm=[0, 2, 3, 1])


@_kind
def reduced(b):
    """Sums and maxima over axes of activations of two to four dimensions."""
    shape = [int(v) for v in b.rng.integers(1, 9, int(b.rng.integers(2, 5)))]
    axes = sorted(int(v) for v in b.rng.choice(len(shape), int(b.rng.integers(1, len(shape) + 1)), replace=False))
    x, keep = b.input(shape), int(b.rng.integers(2))
    if b.rng.random() < 0.5:
        return b.quantise(b.op("ReduceMax", [x], axes=axes, keepdims=keep))
    return b.quantise(b.op("ReduceSum", [x, _ints(b, *axes)], keepdims=keep), 0.3)


@_kind
def float_constant(b):
    """A float constant of any shape, added or taken away, or taken away from."""
    shape = [1, *(int(v) for v in b.rng.integers(2, 7, 2))]
    x = b.quantise(b.op("MatMul", [b.input(shape), b.weight((shape[2], 6), 1)[0]]), 0.04)
    inside = [shape[1], 6] if b.rng.random() < 0.5 else [1, shape[1], int(b.rng.choice((1, 6)))]
    constant = b.put((b.rng.standard_normal(inside) + float(b.rng.choice((0, 2)))).astype(np.float32))
    op = str(b.rng.choice(("Add", "Sub")))
    return b.quantise(b.op(op, [x, constant] if b.rng.random() < 0.7 else [constant, x]), 0.06)
