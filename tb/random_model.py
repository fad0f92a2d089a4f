"""Grows random quantised ONNX models, node by node."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["ModelBuilder"]


class ModelBuilder:
    """Grows one model: every float tensor goes through QuantizeLinear and DequantizeLinear.

    ``kind`` is that of activations, drawn unless given.
    """

    def __init__(self, rng: np.random.Generator, kind: str | None = None):
        self.rng = rng
        self.kind = np.dtype(kind or rng.choice(["uint8", "int8"]))
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.feeds: dict[str, np.ndarray] = {}
        self.count = 0

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def put(self, array: np.ndarray, stem: str = "k") -> str:
        name = self.fresh(stem)
        self.initialisers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def zero_point(self) -> np.ndarray:
        symmetric = 0 if self.kind == np.int8 else 128
        low = np.iinfo(self.kind).min
        return np.asarray(self.rng.choice([symmetric, low, int(self.rng.integers(low, low + 256))])).astype(self.kind)

    def scale(self, like: float = 0.05) -> np.ndarray:
        if self.rng.random() < 0.25:
            return np.asarray(2.0 ** np.round(np.log2(like)), np.float32)
        if self.rng.random() < 0.25:  # a number as people write it: sums of such meet ties
            return np.asarray(max(0.01, round(like * self.rng.uniform(0.5, 2.0), 2)), np.float32)
        return np.asarray(like * self.rng.uniform(0.5, 2.0), np.float32)

    def op(self, kind: str, inputs: list[str], domain: str = "", *, outputs: int = 1, **attributes):
        """Adds a node; its output's name, or a list of them if there are several."""
        out = [self.fresh("t") for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, out, f"{out[0]}_{kind}", domain=domain, **attributes))
        return out[0] if outputs == 1 else out

    def parameters(self, like: float = 0.05, zero: np.ndarray | None = None) -> list[str]:
        return [self.put(self.scale(like), "s"), self.put(self.zero_point() if zero is None else zero, "z")]

    def quantise(self, x: str, like: float = 0.05, zero: np.ndarray | None = None, parameters: list[str] | None = None) -> str:
        """Q then DQ; the float name of the result."""
        p = parameters or self.parameters(like, zero)
        self.last = self.op("QuantizeLinear", [x, *p])
        return self.op("DequantizeLinear", [self.last, *p])

    def input(self, shape: list[int], parameters: list[str] | None = None) -> str:
        name = self.fresh("x")
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        self.feeds[name] = (self.rng.standard_normal(shape) * self.rng.uniform(1, 6)).astype(np.float32)
        return self.quantise(name, parameters=parameters)

    def weight(self, shape: tuple[int, ...], axis: int) -> tuple[str, np.ndarray, np.ndarray]:
        """A dequantised weight, its scale, and how large sums of products with it are."""
        kind = np.dtype("int8" if self.kind == np.int8 else self.rng.choice(["int8", "uint8"]))
        per_channel = self.rng.random() < 0.5
        n = shape[axis] if per_channel else 1
        info = np.iinfo(kind)
        q = self.rng.integers(info.min, info.max + 1, shape, dtype=kind)
        scale = self.rng.uniform(0.002, 0.02, n).astype(np.float32)
        middle = 0 if kind == np.int8 else 128
        zero = np.full(n, middle, kind) if self.rng.random() < 0.6 else self.rng.integers(middle - 8, middle + 8, n).astype(kind)
        if not per_channel:
            scale, zero = scale.reshape(()), zero.reshape(())
        names = [self.put(v, "w") for v in (q, scale, zero)]
        return self.op("DequantizeLinear", names, axis=axis), scale, zero

    def model(self, output: str, shape: list[int], integer: bool = False) -> onnx.ModelProto:
        kind = TensorProto.FLOAT if not integer else helper.np_dtype_to_tensor_dtype(self.kind)
        graph = helper.make_graph(self.nodes, "random", self.inputs, [helper.make_tensor_value_info(output, kind, shape)],
                                  self.initialisers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)],
                                 ir_version=8)
