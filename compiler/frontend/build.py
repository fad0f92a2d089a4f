"""Kernels out of operators and quantisation parameters; what QDQ and QOperator models share."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tenon.compiler.binary32 import fma
from tenon.compiler.frontend.quantisation import Quantisation, bias_of, clamp_of, output_scale
from tenon.compiler.frontend.reader import Reader, Refused
from tenon.compiler.frontend.values import Constant, Reference
from tenon.compiler.frontend.views import natural
from tenon.compiler.ir import Add, Conv, Pool, Tensor, output_size
from tenon.compiler.mean import mean_is_exact
from tenon.compiler.product import Product

__all__ = ["Epilogue", "Window", "build_add", "build_conv", "build_matrices", "build_pool", "build_product", "window_of"]

_EXACT_SUM = 1 << 24  # integers up to here are exact in binary32


@dataclass(frozen=True)
class Window:
    """Attributes of a sliding window; ``pads`` are top, left, bottom, right."""

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    group: int = 1
    count_include_pad: bool = False


@dataclass(frozen=True)
class Epilogue:
    """How an operator ends: ``y`` quantises its result, after ``clip`` bounds in real numbers, if any.

    ``nodes`` are the model's nodes that become the kernel; ``fused`` says that the reference can take them as one
    integer kernel, as far as it depends on the nodes around the operator.
    """

    y: Quantisation
    nodes: tuple[str, ...]
    clip: tuple[float, float] | None = None
    fused: bool = True


def window_of(reader: Reader, x: Tensor, kernel: tuple[int, ...], lines: bool = False) -> Window:
    """The node's window attributes over ``x``, with ``auto_pad`` resolved; ``lines``: the model knows no rows."""
    a = reader.attributes()
    if lines:
        kernel = (1, *kernel) if len(kernel) == 1 else kernel
        a |= {n: [1, *a[n]] for n in ("strides", "dilations") if n in a}
        if "pads" in a:
            a["pads"] = [0, a["pads"][0], 0, a["pads"][1]]
    if len(kernel) != 2:
        raise Refused(f"only two spatial dimensions are supported, not {len(kernel)}")
    if min(kernel) < 1:
        raise Refused(f"its window must have rows and columns, not {list(kernel)}")
    strides, dilations = (tuple(a.get(n, (1, 1))) for n in ("strides", "dilations"))
    if min(*strides, *dilations) < 1:
        raise Refused(f"its strides and dilations must be at least 1, not {list(strides)} and {list(dilations)}")
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
    if a.get("ceil_mode", 0) and mode == "NOTSET":
        wider = _ceiled(x.shape[1:3], kernel, strides, dilations, pads)
        if wider != pads and a.get("count_include_pad", 0):
            raise Refused("ceil_mode with count_include_pad is not supported where it adds windows")
        pads = wider
    window = Window(tuple(kernel), strides, pads, dilations, a.get("group", 1), bool(a.get("count_include_pad", 0)))
    if min(output_size(x.shape, window.kernel, window)) < 1:
        raise Refused(f"its window {list(kernel)} is larger than its padded input")
    return window


def _ceiled(size, kernel, strides, dilations, pads) -> tuple[int, ...]:
    """``pads`` with as much more at the ends as the windows of ceil_mode reach beyond them; each begins inside (ONNX, MaxPool)."""
    ends = []
    for axis in range(2):
        reach, padded = (kernel[axis] - 1) * dilations[axis] + 1, size[axis] + pads[axis] + pads[axis + 2]
        last = -(-(padded - reach) // strides[axis]) * strides[axis]  # where the last window begins
        if last >= size[axis] + pads[axis]:
            last -= strides[axis]
        ends.append(max(pads[axis + 2], last + reach - size[axis] - pads[axis]))
    return *pads[:2], *ends


def build_conv(reader: Reader, reference: Reference, weight: Constant, bias: Constant | None, x: Quantisation, end: Epilogue, *,
               window: Window, name: str | None = None) -> None:
    """A convolution; ``weight`` is quantised, [CO, CI / group, KH, KW]. ``name``: of a result that the model does not have."""
    image = reader.image(reference)
    hwio = weight.array.transpose(2, 3, 1, 0)
    if hwio.shape[2] * window.group != image.shape[3]:
        raise Refused(f"its weights are for {hwio.shape[2] * window.group} channels, its input has {image.shape[3]}")
    out = _image(reader, image, window, hwio.shape[3], end.y, name)
    _conv(reader, "Conv", reference, out, hwio, weight, 0, bias, x, end, window)


def build_product(reader: Reader, op: str, reference: Reference, weight: Constant, bias: Constant | None, x: Quantisation,
                  end: Epilogue, *, transpose: bool = False, alpha: float = 1.0) -> None:
    """A product with constant weights, [K, N]. After a Flatten of an image it is a convolution of the whole image."""
    t = reader.tensors[reference.tensor]
    if weight.array.ndim != 2:
        raise Refused(f"its weights must have 2 dimensions, not {weight.array.ndim}")
    matrix = weight.array.T if transpose else weight.array
    k = reference.shape[-1]
    if matrix.shape[0] != k:
        raise Refused(f"its weights have {matrix.shape[0]} rows, its input {k} columns")
    n, h, w, c = t.shape
    columns = matrix.shape[1]
    if reference.order == "NCHW" and reference.shape == (n, c * h * w):
        hwio = matrix.reshape(c, h, w, columns).transpose(1, 2, 0, 3)
        nhwc = (n, 1, 1, columns)
    else:
        reference = natural(reader, reference)
        hwio = matrix[None, None]
        nhwc = (*reader.tensors[reference.tensor].shape[:3], columns)
    out = reader.tensor(reader.node.output[0], (*reference.shape[:-1], columns), end.y, nhwc=nhwc)
    _conv(reader, op, reference, out, hwio, weight, 0 if transpose else 1, bias, x, end, Window(hwio.shape[:2]), alpha)


def build_matrices(reader: Reader, a: Reference, b: Reference, qa: Quantisation, qb: Quantisation, end: Epilogue) -> None:
    """A product of two activations, [.., M, K] and [.., K, N]."""
    if min(len(a.shape), len(b.shape)) < 2 or max(len(a.shape), len(b.shape)) > 4:
        raise Refused(f"its operands must have 2 to 4 dimensions, not {len(a.shape)} and {len(b.shape)}")
    if a.shape[-1] != b.shape[-2]:
        raise Refused(f"{list(a.shape)} and {list(b.shape)} cannot be multiplied")
    a, b = natural(reader, a), natural(reader, b)
    reader.read_as(a, qa)
    reader.read_as(b, qb)
    lead = [tuple(r.shape[:-2]) for r in (a, b)]
    try:
        outer = np.broadcast_shapes(*lead)
    except ValueError:
        raise Refused(f"{list(a.shape)} and {list(b.shape)} cannot be broadcast") from None
    shape = (*outer, a.shape[-2], b.shape[-1])
    nhwc = (1,) * (4 - len(shape)) + shape
    out = reader.tensor(reader.node.output[0], shape, end.y, nhwc=nhwc)
    if (qa.dtype, qb.dtype) == ("uint8", "int8"):
        raise Refused("the reference saturates sums of uint8 times int8 activations: quantise both operands alike")
    lo, hi, implied = clamp_of(end.clip, end.y)
    exact = implied and end.fused and qa.dtype == qb.dtype == end.y.dtype
    reader.add_kernel(Product(
        reader.kernel_name(end.nodes), end.nodes, "MatMul", exact, a.tensor, b.tensor, out.tensor,
        float(output_scale(qa.scale, np.asarray(qb.scale), end.y.scale)[0]), qa.zero_point, qb.zero_point, end.y.zero_point, lo, hi), out)


def build_add(reader: Reader, a: Reference, b: Reference, qa: Quantisation, qb: Quantisation, end: Epilogue, *, op: str = "Add",
              sign: int = 1, swapped: bool = False) -> None:
    """A sum of two activations of one shape and layout; a difference if ``sign`` is -1. ``swapped``: the reference takes the
    operands the other way round, which matters to the bit."""
    if swapped:
        a, b, qa, qb = b, a, qb, qa
    reader.read_as(a, qa)
    reader.read_as(b, qb)
    out = reader.like(reader.node.output[0], a, end.y)
    f32 = np.float32
    ra, rb = f32(qa.scale / end.y.scale), f32(sign * qb.scale / end.y.scale)
    fixed = f32(f32(end.y.zero_point) - fma(ra, f32(qa.zero_point), f32(rb * f32(qb.zero_point))))
    lo, hi, implied = clamp_of(end.clip, end.y)
    exact = implied and end.fused and qa.dtype == qb.dtype == end.y.dtype
    reader.add_kernel(Add(reader.kernel_name(end.nodes), end.nodes, op, exact, a.tensor, b.tensor, out.tensor, float(ra),
                          float(rb), float(fixed), lo, hi), out)


def build_pool(reader: Reader, kind: str, reference: Reference, x: Quantisation, end: Epilogue, *,
               window: Window | None = None) -> None:
    """Pooling of ``kind`` "max", "average" or "global"; no ``window`` means the whole image."""
    image = reader.image(reference)
    reader.read_as(reference, x)
    window = window or Window(image.shape[1:3])
    if kind == "average" and window.dilations != (1, 1):
        raise Refused("dilations of an average are not supported, nor by the reference")
    out = _image(reader, image, window, image.shape[3], end.y)
    lo, hi, implied = clamp_of(end.clip, end.y)
    op = {"max": "MaxPool", "average": "AveragePool", "global": "GlobalAveragePool"}[kind]
    kernel = Pool(reader.kernel_name(end.nodes), end.nodes, op, kind == "max", kind, reference.tensor, out.tensor, window.kernel,
                  window.strides, window.pads, window.dilations, window.count_include_pad, float(x.scale),
                  float(end.y.scale), x.zero_point, end.y.zero_point, lo, hi)
    if kind != "max":
        whole = window.kernel[0] * window.kernel[1] * 255 <= _EXACT_SUM
        same = whole if kind == "global" else mean_is_exact(kernel, image)
        kernel = replace(kernel, exact=implied and end.fused and x.dtype == end.y.dtype and same)
        if kind == "average" and not kernel.exact and window.kernel == image.shape[1:3] and not any(window.pads):
            kernel = replace(kernel, kind="global")  # a step away from the reference either way: then by the quicker one
    reader.add_kernel(kernel, out)


def _image(reader: Reader, x: Tensor, window: Window, channels: int, q: Quantisation, name: str | None = None) -> Reference:
    oh, ow = output_size(x.shape, window.kernel, window)
    return reader.tensor(name or reader.node.output[0], (x.shape[0], channels, oh, ow), q, invented=name is not None)


def _conv(reader: Reader, op: str, reference: Reference, out: Reference, hwio: np.ndarray, weight: Constant, axis: int,
          bias: Constant | None, x: Quantisation, end: Epilogue, window: Window, alpha: float = 1.0) -> None:
    """Adds the convolution. ``axis`` is that of the output channels in ``weight``, whose [KH, KW, CI, CO] form is ``hwio``."""
    reader.read_as(reference, x)
    channels = hwio.shape[3]
    if channels % window.group:
        raise Refused(f"its {channels} output channels are not a multiple of its {window.group} groups")
    if weight.per_channel and weight.axis % weight.array.ndim != axis:
        raise Refused("its weights must be quantised per tensor or per output channel")
    sw, zw = (np.atleast_1d(v.reshape(-1)) for v in (weight.scale.astype(np.float32), weight.zero_point.astype(np.int64)))
    for name, values in (("scale", sw), ("zero-point", zw)):
        if values.size not in (1, channels):
            raise Refused(f"its weights have {values.size} values of {name} for {channels} output channels")
    if not np.isfinite(sw).all() or bias is not None and not np.isfinite(bias.real).all():
        raise Refused("its weights' scale and its bias must be finite numbers")
    unit = (np.float32(np.float32(alpha) * x.scale) * sw).astype(np.float32)
    steps, in_units = _bias(bias, unit, channels)
    lo, hi, implied = clamp_of(end.clip, end.y)
    # The reference has no integer kernel for other combinations, and computes them in float.
    signs = x.dtype == end.y.dtype and (x.dtype == "uint8" or weight.array.dtype == np.int8)
    exact = implied and end.fused and in_units and signs
    reader.add_kernel(Conv(
        reader.kernel_name(end.nodes), end.nodes, op, exact, reference.tensor, out.tensor, np.ascontiguousarray(hwio), steps,
        output_scale(x.scale, sw, end.y.scale, alpha), x.zero_point, zw, end.y.zero_point, lo, hi, window.strides, window.pads,
        window.dilations, window.group), out)


def _bias(bias: Constant | None, unit: np.ndarray, channels: int) -> tuple[np.ndarray, bool]:
    """The bias in units of the accumulator, int32 [channels], and whether the reference sees it so too."""
    if bias is None:
        return np.zeros(channels, np.int32), True
    if bias.array.size != 1 and bias.array.size != channels or bias.array.size > 1 and bias.array.shape[-1] != channels:
        raise Refused(f"its bias of shape {list(bias.array.shape)} is not one element for each of {channels} output channels")
    flat = bias.array.ndim == 1 and bias.array.size == channels  # what else is broadcast is not fused in the reference
    if bias.array.dtype == np.int32:
        # The reference takes a scale as the accumulator's if it is so up to rounding.
        given = unit if bias.scale is None else bias.scale.astype(np.float32).reshape(-1)
        plain = bias.zero_point is None or not bias.zero_point.any()
        if plain and given.size == unit.size and np.allclose(given, unit, rtol=1e-5, atol=0):
            return np.broadcast_to(bias.array.reshape(-1), channels).astype(np.int32), flat
    return np.broadcast_to(bias_of(bias.real.reshape(-1), unit), channels).astype(np.int32), bias.scale is None and flat
