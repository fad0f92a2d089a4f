"""Kernels out of operators and quantisation parameters; what QDQ and QOperator models share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.frontend.quantisation import Quantisation, bias_of, clamp_of, output_scale
from compiler.frontend.reader import Reader, Refused
from compiler.frontend.values import Constant, Reference
from compiler.ir import Add, Conv, Pool, Tensor, output_size

__all__ = ["Window", "build_add", "build_conv", "build_pool", "build_product", "window_of"]


@dataclass(frozen=True)
class Window:
    """Attributes of a sliding window; ``pads`` are top, left, bottom, right."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilations: tuple[int, int]
    group: int = 1
    count_include_pad: bool = False


def window_of(reader: Reader, x: Tensor, kernel: tuple[int, ...]) -> Window:
    """The node's window attributes over ``x``, with ``auto_pad`` resolved."""
    a = reader.attributes()
    if len(kernel) != 2:
        raise Refused(f"only two spatial dimensions are supported, not {len(kernel)}")
    if a.get("ceil_mode", 0):
        raise Refused("ceil_mode is not supported")
    strides, dilations = (tuple(a.get(n, (1, 1))) for n in ("strides", "dilations"))
    pads = tuple(a.get("pads", (0, 0, 0, 0)))
    mode = a.get("auto_pad", b"NOTSET").decode()
    if mode.startswith("SAME"):
        before, after = [], []
        for axis in range(2):
            reach = (kernel[axis] - 1) * dilations[axis] + 1
            size = x.shape[1 + axis]
            total = max(0, (-(-size // strides[axis]) - 1) * strides[axis] + reach - size)
            small, large = total // 2, total - total // 2
            before.append(large if mode == "SAME_LOWER" else small)
            after.append(small if mode == "SAME_LOWER" else large)
        pads = (*before, *after)
    elif mode == "VALID":
        pads = (0, 0, 0, 0)
    if min(pads) < 0:
        raise Refused("negative padding is not supported")
    return Window(tuple(kernel), strides, pads, dilations, a.get("group", 1), bool(a.get("count_include_pad", 0)))


def _image(reader: Reader, x: Tensor, window: Window, channels: int, q: Quantisation) -> Reference:
    oh, ow = output_size(x.shape, window.kernel, window)
    return reader.tensor(reader.node.output[0], (x.shape[0], channels, oh, ow), q)


def build_conv(reader: Reader, reference: Reference, weight: Constant, bias, x: Quantisation, y: Quantisation, *,
               nodes, window: Window, clip=None) -> None:
    """A convolution; ``weight`` is quantised, [CO, CI / group, KH, KW]; ``bias`` a Constant or None."""
    image = reader.image(reference)
    hwio = weight.array.transpose(2, 3, 1, 0)
    if hwio.shape[2] * window.group != image.shape[3]:
        raise Refused(f"its weights are for {hwio.shape[2] * window.group} channels, its input has {image.shape[3]}")
    out = _image(reader, image, window, hwio.shape[3], y)
    _conv(reader, reference.tensor, out, hwio, weight, bias, x, y, nodes, clip, window, 1.0)


def build_product(reader: Reader, reference: Reference, weight: Constant, bias, x: Quantisation, y: Quantisation, *,
                  nodes, shape, clip=None, transpose: bool = False, alpha: float = 1.0) -> None:
    """A product with constant weights, [K, N]. After a Flatten of an image it is a convolution of the whole image."""
    t = reader.tensors[reference.tensor]
    if weight.array.ndim != 2:
        raise Refused(f"its weights must have 2 dimensions, not {weight.array.ndim}")
    matrix = weight.array.T if transpose else weight.array
    k = reference.shape[-1]
    if matrix.shape[0] != k:
        raise Refused(f"its weights have {matrix.shape[0]} rows, its input {k} columns")
    n, h, w, c = t.shape
    if reference.order == "NCHW":
        if tuple(reference.shape) != (n, c * h * w):
            raise Refused(f"a product of a tensor of shape {list(reference.shape)}, which was an image, is not supported")
        hwio = matrix.reshape(c, h, w, -1).transpose(1, 2, 0, 3)
        nhwc = (n, 1, 1, hwio.shape[3])
    else:
        if k != c:
            raise Refused("its input is reshaped across rows")
        hwio = matrix[None, None]
        nhwc = (n, h, w, hwio.shape[3])
    out = reader.tensor(reader.node.output[0], shape, y, nhwc=nhwc)
    _conv(reader, reference.tensor, out, hwio, weight, bias, x, y, nodes, clip,
          Window(hwio.shape[:2], (1, 1), (0, 0, 0, 0), (1, 1)), alpha)


def _conv(reader, x_name, out, hwio, weight: Constant, bias, x, y, nodes, clip, window: Window, alpha) -> None:
    channels = hwio.shape[3]
    sw = np.atleast_1d(weight.scale.astype(np.float32).reshape(-1))
    zw = np.atleast_1d(weight.zero_point.astype(np.int64).reshape(-1))
    for name, values in (("scale", sw), ("zero-point", zw)):
        if values.size not in (1, channels):
            raise Refused(f"its weights' {name} must be per tensor or per output channel")
    if bias is None:
        steps = np.zeros(channels, np.int32)
    elif bias.array.dtype == np.int32:
        steps = np.broadcast_to(bias.array.reshape(-1), channels).astype(np.int32)
    else:
        steps = np.broadcast_to(bias_of(bias.real.reshape(-1), np.float32(alpha) * x.scale, sw), channels).copy()
    lo, hi, implied = clamp_of(clip, y)
    kernel = Conv(reader.node.output[0], nodes, "Conv" if hwio.shape[:2] != (1, 1) or out.order == "NCHW" else "MatMul",
                  implied, x_name, out.tensor, np.ascontiguousarray(hwio), steps, output_scale(x.scale, sw, y.scale, alpha),
                  x.zero_point, zw, y.zero_point, lo, hi, window.strides, window.pads, window.dilations, window.group)
    reader.add_kernel(kernel, out)


def build_add(reader: Reader, a: Reference, b: Reference, qa: Quantisation, qb: Quantisation, y: Quantisation, *,
              nodes, clip=None) -> None:
    """A sum of two activations of one shape."""
    ta, tb = reader.tensors[a.tensor], reader.tensors[b.tensor]
    if ta.shape != tb.shape or a.order != b.order or a.shape != b.shape:
        raise Refused(f"its operands must have the same shape, not {list(a.shape)} and {list(b.shape)}")
    out = reader.tensor(reader.node.output[0], a.shape, y, nhwc=None if len(a.shape) == 4 and a.order == "NCHW" else ta.shape)
    f32 = np.float32
    ra, rb = f32(qa.scale / y.scale), f32(qb.scale / y.scale)
    fixed = f32(f32(y.zero_point) - f32(f32(ra * f32(qa.zero_point)) + f32(rb * f32(qb.zero_point))))
    lo, hi, implied = clamp_of(clip, y)
    reader.add_kernel(Add(reader.node.output[0], nodes, "Add", implied, a.tensor, b.tensor, out.tensor, float(ra), float(rb),
                          float(fixed), lo, hi), out)


def build_pool(reader: Reader, kind: str, reference: Reference, x: Quantisation, y: Quantisation, *, nodes,
               window: Window | None = None, clip=None) -> None:
    """Pooling; ``window`` is the whole image for kind "global"."""
    image = reader.image(reference)
    window = window or Window(image.shape[1:3], (1, 1), (0, 0, 0, 0), (1, 1))
    out = _image(reader, image, window, image.shape[3], y)
    lo, hi, implied = clamp_of(clip, y)
    op = {"max": "MaxPool", "average": "AveragePool", "global": "GlobalAveragePool"}[kind]
    reader.add_kernel(Pool(reader.node.output[0], nodes, op, implied, kind, reference.tensor, out.tensor, tuple(window.kernel),
                           window.strides, window.pads, window.dilations, window.count_include_pad, float(x.scale),
                           float(y.scale), x.zero_point, y.zero_point, lo, hi), out)
