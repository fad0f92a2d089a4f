"""Grows float networks as exporters lay them out: batch normalisation folded into the layer before it, weights left open.

A network is grown without weights, so that its size is known at once; ``float_model`` is given them, ``probe`` finds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tenon.flows.zoo.published.weighted_layer import WeightedLayer

__all__ = ["FloatNetwork"]

_OPSET, _IR = 20, 9  # the first opset with Gelu

Padding = int | tuple[int, int, int, int] | None  # on every side; as ONNX's pads; half the kernel


class FloatNetwork:
    """A float ONNX model under construction. Methods return the name of the result; images are NCHW.

    Attributes
    ----------
    shapes : dict
        Of every tensor by name, ``batch`` first.
    layers : list of WeightedLayer
        Those with weights, in order.
    macs, parameters : int
        Multiplications of one sample, and numbers that training would find.
    smooth : dict
        Axes of each input along which neighbours are alike.
    """

    def __init__(self, name: str, *, batch: int = 1):
        self.name, self.batch = name, batch
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.layers: list[WeightedLayer] = []
        self.smooth: dict[str, tuple[int, ...]] = {}
        self.macs = self.parameters = 0
        self._steps: list[WeightedLayer | onnx.NodeProto] = []
        self._initialisers: list[onnx.TensorProto] = []
        self._vectors: dict[str, tuple[float, float, int]] = {}  # scales and shifts of row normalisations: mean, spread, size
        self._outputs: list[str] = []
        self._counts: dict[str, int] = {}

    def input(self, name: str, shape: Sequence[int], smooth: Sequence[int] = ()) -> str:
        """An input of one sample's ``shape``; ``smooth``: axes along which neighbours are alike, as pixels are."""
        self.shapes[name], self.smooth[name] = (self.batch, *shape), tuple(smooth)
        return name

    def image(self, size: int, channels: int = 3) -> str:
        return self.input("image", (channels, size, size), (2, 3))

    def output(self, *names: str) -> None:
        self._outputs += names

    # Layers with weights.

    def conv(self, x: str, channels: int, kernel: int | tuple[int, int] = 1, stride: int = 1, *, pad: Padding = None,
             groups: int = 1, bias: bool = False, normalised: bool = True, gain: float = 1.0) -> str:
        kh, kw = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        n, c, h, w = self.shapes[x]
        pads = _pads(pad, kh, kw)
        shape = (n, channels, (h + pads[0] + pads[2] - kh) // stride + 1, (w + pads[1] + pads[3] - kw) // stride + 1)
        weight = (channels, c // groups, kh, kw)
        self.macs += prod(weight) * shape[2] * shape[3]
        return self._layer("Conv", x, weight, shape, 1, bias, normalised, gain, kernel_shape=[kh, kw], pads=list(pads),
                           strides=[stride, stride], group=groups)

    def depthwise(self, x: str, kernel: int = 3, stride: int = 1, **options) -> str:
        channels = self.shapes[x][1]
        return self.conv(x, channels, kernel, stride, groups=channels, **options)

    def gemm(self, x: str, columns: int, *, normalised: bool = False, gain: float = 1.0) -> str:
        """A dense layer of rows, as exporters write it: Gemm with the weight transposed."""
        n, depth = self.shapes[x]
        self.macs += depth * columns
        return self._layer("Gemm", x, (columns, depth), (n, columns), 1, True, normalised, gain, transB=1)

    def linear(self, x: str, columns: int, gain: float = 1.0) -> str:
        """A dense layer of tokens, as exporters write it: MatMul, then Add."""
        *rows, depth = self.shapes[x]
        self.macs += prod(rows[1:]) * depth * columns
        return self._layer("MatMul", x, (depth, columns), (*rows, columns), len(rows), True, False, gain)

    def batch_norm(self, x: str) -> str:
        """One that follows no layer that could take it in."""
        return self._layer("BatchNormalization", x, (), self.shapes[x], 1, False, True, 1.0)

    def _layer(self, op: str, x: str, weight, shape, axis: int, bias: bool, normalised: bool, gain: float, **attributes) -> str:
        layer = WeightedLayer(self._name(op), op, x, tuple(weight), shape[axis], axis, len(shape), bias, normalised, gain,
                      prod(shape) // shape[axis], attributes)
        self.parameters += layer.parameters
        self.layers.append(layer)
        self._steps.append(layer)
        self.shapes[layer.name] = tuple(shape)
        return layer.name

    def layer_norm(self, x: str) -> str:
        size = self.shapes[x][-1]
        names = [f"{self._name('LayerNorm')}_{part}" for part in ("scale", "shift")]
        for name, mean, spread in zip(names, (1.0, 0.0), (0.2, 0.2), strict=True):
            self._vectors[name] = (mean, spread, size)
        self.parameters += 2 * size
        return self.node("LayerNormalization", [x, *names], self.shapes[x], axis=-1, epsilon=1e-6)

    # What has no weights.

    def node(self, op: str, inputs: Sequence[str], shape: Sequence[int], **attributes) -> str:
        """Any operator; ``shape`` with the batch."""
        name = self._name(op)
        self._steps.append(helper.make_node(op, list(inputs), [name], name, **attributes))
        self.shapes[name] = tuple(shape)
        return name

    def constant(self, values) -> str:
        name = self._name("constant")
        self._initialisers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def unary(self, op: str, x: str, **attributes) -> str:
        return self.node(op, [x], self.shapes[x], **attributes)

    def relu(self, x: str) -> str:
        return self.unary("Relu", x)

    def relu6(self, x: str) -> str:
        return self.node("Clip", [x, self.constant(np.float32(0)), self.constant(np.float32(6))], self.shapes[x])

    def silu(self, x: str) -> str:
        return self.mul(x, self.unary("Sigmoid", x))

    def hard_swish(self, x: str) -> str:
        return self.unary("HardSwish", x)

    def hard_sigmoid(self, x: str) -> str:
        return self.unary("HardSigmoid", x, alpha=1 / 6, beta=0.5)

    def add(self, a: str, b: str) -> str:
        return self.node("Add", [a, b], np.broadcast_shapes(self.shapes[a], self.shapes[b]))

    def mul(self, a: str, b: str) -> str:
        return self.node("Mul", [a, b], np.broadcast_shapes(self.shapes[a], self.shapes[b]))

    def concat(self, xs: Sequence[str]) -> str:
        """Along the channels."""
        n, _, *rest = self.shapes[xs[0]]
        return self.node("Concat", xs, (n, sum(self.shapes[x][1] for x in xs), *rest), axis=1)

    def pool(self, op: str, x: str, kernel: int | tuple[int, int], stride: int, pad: int = 0, ceil: bool = False) -> str:
        n, c, *sizes = self.shapes[x]
        kernels = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        # Counting up, a window must still begin within the image or the padding before it.
        out = [min(-(-(s + 2 * pad - k) // stride) + 1, (s + pad - 1) // stride + 1) if ceil else (s + 2 * pad - k) // stride + 1
               for s, k in zip(sizes, kernels, strict=True)]
        return self.node(op, [x], (n, c, *out), kernel_shape=list(kernels), strides=[stride] * 2, pads=[pad] * 4, ceil_mode=int(ceil))

    def max_pool(self, x: str, kernel: int, stride: int, pad: int = 0, ceil: bool = False) -> str:
        return self.pool("MaxPool", x, kernel, stride, pad, ceil)

    def average_pool(self, x: str, kernel: int | tuple[int, int], stride: int) -> str:
        return self.pool("AveragePool", x, kernel, stride)

    def mean(self, x: str) -> str:
        """Of every channel of an image."""
        return self.node("GlobalAveragePool", [x], (*self.shapes[x][:2], 1, 1))

    def flatten(self, x: str) -> str:
        n, *rest = self.shapes[x]
        return self.node("Flatten", [x], (n, prod(rest)), axis=1)

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        """``shape`` without the batch."""
        whole = (self.batch, *shape)
        return self.node("Reshape", [x, self.constant(np.array(whole, np.int64))], whole)

    def transpose(self, x: str, *perm: int) -> str:
        return self.node("Transpose", [x], [self.shapes[x][p] for p in perm], perm=list(perm))

    def softmax(self, x: str) -> str:
        return self.unary("Softmax", x, axis=-1)

    def matmul(self, a: str, b: str) -> str:
        """Of two activations."""
        *rows, depth = self.shapes[a]
        columns = self.shapes[b][-1]
        self.macs += prod(rows[1:]) * depth * columns
        return self.node("MatMul", [a, b], (*rows, columns))

    def split(self, x: str, sizes: Sequence[int], axis: int = 1) -> list[str]:
        name = self._name("Split")
        parts = [f"{name}_{i}" for i in range(len(sizes))]
        self._steps.append(helper.make_node("Split", [x, self.constant(np.array(sizes, np.int64))], parts, name, axis=axis))
        for part, size in zip(parts, sizes, strict=True):
            self.shapes[part] = (*self.shapes[x][:axis], size, *self.shapes[x][axis + 1:])
        return parts

    # Models.

    def float_model(self, weights: Mapping[str, tuple[np.ndarray, ...]], seed: int) -> onnx.ModelProto:
        """The network; ``weights`` of each layer by its name: weight and bias, or scale, shift, mean and variance."""
        nodes, more = [], []
        for step in self._steps:
            if not isinstance(step, WeightedLayer):
                nodes.append(step)
                continue
            names = [f"{step.name}.{i}" for i in range(len(weights[step.name]))]
            more += [numpy_helper.from_array(array, name) for array, name in zip(weights[step.name], names, strict=True)]
            if step.op == "MatMul":
                nodes += [helper.make_node("MatMul", [step.x, names[0]], [f"{step.name}.product"], step.name),
                          helper.make_node("Add", [f"{step.name}.product", names[1]], [step.name], f"{step.name}.bias")]
            else:
                nodes.append(helper.make_node(step.op, [step.x, *names], [step.name], step.name, **step.attributes))
        return self._model(nodes, more, seed, self._outputs)

    def probe(self, weights: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], seed: int) -> onnx.ModelProto:
        """The network with every layer's results brought to one spread, and what that took as outputs.

        ``weights`` of each layer: weight, then scale and shift of each channel after normalisation. Outputs for each layer:
        ``NAME.mean`` of each channel, if it is centred, and ``NAME.power``, the mean square that its results are divided by.
        """
        nodes, more, outputs = [], [], []
        for step in self._steps:
            if not isinstance(step, WeightedLayer):
                nodes.append(step)
                continue
            more += [numpy_helper.from_array(a, f"{step.name}.{p}") for p, a in zip(("weight", "scale", "shift"), weights[step.name],
                                                                                     strict=True)]
            nodes += step.probing()
            outputs += [f"{step.name}.mean"] * step.centred + [f"{step.name}.power"]
        return self._model(nodes, more, seed, outputs)

    def _model(self, nodes, more, seed: int, outputs: Sequence[str]) -> onnx.ModelProto:
        rng = np.random.default_rng(seed)
        vectors = [numpy_helper.from_array((mean + spread * rng.standard_normal(size)).astype(np.float32), name)
                   for name, (mean, spread, size) in self._vectors.items()]
        values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, self.shapes.get(n)) for n in (*self.smooth, *outputs)]
        graph = helper.make_graph(nodes, self.name, values[:len(self.smooth)], values[len(self.smooth):],
                                  [*self._initialisers, *vectors, *more])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)

    def _name(self, op: str) -> str:
        self._counts[op] = self._counts.get(op, -1) + 1
        return f"{op}_{self._counts[op]}"


def _pads(pad: Padding, kh: int, kw: int) -> tuple[int, int, int, int]:
    if isinstance(pad, tuple):
        return pad
    return (kh // 2, kw // 2, kh // 2, kw // 2) if pad is None else (pad,) * 4
