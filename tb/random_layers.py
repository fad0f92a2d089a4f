"""Random small models over every supported operator, seeded; each says which class its arithmetic is of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from tenon.tb.random_channels import CHANNELS
from tenon.tb.random_elementwise import ELEMENTWISE
from tenon.tb.random_model import ModelBuilder
from tenon.tb.random_movement import MOVEMENT
from tenon.tb.random_rows import ROWS

__all__ = ["KINDS", "Case", "random_case"]

#: Kinds of models; a seed's is its remainder.
KINDS = ("conv", "conv", "conv_relu", "conv_clip", "grouped", "matmul", "gemm", "add", "conv_add", "relu", "clip",
          "requantise", "maxpool", "averagepool", "global", "flatten_gemm", "qlinearconv", "qlinearadd", "chain", "matrices", "scores",
          "depthwise",
          *MOVEMENT, *ELEMENTWISE, *CHANNELS, *ROWS)


@dataclass(frozen=True)
class Case:
    """A model with one set of inputs."""

    name: str
    model: onnx.ModelProto
    inputs: dict[str, np.ndarray]


def random_case(seed: int) -> Case:
    """The model of a seed; kinds take turns, so that any run of seeds has them all."""
    rng = np.random.default_rng(seed)
    b = ModelBuilder(rng)
    kind = KINDS[seed % len(KINDS)]
    output, shape, integer = _MAKERS[kind](b)
    return Case(f"{kind}-{b.kind}-{seed}", b.model(output, shape, integer), b.feeds)


def _window(rng, size: tuple[int, int], *, dilate: bool = True):
    """Attributes of a window that fits, and the size it gives."""
    while True:
        kernel = [int(v) for v in rng.integers(1, 5, 2)]
        strides = [int(v) for v in rng.integers(1, 4, 2)]
        dilations = [int(v) for v in rng.choice([1, 1, 2], 2)] if dilate else [1, 1]
        pads = [int(rng.integers(0, k)) for k in kernel * 2]
        out = [(size[i] + pads[i] + pads[i + 2] - (kernel[i] - 1) * dilations[i] - 1) // strides[i] + 1 for i in range(2)]
        if min(out) > 0:
            attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads}
            return (attributes | {"dilations": dilations} if dilate else attributes), out


def _image(b: ModelBuilder):
    shape = [1, int(b.rng.integers(1, 40)), int(b.rng.integers(3, 12)), int(b.rng.integers(3, 12))]
    return b.input(shape), shape


def _spread(depth: int) -> float:
    """A scale with which sums of ``depth`` products fill the output's range."""
    return 2.5 * 0.01 * 74 * float(np.sqrt(depth)) / 60


def _conv(b: ModelBuilder, *, activation: str = "", group: bool = False):
    x, (n, c, h, w) = _image(b)
    groups = int(b.rng.choice([g for g in (2, 3, 4) if c % g == 0] or [1])) if group else 1
    attributes, out = _window(b.rng, (h, w))
    per_group = int(b.rng.integers(1, 40)) if groups == 1 else int(b.rng.integers(1, 10))
    co = per_group * groups
    k = attributes["kernel_shape"]
    weight, scale, _ = b.weight((co, c // groups, *k), 0)
    inputs = [x, weight]
    if b.rng.random() < 0.7:
        inputs.append(b.put(b.rng.standard_normal(co).astype(np.float32) * 3))
    y = b.op("Conv", inputs, group=groups, **attributes)
    zero = None
    if activation:
        y = b.op("Relu", [y]) if activation == "relu" else b.op("Clip", [y, b.put(np.float32(0)), b.put(np.float32(6))])
        if b.rng.random() < 0.5:
            zero = np.asarray(np.iinfo(b.kind).min, b.kind)
    return b.quantise(y, _spread(c // groups * k[0] * k[1]), zero), [n, co, *out], False


def _matmul(b: ModelBuilder):
    m, k, n = (int(v) for v in b.rng.integers(1, 70, 3))
    lead = [int(b.rng.integers(1, 4))] if b.rng.random() < 0.4 else []
    x = b.input([*lead, m, k])
    if b.rng.random() < 0.3:
        weight = b.op("Transpose", [b.weight((n, k), 0)[0]], perm=[1, 0])
    else:
        weight, _, _ = b.weight((k, n), 1)
    return b.quantise(b.op("MatMul", [x, weight]), _spread(k)), [*lead, m, n], False


def _depthwise(b: ModelBuilder):
    """A convolution for each channel, after one of all channels or first of all; sometimes a residual addition after it."""
    c = int(b.rng.integers(2, 40))
    shape = [1, c, int(b.rng.integers(3, 12)), int(b.rng.integers(3, 12))]
    x = b.input(shape)
    if b.rng.random() < 0.6:
        weight, _, _ = b.weight((c, c, 1, 1), 0)
        x = b.quantise(b.op("Conv", [x, weight]), _spread(c))
    kernel = [int(v) for v in b.rng.integers(1, 8, 2)]
    strides, dilations = ([int(v) for v in b.rng.choice([1, 1, 2, 3], 2)] for _ in range(2))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    pads = [int(b.rng.integers(0, k)) for k in kernel * 2]
    for i in range(2):  # large windows get the padding that they need
        pads[i] = max(pads[i], reach[i] - shape[2 + i] - pads[2 + i])
    out = [(shape[2 + i] + pads[i] + pads[i + 2] - reach[i]) // strides[i] + 1 for i in range(2)]
    weight, _, _ = b.weight((c, 1, *kernel), 0)
    y = b.op("Conv", [x, weight], kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads, group=c)
    y = b.quantise(y, _spread(kernel[0] * kernel[1]))
    if b.rng.random() < 0.3:
        y = b.quantise(b.op("Add", [y, b.input([1, c, *out])]), 0.1)
    return y, [1, c, *out], False


def _matrices(b: ModelBuilder):
    """A product of two activations."""
    m, k, n = (int(v) for v in b.rng.integers(1, 50, 3))
    lead = [int(v) for v in b.rng.integers(1, 4, b.rng.integers(0, 3))]
    other = lead if b.rng.random() < 0.7 else [1] * len(lead)
    zero = [np.asarray(np.array(0 if b.kind == np.int8 else 128), b.kind)] if b.rng.random() < 0.5 else [None]
    y = b.op("MatMul", [b.input([*lead, m, k], b.parameters(0.05, *zero)), b.input([*other, k, n], b.parameters(0.05, *zero))])
    return b.quantise(y, 0.15 * float(np.sqrt(k))), [*lead, m, n], False


def _scores(b: ModelBuilder):
    """Attention's product of queries and keys: the latter transposed, after their heads were taken apart or not."""
    heads, m, k, n = (int(v) for v in (b.rng.integers(1, 5), *b.rng.integers(1, 50, 3)))
    parameters = b.parameters(0.05)
    if b.rng.random() < 0.5:
        keys, perm = b.input([n, heads * k] if b.rng.random() < 0.5 else [1, n, heads * k], parameters), [0, 2, 3, 1]
        keys = b.quantise(b.op("Reshape", [b.op("Relu", [keys]), b.put(np.array([1, n, heads, k]))]), parameters=parameters)
    else:
        keys, perm = b.input([1, heads, n, k], parameters), [0, 1, 3, 2]
    keys = b.quantise(b.op("Transpose", [keys], perm=perm), parameters=parameters)
    y = b.op("MatMul", [b.input([1, heads, m, k], b.parameters(0.05)), keys])
    return b.quantise(y, 0.15 * float(np.sqrt(k))), [1, heads, m, n], False


def _gemm(b: ModelBuilder):
    m, k, n = (int(v) for v in b.rng.integers(1, 70, 3))
    x = b.input([m, k])
    transposed = bool(b.rng.integers(0, 2))
    weight, _, _ = b.weight((n, k) if transposed else (k, n), 0 if transposed else 1)
    bias = b.put(b.rng.standard_normal(n).astype(np.float32))
    return b.quantise(b.op("Gemm", [x, weight, bias], transB=int(transposed)), _spread(k)), [m, n], False


def _add(b: ModelBuilder):
    x, shape = _image(b)
    other = b.input(shape)
    pair = [x, other] if b.rng.random() < 0.5 else [other, x]
    return b.quantise(b.op("Add", pair), 0.1), shape, False


def _conv_add(b: ModelBuilder):
    """Two convolutions of one input, or one and the input itself, added, with or without an activation."""
    c = int(b.rng.integers(1, 24))
    shape = [1, c, int(b.rng.integers(3, 10)), int(b.rng.integers(3, 10))]
    x = b.input(shape)

    def conv(tensor):
        weight, _, _ = b.weight((c, c, 3, 3), 0)
        return b.quantise(b.op("Conv", [tensor, weight], pads=[1, 1, 1, 1]), _spread(9 * c))

    left = conv(x)
    right = conv(x) if b.rng.random() < 0.5 else x
    y = b.op("Add", [left, right] if b.rng.random() < 0.5 else [right, left])
    zero = None
    if b.rng.random() < 0.5:
        y, zero = b.op("Relu", [y]), np.asarray(np.iinfo(b.kind).min, b.kind)
    return b.quantise(y, _spread(9 * c), zero), shape, False


def _unary(b: ModelBuilder, kind: str):
    x, shape = _image(b)
    if kind == "relu":
        x = b.op("Relu", [x])
    elif kind == "clip":
        low, high = sorted(b.rng.uniform(-4, 6, 2))
        x = b.op("Clip", [x, b.put(np.float32(low)), b.put(np.float32(high))])
    return b.quantise(x, 0.04), shape, False


def _maxpool(b: ModelBuilder):
    shape = [1, int(b.rng.integers(1, 40)), int(b.rng.integers(3, 12)), int(b.rng.integers(3, 12))]
    parameters = b.parameters(0.05)
    x = b.input(shape, parameters)
    attributes, out = _window(b.rng, tuple(shape[2:]))
    return b.quantise(b.op("MaxPool", [x], **attributes), parameters=parameters), [*shape[:2], *out], False


def _averagepool(b: ModelBuilder):
    x, shape = _image(b)
    attributes, out = _window(b.rng, tuple(shape[2:]), dilate=False)
    y = b.op("AveragePool", [x], count_include_pad=int(b.rng.integers(0, 2)), **attributes)
    return b.quantise(y, 0.04), [*shape[:2], *out], False


def _global(b: ModelBuilder):
    x, shape = _image(b)
    return b.quantise(b.op("GlobalAveragePool", [x]), 0.03), [*shape[:2], 1, 1], False


def _flatten_gemm(b: ModelBuilder):
    shape = [int(b.rng.integers(1, 4)), int(b.rng.integers(1, 12)), int(b.rng.integers(1, 5)), int(b.rng.integers(1, 5))]
    x = b.op("Flatten", [b.input(shape)])
    k, n = int(np.prod(shape[1:])), int(b.rng.integers(1, 40))
    weight, _, _ = b.weight((k, n), 1)
    return b.quantise(b.op("MatMul", [x, weight]), _spread(k)), [shape[0], n], False


def _qlinearconv(b: ModelBuilder):
    """In QOperator form, with 8-bit input and output."""
    shape = [1, int(b.rng.integers(1, 24)), int(b.rng.integers(3, 10)), int(b.rng.integers(3, 10))]
    xp = b.parameters(0.05)
    b.input(shape, xp)
    x = b.last
    b.nodes.pop()  # the DequantizeLinear
    attributes, out = _window(b.rng, tuple(shape[2:]))
    co = int(b.rng.integers(1, 24))
    k = attributes["kernel_shape"]
    weight = b.put(b.rng.integers(-128, 128, (co, shape[1], *k), dtype=np.int8))
    wp = [b.put(np.asarray(b.rng.uniform(0.002, 0.02), np.float32)), b.put(np.int8(0))]
    bias = b.put(b.rng.integers(-3000, 3000, co, dtype=np.int32))
    y = b.op("QLinearConv", [x, *xp, weight, *wp, *b.parameters(_spread(shape[1] * k[0] * k[1])), bias], **attributes)
    return y, [1, co, *out], True


def _qlinearadd(b: ModelBuilder):
    shape = [1, int(b.rng.integers(1, 40)), int(b.rng.integers(3, 10)), int(b.rng.integers(3, 10))]
    operands = []
    for _ in range(2):
        p = b.parameters(0.05)
        b.input(shape, p)
        b.nodes.pop()
        operands += [b.last, *p]
    return b.op("QLinearAdd", [*operands, *b.parameters(0.08)], "com.microsoft"), shape, True


def _chain(b: ModelBuilder):
    """Convolution, pooling, convolution, global average, product."""
    c, size = int(b.rng.integers(1, 20)), int(b.rng.integers(5, 12))
    x = b.input([1, c, size, size])
    middle = int(b.rng.integers(1, 30))
    weight, _, _ = b.weight((middle, c, 3, 3), 0)
    parameters = b.parameters(_spread(9 * c))
    x = b.quantise(b.op("Conv", [x, weight], pads=[1, 1, 1, 1]), parameters=parameters)
    x = b.quantise(b.op("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2]), parameters=parameters)
    last = int(b.rng.integers(1, 20))
    weight, _, _ = b.weight((last, middle, 1, 1), 0)
    x = b.quantise(b.op("Conv", [x, weight]), _spread(middle))
    x = b.op("Flatten", [b.quantise(b.op("GlobalAveragePool", [x]), 0.05)])
    n = int(b.rng.integers(1, 20))
    weight, _, _ = b.weight((last, n), 1)
    return b.quantise(b.op("MatMul", [x, weight]), _spread(last)), [1, n], False


_MAKERS = {
    "conv": _conv, "conv_relu": lambda b: _conv(b, activation="relu"), "conv_clip": lambda b: _conv(b, activation="clip"),
    "grouped": lambda b: _conv(b, group=True), "matmul": _matmul, "gemm": _gemm, "add": _add, "conv_add": _conv_add,
    "relu": lambda b: _unary(b, "relu"), "clip": lambda b: _unary(b, "clip"), "requantise": lambda b: _unary(b, "requantise"),
    "maxpool": _maxpool, "averagepool": _averagepool, "global": _global, "flatten_gemm": _flatten_gemm,
    "qlinearconv": _qlinearconv, "qlinearadd": _qlinearadd, "chain": _chain,
    "matrices": _matrices, "scores": _scores, "depthwise": _depthwise, **MOVEMENT, **ELEMENTWISE, **CHANNELS, **ROWS,
}
