"""Operators with constants for each channel, and means over axes: depthwise convolutions and products in disguise.

The docstring of each handler is its line in the operator table.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tenon.compiler.frontend.build import Epilogue, Window, build_conv, build_pool, build_product
from tenon.compiler.frontend.operands import dequantised
from tenon.compiler.frontend.reader import Reader, Refused, handles
from tenon.compiler.frontend.realise import realises
from tenon.compiler.frontend.values import Constant, Expression, Quantised, Reference
from tenon.compiler.frontend.views import as_image, natural, seen_as, transposed

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


@handles("ReduceMean")
def _reduce(reader: Reader, node) -> None:
    """Over any axes: height and width of an image as GlobalAveragePool, others as a product with ones."""
    x = dequantised(reader, 0)
    a = reader.attributes()
    rank = len(x.shape)
    given = a["axes"] if "axes" in a else reader.constant(1, "axes") if reader.value(1) is not None else []
    axes = sorted({int(v) % rank for v in given})
    if not axes:
        if a.get("noop_with_empty_axes", 0):
            raise Refused("it does nothing: leave it out")
        axes = list(range(rank))
    kept = bool(a.get("keepdims", 1))
    shape = tuple(1 if d in axes else e for d, e in enumerate(x.shape) if kept or d not in axes)
    name = node.output[0]
    reader.values[name] = Expression("mean", (x,), (reader.node_name,), (name,), (tuple(axes), shape))


@realises("mean")
def _realise_mean(reader: Reader, e: Expression, end: Epilogue) -> None:
    (x,) = e.operands
    axes, shape = e.attributes
    name, end = reader.node.output[0], replace(end, fused=False)
    if len(x.shape) == 4 and axes == (2, 3):
        image = as_image(reader, x)
        build_pool(reader, "global", image, reader.of_tensor(image.tensor), end)
    else:
        rest = [d for d in range(len(x.shape)) if d not in axes]
        count = int(np.prod([x.shape[d] for d in axes]))
        last = transposed(reader, x, [*rest, *axes])
        rows = natural(reader, replace(last, shape=(int(np.prod([x.shape[d] for d in rest])), count)))
        ones = Constant(np.ones((count, 1), np.int8), np.asarray(_F32(1) / _F32(count)), np.int8(0))
        build_product(reader, "ReduceMean", rows, ones, None, reader.of_tensor(rows.tensor), end)
    # The model sees the result without the dimensions that the kernel gave it.
    reader.values[name] = Quantised(seen_as(reader, reader.values[name].reference, shape))
