"""A smallest model for every operator of the frontend: what the operators' page is measured on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

from tenon.compiler.frontend.reader import HANDLERS, load_handlers
from tenon.tb.random_model import ModelBuilder

__all__ = ["EXAMPLES", "example", "operators"]

_IMAGE = [1, 8, 6, 6]


def _unary(op: str, *constants: np.ndarray, domain: str = "", **attributes):
    def make(b: ModelBuilder):
        y = b.op(op, [b.input(_IMAGE), *(b.put(c) for c in constants)], domain, **attributes)
        return b.quantise(y), _IMAGE, False

    return make


def _reduced(op: str):
    """Over height and width; the axes are an input."""

    def make(b: ModelBuilder):
        return b.quantise(b.op(op, [b.input(_IMAGE), b.put(np.array([2, 3], np.int64))]), 2.0), [*_IMAGE[:2], 1, 1], False

    return make


def _image(op: str, shape: list[int], *, same: bool = False, **attributes):
    """An operator on images; ``same``: its result keeps the parameters of its input."""

    def make(b: ModelBuilder):
        parameters = b.parameters(0.05)
        y = b.op(op, [b.input(_IMAGE, parameters)], **attributes)
        return b.quantise(y, 0.05, parameters=parameters if same else None), shape, False

    return make


def _conv(b: ModelBuilder):
    weight, scale, _ = b.weight((4, 8, 3, 3), 0)
    return b.quantise(b.op("Conv", [b.input(_IMAGE), weight], kernel_shape=[3, 3]), 0.5), [1, 4, 4, 4], False


def _conv_transpose(b: ModelBuilder):
    weight, _, _ = b.weight((8, 4, 2, 2), 1)
    return b.quantise(b.op("ConvTranspose", [b.input(_IMAGE), weight], strides=[2, 2]), 0.5), [1, 4, 12, 12], False


def _product(op: str):
    def make(b: ModelBuilder):
        weight, _, _ = b.weight((8, 5), 1)
        return b.quantise(b.op(op, [b.input([3, 8]), weight]), 0.2), [3, 5], False

    return make


def _add(b: ModelBuilder):
    return b.quantise(b.op("Add", [b.input(_IMAGE), b.input(_IMAGE)]), 0.1), _IMAGE, False


def _same(op: str, shape: list[int], *constants: np.ndarray):
    """An operator that moves no bytes, between a convolution and a product."""

    def make(b: ModelBuilder):
        x = b.op(op, [b.input(_IMAGE), *(b.put(c) for c in constants)])
        if len(shape) == 2:
            weight, _, _ = b.weight((shape[1], 5), 1)
            return b.quantise(b.op("MatMul", [x, weight]), 0.5), [shape[0], 5], False
        return b.quantise(b.op("Relu", [x])), shape, False

    return make


def _constant(b: ModelBuilder):
    bound = b.op("Constant", [], value=onnx.numpy_helper.from_array(np.float32(1.5)))
    return b.quantise(b.op("Clip", [b.input(_IMAGE), "", bound])), _IMAGE, False


def _requantised(b: ModelBuilder):
    return b.quantise(b.input(_IMAGE), 0.1), _IMAGE, False


def _integers(b: ModelBuilder, shape: list[int]) -> list[str]:
    """A quantised tensor with its scale and zero-point, as QOperator nodes take them."""
    parameters = b.parameters(0.05)
    b.input(shape, parameters)
    return [b.last, *parameters]


def _weights(b: ModelBuilder, shape: tuple[int, ...], channels: int) -> list[str]:
    return [b.put(b.rng.integers(-128, 128, shape, dtype=np.int8)), b.put(np.full(channels, 0.01, np.float32)),
            b.put(np.zeros(channels, np.int8))]


def _qlinearconv(b: ModelBuilder):
    inputs = [*_integers(b, _IMAGE), *_weights(b, (4, 8, 3, 3), 4), *b.parameters(0.5)]
    return b.op("QLinearConv", inputs, kernel_shape=[3, 3]), [1, 4, 4, 4], True


def _qlinearmatmul(b: ModelBuilder):
    return b.op("QLinearMatMul", [*_integers(b, [3, 8]), *_weights(b, (8, 5), 5), *b.parameters(0.5)]), [3, 5], True


def _qgemm(b: ModelBuilder):
    bias = b.put(np.arange(5, dtype=np.int32))
    inputs = [*_integers(b, [3, 8]), *_weights(b, (8, 5), 5), bias, *b.parameters(0.5)]
    return b.op("QGemm", inputs, "com.microsoft"), [3, 5], True


def _qlinearadd(b: ModelBuilder):
    return b.op("QLinearAdd", [*_integers(b, _IMAGE), *_integers(b, _IMAGE), *b.parameters()], "com.microsoft"), _IMAGE, True


def _qlinearpool(op: str, size: int, **attributes):
    def make(b: ModelBuilder):
        return b.op(op, [*_integers(b, _IMAGE), *b.parameters()], "com.microsoft", **attributes), [1, 8, size, size], True

    return make


def _concat(b: ModelBuilder):
    return b.quantise(b.op("Concat", [b.input(_IMAGE), b.input(_IMAGE)], axis=1)), [1, 16, 6, 6], False


def _qlinearconcat(b: ModelBuilder):
    inputs = [*b.parameters(), *_integers(b, _IMAGE), *_integers(b, _IMAGE)]
    return b.op("QLinearConcat", inputs, "com.microsoft", axis=1), [1, 16, 6, 6], True


def _split(b: ModelBuilder):
    halves = b.op("Split", [b.input(_IMAGE)], axis=1, outputs=2)
    b.quantise(halves[1])
    return b.quantise(halves[0]), [1, 4, 6, 6], False


def _padded(b: ModelBuilder):
    return b.quantise(b.op("Pad", [b.input(_IMAGE), b.put(np.array([0, 0, 1, 1, 0, 0, 1, 1]))])), [1, 8, 8, 8], False


def _resized(b: ModelBuilder):
    inputs = [b.input(_IMAGE), "", b.put(np.array([1, 1, 2, 2], np.float32))]
    return b.quantise(b.op("Resize", inputs, mode="nearest")), [1, 8, 12, 12], False


def _pair(op: str):
    def make(b: ModelBuilder):
        return b.quantise(b.op(op, [b.input(_IMAGE), b.input(_IMAGE)]), 0.2), _IMAGE, False

    return make


def _qlinearmul(b: ModelBuilder):
    return b.op("QLinearMul", [*_integers(b, _IMAGE), *_integers(b, _IMAGE), *b.parameters(0.3)], "com.microsoft"), _IMAGE, True


def _qlinearunary(op: str):
    def make(b: ModelBuilder):
        return b.op(op, [*_integers(b, _IMAGE), *b.parameters()], "com.microsoft"), _IMAGE, True

    return make


def _share(b: ModelBuilder) -> list[str]:
    """Parameters of numbers from 0 to 1."""
    return [b.put(np.float32(1 / 256)), b.put(np.iinfo(b.kind).min + np.zeros((), b.kind))]


def _softmax(b: ModelBuilder):
    return b.quantise(b.op("Softmax", [b.input(_IMAGE)], axis=1), parameters=_share(b)), _IMAGE, False


def _qlinearsoftmax(b: ModelBuilder):
    inputs = [*_integers(b, [3, 40]), *_share(b)]
    return b.op("QLinearSoftmax", inputs, "com.microsoft", axis=-1, opset=13), [3, 40], True


def _layer_norm(b: ModelBuilder):
    factors = (b.put(b.rng.uniform(low, 2, 40).astype(np.float32)) for low in (0.5, -1))
    return b.quantise(b.op("LayerNormalization", [b.input([3, 40]), *factors])), [3, 40], False


def _shape(b: ModelBuilder):
    x = b.input(_IMAGE)
    return b.quantise(b.op("Relu", [b.op("Reshape", [x, b.op("Shape", [x])])])), _IMAGE, False


_FLAT = [1, 8 * 6 * 6]

#: For each operator, what adds it to a model and returns the output's name, shape, and whether it is 8-bit.
EXAMPLES: dict[str, Callable[[ModelBuilder], tuple[str, list[int], bool]]] = {
    "Constant": _constant,
    "QuantizeLinear": _requantised,
    "DequantizeLinear": _requantised,
    "Conv": _conv,
    "MatMul": _product("MatMul"),
    "Gemm": _product("Gemm"),
    "Add": _add,
    "Relu": _unary("Relu"),
    "Clip": _unary("Clip", np.float32(-0.5), np.float32(2.0)),
    "MaxPool": _image("MaxPool", [1, 8, 5, 5], same=True, kernel_shape=[2, 2]),
    "AveragePool": _image("AveragePool", [1, 8, 5, 5], kernel_shape=[2, 2]),
    "GlobalAveragePool": _image("GlobalAveragePool", [1, 8, 1, 1]),
    "GlobalMaxPool": _image("GlobalMaxPool", [1, 8, 1, 1], same=True),
    "DepthToSpace": _image("DepthToSpace", [1, 2, 12, 12], same=True, blocksize=2),
    "SpaceToDepth": _image("SpaceToDepth", [1, 32, 3, 3], same=True, blocksize=2),
    "Shape": _shape,
    "Sum": _pair("Sum"),
    "Flatten": _same("Flatten", _FLAT),
    "Reshape": _same("Reshape", _FLAT, np.array(_FLAT, np.int64)),
    "Identity": _same("Identity", _IMAGE),
    "Dropout": _same("Dropout", _IMAGE),
    "Transpose": _image("Transpose", [1, 6, 8, 6], same=True, perm=[0, 3, 2, 1]),
    "Concat": _concat,
    "QLinearConcat": _qlinearconcat,
    "Slice": _unary("Slice", *(np.array([v]) for v in (0, 1 << 40, 3, 1))),
    "Split": _split,
    "Pad": _padded,
    "Resize": _resized,
    "Gather": _unary("Gather", np.array([3, 1, 4, 1, 5, 2, 6, 5]), axis=1),
    "Expand": _unary("Expand", np.array([1, 1, 1, 1])),
    "Tile": _unary("Tile", np.array([1, 1, 1, 1])),
    "Squeeze": _unary("Squeeze", np.array([], np.int64)),
    "Unsqueeze": _unary("Unsqueeze", np.array([], np.int64)),
    **{op: _unary(op) for op in (
        "Sigmoid", "Tanh", "Erf", "Exp", "Log", "Sqrt", "Softplus", "Softsign", "Reciprocal", "Elu", "Selu", "Celu",
        "LeakyRelu", "HardSigmoid", "HardSwish", "Neg", "Abs", "ThresholdedRelu", "Floor", "Ceil", "Round", "Sign",
        "Mish", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh")},
    "Gelu": _unary("Gelu", domain="com.microsoft"),
    "PRelu": _unary("PRelu", np.float32(0.2)),
    "Cast": _unary("Cast", to=1),
    "BatchNormalization": _unary("BatchNormalization", *(np.full(8, v, np.float32) for v in (0.7, 0.1, 0.2, 0.9))),
    "ReduceMean": _image("ReduceMean", [1, 8, 1, 1], axes=[2, 3]),
    "ReduceSum": _reduced("ReduceSum"),
    "ReduceMax": _image("ReduceMax", [1, 8, 1, 1], same=True, axes=[2, 3]),
    "ConvTranspose": _conv_transpose,
    "Softmax": _softmax,
    "QLinearSoftmax": _qlinearsoftmax,
    "LayerNormalization": _layer_norm,
    **{op: _pair(op) for op in ("Mul", "Sub", "Max", "Min")},
    "Div": _unary("Div", np.float32(3)),
    "Pow": _unary("Pow", np.float32(2)),
    "QLinearMul": _qlinearmul,
    "QLinearSigmoid": _qlinearunary("QLinearSigmoid"),
    "QLinearLeakyRelu": _qlinearunary("QLinearLeakyRelu"),
    "QLinearConv": _qlinearconv,
    "QLinearMatMul": _qlinearmatmul,
    "QGemm": _qgemm,
    "QLinearAdd": _qlinearadd,
    "QLinearAveragePool": _qlinearpool("QLinearAveragePool", 5, kernel_shape=[2, 2]),
    "QLinearGlobalAveragePool": _qlinearpool("QLinearGlobalAveragePool", 1),
}


_SINCE = {"Mish": 18}  # operators that are newer than the examples' operator set


def example(operator: str) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """The model of ``operator`` with inputs for it. KeyError for an operator without one."""
    b = ModelBuilder(np.random.default_rng(1), "uint8")
    output, shape, integer = EXAMPLES[operator](b)
    model = b.model(output, shape, integer)
    model.opset_import[0].version = max(model.opset_import[0].version, _SINCE.get(operator, 0))
    return model, b.feeds


def operators() -> tuple[str, ...]:
    """Every operator that the frontend knows, in the order of its files."""
    load_handlers()
    return tuple(HANDLERS)
