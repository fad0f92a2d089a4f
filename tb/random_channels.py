"""Random models of operators with constants for each channel, means over axes, and transposed convolutions."""

from __future__ import annotations

import numpy as np

from tenon.tb.random_model import ModelBuilder

__all__ = ["CHANNELS"]


def _image(b: ModelBuilder) -> list[int]:
    return [int(b.rng.integers(1, 3)), *(int(v) for v in b.rng.integers(1, (24, 9, 9)))]


def _statistics(b: ModelBuilder, channels: int) -> list[str]:
    values = (b.rng.uniform(-1.5, 1.5, channels), b.rng.normal(0, 1, channels), b.rng.normal(0, 1, channels),
              b.rng.uniform(0.2, 2, channels))
    return [b.put(v.astype(np.float32)) for v in values]


def _batchnorm(b: ModelBuilder):
    shape = _image(b)
    return b.quantise(b.op("BatchNormalization", [b.input(shape), *_statistics(b, shape[1])]), 0.08), shape, False


def _conv_batchnorm(b: ModelBuilder):
    shape = _image(b)
    channels = int(b.rng.integers(1, 30))
    weight, _, _ = b.weight((channels, shape[1], 1, 1), 0)
    x = b.op("Conv", [b.input(shape), weight])
    y = b.op("BatchNormalization", [x, *_statistics(b, channels)])
    if b.rng.random() < 0.5:
        y = b.op("Relu", [y])
    return b.quantise(y, 0.05 * float(np.sqrt(shape[1]))), [shape[0], channels, *shape[2:]], False


def _per_channel(b: ModelBuilder):
    """A constant for each channel, added to, subtracted from or multiplied with an image or a convolution."""
    shape = _image(b)
    x = b.input(shape)
    if b.rng.random() < 0.4:
        weight, _, _ = b.weight((shape[1], shape[1], 1, 1), 0)
        x = b.op("Conv", [x, weight])
    constant = b.put(b.rng.uniform(0.3, 2, (shape[1], 1, 1)).astype(np.float32))
    return b.quantise(b.op(str(b.rng.choice(["Add", "Sub", "Mul", "Div"])), [x, constant]), 0.06), shape, False


def _mean(b: ModelBuilder):
    limits = [(20, 20), (5, 12, 20), (2, 24, 9, 9)][int(b.rng.integers(3))]
    shape = [int(b.rng.integers(1, l + 1)) for l in limits]
    rank, keep = len(shape), int(b.rng.integers(2))
    axes = [2, 3] if rank == 4 and b.rng.random() < 0.5 else sorted(int(v) for v in b.rng.choice(
        rank, int(b.rng.integers(1, rank)), replace=False))
    result = [1 if d in axes else e for d, e in enumerate(shape) if keep or d not in axes]
    op, x, count = str(b.rng.choice(["ReduceMean", "ReduceSum", "ReduceMax"])), b.input(shape), float(np.prod([shape[d] for d in axes]))
    if op == "ReduceSum":
        return b.quantise(b.op(op, [x, b.put(np.array(axes, np.int64))], keepdims=keep), 0.02 * count), result, False
    return b.quantise(b.op(op, [x], axes=axes, keepdims=keep), 0.02), result, False


def _conv_transpose(b: ModelBuilder):
    group = int(b.rng.choice([1, 1, 2]))
    n, h, w = int(b.rng.integers(1, 3)), int(b.rng.integers(2, 7)), int(b.rng.integers(2, 7))
    c, co = group * int(b.rng.integers(1, 12)), int(b.rng.integers(1, 12))
    kernel, strides, dilations = ([int(v) for v in b.rng.integers(1, high, 2)] for high in (5, 4, 3))
    extra = [int(b.rng.integers(0, s)) for s in strides]
    reach = [(k - 1) * d for k, d in zip(kernel, dilations)]
    pads = [int(b.rng.integers(0, min(r, 2) + 1)) for r in reach * 2]
    out = [(s - 1) * t + e + r + 1 - p - q for s, t, e, r, p, q in zip((h, w), strides, extra, reach, pads[:2], pads[2:])]
    if min(out) < 1:
        pads, out = [0] * 4, [o + p + q for o, p, q in zip(out, pads[:2], pads[2:])]
    weight, _, _ = b.weight((c, co, *kernel), 1)
    y = b.op("ConvTranspose", [b.input([n, c, h, w]), weight], kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads,
             output_padding=extra, group=group)
    return b.quantise(y, 0.04 * float(np.sqrt(c // group * kernel[0] * kernel[1]))), [n, co * group, *out], False


#: Makers by kind.
CHANNELS = {"batchnorm": _batchnorm, "conv_batchnorm": _conv_batchnorm, "per_channel": _per_channel, "reduce_mean": _mean,
            "conv_transpose": _conv_transpose}
