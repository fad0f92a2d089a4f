"""The digits network as a quantised ONNX model, trained and quantised on first use."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tenon.compiler.frontend import quantize
from tenon.flows.zoo import training
from tenon.flows.zoo.cache import cached

__all__ = ["float_model", "model", "test_set"]

_CALIBRATION = 200  # training images that set the scales
_RECIPE = (__file__, training.__file__, inspect.getfile(quantize))  # what the cached network depends on


def test_set(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first ``count`` held-out images [count, 1, 8, 8] and their labels."""
    digits = training.load()
    return digits.test_images[:count], digits.test_labels[:count]


def float_model(weights: training.Weights) -> onnx.ModelProto:
    """The float network: two convolutions with a residual add, pooling, a convolution, a dense layer."""
    pads = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
    nodes = [
        helper.make_node("Conv", ["image", "conv1.w", "conv1.b"], ["c1"], "conv1", **pads),
        helper.make_node("Relu", ["c1"], ["a1"], "relu1"),
        helper.make_node("Conv", ["a1", "conv2.w", "conv2.b"], ["c2"], "conv2", **pads),
        helper.make_node("Add", ["c2", "a1"], ["sum"], "residual"),
        helper.make_node("Relu", ["sum"], ["a2"], "relu2"),
        helper.make_node("MaxPool", ["a2"], ["p"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p", "conv3.w", "conv3.b"], ["c3"], "conv3", **pads),
        helper.make_node("Relu", ["c3"], ["a3"], "relu3"),
        helper.make_node("Flatten", ["a3"], ["flat"], "flatten"),
        helper.make_node("Gemm", ["flat", "dense.w", "dense.b"], ["logits"], "dense"),
    ]
    graph = helper.make_graph(
        nodes, "digits", [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(np.ascontiguousarray(w), name) for name, w in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def model(cache: Path) -> onnx.ModelProto:
    """The quantised network: uint8 activations, int8 weights per channel. Kept in ``cache``."""
    return cached(cache, "digits", _RECIPE, _make)


def _make() -> onnx.ModelProto:
    digits = training.load()
    return quantize(float_model(training.train(digits)), {"image": digits.train_images[:_CALIBRATION]})
