"""Grows quantised networks with seeded weights: structure is what matters, so every tensor gets a scale that keeps it busy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["Network"]

_OPSET = 17
_STEPS = 40.0  # standard deviation of activations, in steps of their scale


class Network:
    """A QDQ model under construction: uint8 activations that all share one scale, int8 weights with a scale per channel.

    Methods return the name of the dequantised result. Shapes are NCHW. Sums keep their spread: weights are scaled by
    the square root of how many are summed.
    """

    def __init__(self, name: str, seed: int = 1, *, scale: float = 0.05, zero_point: int = 128):
        self.name, self.rng = name, np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.scale = np.float32(scale)
        self._put("scale", np.asarray(self.scale))
        self._put("zero_point", np.uint8(zero_point))

    def _put(self, name: str, array: np.ndarray) -> str:
        self.initialisers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def _quantised(self, name: str, real: str, shape: Sequence[int]) -> str:
        self.nodes.append(helper.make_node("QuantizeLinear", [real, "scale", "zero_point"], [f"{name}_q"], f"{name}_quantise"))
        self.nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", "scale", "zero_point"], [name], f"{name}_dequantise"))
        self.shapes[name] = tuple(shape)
        return name

    def _op(self, kind: str, name: str, inputs: Sequence[str], shape: Sequence[int], **attributes) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [f"{name}_real"], name, **attributes))
        return self._quantised(name, f"{name}_real", shape)

    def input(self, name: str, shape: Sequence[int]) -> str:
        self.inputs.append(helper.make_tensor_value_info(f"{name}_float", TensorProto.FLOAT, list(shape)))
        return self._quantised(name, f"{name}_float", shape)

    def _weights(self, name: str, shape: Sequence[int], depth: int) -> list[str]:
        """A dequantised weight of output channels first, and a bias."""
        channels = shape[0]
        weight = self.rng.integers(-100, 101, shape, dtype=np.int8)
        scale = (self.rng.uniform(0.8, 1.2, channels) / (58.0 * np.sqrt(depth))).astype(np.float32)
        bias = self.rng.integers(-_STEPS * 20, _STEPS * 20, channels, dtype=np.int32)
        zero = np.zeros(channels, np.int8)
        for what, values, unit, point in (("weight", weight, scale, zero),
                                          ("bias", bias, (self.scale * scale).astype(np.float32), zero.astype(np.int32))):
            names = [self._put(f"{name}_{what}_{n}", v) for n, v in (("q", values), ("scale", unit), ("zero", point))]
            self.nodes.append(helper.make_node("DequantizeLinear", names, [f"{name}_{what}"], f"{name}_{what}_dequantise", axis=0))
        return [f"{name}_weight", f"{name}_bias"]

    def conv(self, name: str, x: str, channels: int, kernel: tuple[int, int] = (1, 1), stride: int = 1, *,
             depthwise: bool = False, dilation: int = 1) -> str:
        """A convolution whose result is as large as its input over ``stride``, rounded up."""
        n, c, h, w = self.shapes[x]
        depth = 1 if depthwise else c
        weights = self._weights(name, (channels, depth, *kernel), depth * kernel[0] * kernel[1])
        around = [dilation * (k - 1) // 2 for k in kernel]  # the reference does not pad dilated kernels by itself
        padding = {"auto_pad": "SAME_UPPER"} if dilation == 1 else {"dilations": [dilation] * 2, "pads": around * 2}
        return self._op("Conv", name, [x, *weights], (n, channels, -(-h // stride), -(-w // stride)), kernel_shape=list(kernel),
                        strides=[stride] * 2, group=c if depthwise else 1, **padding)

    def dense(self, name: str, x: str, columns: int) -> str:
        """A product of the flattened input."""
        n, *rest = self.shapes[x]
        depth = int(np.prod(rest))
        self.nodes.append(helper.make_node("Flatten", [x], [f"{name}_flat"], f"{name}_flatten"))
        return self._op("Gemm", name, [f"{name}_flat", *self._weights(name, (columns, depth), depth)], (n, columns), transB=1)

    def pool(self, name: str, x: str, kernel: int, stride: int, kind: str = "MaxPool") -> str:
        """Pooling; as large as the input over ``stride``, rounded up."""
        n, c, h, w = self.shapes[x]
        return self._op(kind, name, [x], (n, c, -(-h // stride), -(-w // stride)), kernel_shape=[kernel] * 2, strides=[stride] * 2,
                        auto_pad="SAME_UPPER")

    def mean(self, name: str, x: str) -> str:
        """The mean of every channel."""
        return self._op("GlobalAveragePool", name, [x], (*self.shapes[x][:2], 1, 1))

    def add(self, name: str, a: str, b: str) -> str:
        return self._op("Add", name, [a, b], self.shapes[a])

    def concat(self, name: str, xs: Sequence[str]) -> str:
        """Along the channels."""
        n, _, h, w = self.shapes[xs[0]]
        return self._op("Concat", name, xs, (n, sum(self.shapes[x][1] for x in xs), h, w), axis=1)

    def model(self, outputs: Sequence[str]) -> onnx.ModelProto:
        """The model whose outputs are these, dequantised."""
        results = [helper.make_tensor_value_info(o, TensorProto.FLOAT, list(self.shapes[o])) for o in outputs]
        graph = helper.make_graph(self.nodes, self.name, self.inputs, results, self.initialisers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
        onnx.checker.check_model(model)
        return model
