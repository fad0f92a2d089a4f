"""Operators with constants for each channel: depthwise convolutions in disguise.

The docstring of each handler is its line in the operator table.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tenon.compiler.frontend.build import Epilogue, Window, build_conv
from tenon.compiler.frontend.operands import dequantised
from tenon.compiler.frontend.reader import Reader, Refused, handles
from tenon.compiler.frontend.realise import realises
from tenon.compiler.frontend.values import Constant, Expression, Quantised, Reference
from tenon.compiler.frontend.views import as_image, seen_as

__all__ = ["image_shape", "scale_channels", "scaled_image"]

_F32 = np.float32
_FINEST = 1 << 29  # steps of the accumulator that a shift may take


def scale_channels(reader: Reader, index: int, factor: np.ndarray, shift: np.ndarray) -> None:
    """The node as input ``index`` times ``factor`` plus ``shift``, for each channel, which is the second dimension; after a
    convolution, as part of it."""
    x, name = reader.value(index), reader.node.output[0]
    if isinstance(x, Expression) and x.op == "conv" and x.clip is None:
        operand, w = x.operands
        channels = w.array.shape[0]
        scale = (np.broadcast_to(w.scale.reshape(-1), channels) * factor).astype(_F32)
        bias = np.zeros(channels, _F32) if x.bias is None else np.broadcast_to(x.bias.real.reshape(-1), channels)
        wider = replace(w, scale=scale, zero_point=np.atleast_1d(w.zero_point), axis=0)
        reader.values[name] = replace(x, operands=(operand, wider), bias=Constant((bias * factor + shift).astype(_F32)), loose=True,
                                      nodes=(*x.nodes, reader.node_name), outputs=(*x.outputs, name))
        return
    reference = dequantised(reader, index)
    channels = image_shape(reference.shape)[1]
    if channels != len(factor):
        raise Refused(f"its constants are for {len(factor)} channels, its input has {channels}")
    image = as_image(reader, replace(reference, shape=image_shape(reference.shape)))
    reader.values[name] = Expression("channels", (image,), (reader.node_name,), (name,), (factor, shift, reference.shape))


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Any number of dimensions, of which the second one is the channels', as NCHW."""
    n, channels, *inside = shape if len(shape) > 1 else (1, *shape)
    *outer, last = inside or [1]
    return n, channels, math.prod(outer), last


@realises("channels")
def _realise_channels(reader: Reader, e: Expression, end: Epilogue) -> None:
    (image,) = e.operands
    factor, shift, seen = e.attributes
    scaled = scaled_image(reader, image, factor, shift, end)
    reader.values[reader.node.output[0]] = Quantised(seen_as(reader, scaled, seen))


def scaled_image(reader: Reader, reference: Reference, factor: np.ndarray, shift: np.ndarray, end: Epilogue,
                 name: str | None = None) -> Reference:
    """A depthwise 1x1 convolution. Its unit is so fine that the shift is a whole number of them, and so coarse that both fit.
    ``name``: of the result, if it is not the node's."""
    factor, shift = (np.asarray(v, np.float64) for v in (factor, shift))
    q = reader.of_tensor(reference.tensor)
    unit = np.maximum(np.abs(factor) / 127, np.abs(shift) / (float(q.scale) * _FINEST))
    unit = np.where(unit > 0, unit, 1.0)
    weight = Constant(np.rint(factor / unit).astype(np.int8).reshape(-1, 1, 1, 1), unit.astype(_F32), np.zeros(len(unit), np.int8), 0)
    build_conv(reader, reference, weight, Constant(shift.astype(_F32)), q, replace(end, fused=False),
               window=Window((1, 1), group=len(unit)), name=name)
    return reader.values[reader.node.output[0]].reference


@handles("BatchNormalization")
def _normalise(reader: Reader, node) -> None:
    """With constant statistics; after a convolution part of it, else a depthwise one."""
    gamma, beta, mean, variance = (reader.constant(i, what) for i, what in ((1, "scale"), (2, "bias"), (3, "mean"), (4, "variance")))
    if reader.attributes().get("training_mode", 0):
        raise Refused("training_mode is not supported")
    factor = gamma / np.sqrt(variance + _F32(reader.attributes().get("epsilon", 1e-5)))
    scale_channels(reader, 0, factor, beta - mean * factor)
