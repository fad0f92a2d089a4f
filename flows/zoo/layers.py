"""Single quantised layers with seeded weights, as ONNX models."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["conv", "gemm"]

_OPSET = 17


def _quantised(name: str, inputs: dict[str, np.ndarray], product: onnx.NodeProto, x_shape, y_shape) -> onnx.ModelProto:
    """x (float) -> Q -> DQ -> product -> Q -> DQ -> y (float)."""
    initialisers = [numpy_helper.from_array(v, k) for k, v in inputs.items()]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "x_scale", "x_zero"], ["x_q"], "quantise"),
        helper.make_node("DequantizeLinear", ["x_q", "x_scale", "x_zero"], ["x_real"], "x_dequantise"),
        helper.make_node("DequantizeLinear", ["w_q", "w_scale", "w_zero"], ["w"], "w_dequantise",
                         axis=0 if product.op_type == "Conv" else 1),
        helper.make_node("DequantizeLinear", ["b_q", "b_scale", "b_zero"], ["b"], "b_dequantise", axis=0),
        product,
        helper.make_node("QuantizeLinear", ["y_real", "y_scale", "y_zero"], ["y_q"], "requantise"),
        helper.make_node("DequantizeLinear", ["y_q", "y_scale", "y_zero"], ["y"], "y_dequantise"),
    ]
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, x_shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, y_shape)], initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _parameters(rng: np.random.Generator, weight: np.ndarray, depth: int, channels: int) -> dict[str, np.ndarray]:
    """Scales with which sums of ``depth`` products spread over the whole range of the output, and seldom leave it."""
    x_scale = np.float32(0.02)
    w_scale = rng.uniform(0.004, 0.006, channels).astype(np.float32)
    spread = 74.0 * 60.0 * np.sqrt(depth) * x_scale * 0.005  # standard deviation of a sum of random products
    f32 = np.float32
    return {
        "x_scale": np.asarray(x_scale), "x_zero": np.uint8(128), "w_q": weight, "w_scale": w_scale,
        "w_zero": np.zeros(channels, np.int8), "b_q": rng.integers(-2000, 2000, channels, dtype=np.int32),
        "b_scale": (x_scale * w_scale).astype(f32), "b_zero": np.zeros(channels, np.int32),
        "y_scale": np.asarray(f32(spread / 40)), "y_zero": np.uint8(120),
    }


def gemm(m: int, k: int, n: int, *, seed: int = 1) -> onnx.ModelProto:
    """``y[m, n] = x[m, k] w[k, n] + b[n]``, uint8 activations, int8 weights with a scale per column."""
    rng = np.random.default_rng(seed)
    weight = rng.integers(-100, 101, (k, n), dtype=np.int8)
    product = helper.make_node("Gemm", ["x_real", "w", "b"], ["y_real"], "gemm")
    return _quantised(f"gemm_{m}x{k}x{n}", _parameters(rng, weight, k, n), product, [m, k], [m, n])


def conv(kernel: tuple[int, int], c_in: int, c_out: int, size: int, stride: int = 1, *, depthwise: bool = False,
         seed: int = 1) -> onnx.ModelProto:
    """A convolution over ``size x size`` with pads of half the kernel, uint8 activations, int8 weights per channel.

    ``depthwise``: with as many groups as input channels.
    """
    rng = np.random.default_rng(seed)
    kh, kw = kernel
    depth = 1 if depthwise else c_in
    weight = rng.integers(-100, 101, (c_out, depth, kh, kw), dtype=np.int8)
    pads = [kh // 2, kw // 2, kh // 2, kw // 2]
    out = [(size + 2 * (k // 2) - k) // stride + 1 for k in kernel]
    product = helper.make_node("Conv", ["x_real", "w", "b"], ["y_real"], "conv", kernel_shape=[kh, kw], pads=pads,
                               strides=[stride, stride], **({"group": c_in} if depthwise else {}))
    return _quantised(f"conv_{kh}x{kw}_{c_in}_{c_out}_{size}" + (f"_s{stride}" if stride > 1 else "") + "_dw" * depthwise,
                      _parameters(rng, weight, kh * kw * depth, c_out), product, [1, c_in, size, size], [1, c_out, *out])
