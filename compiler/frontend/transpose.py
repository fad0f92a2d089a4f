"""ConvTranspose: a convolution of the input with zero-points between its elements.

The docstring of the handler is its line in the operator table.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tenon.compiler.frontend.build import Epilogue, Window, build_conv
from tenon.compiler.frontend.operands import bias_of, dequantised, weight_of
from tenon.compiler.frontend.reader import Reader, Refused, handles
from tenon.compiler.frontend.realise import realises
from tenon.compiler.frontend.values import Constant, Expression, Reference
from tenon.compiler.frontend.views import add_move, as_image
from tenon.compiler.move import ORIGIN, UNITS, Piece, Step

__all__: list[str] = []


@handles("ConvTranspose")
def _conv_transpose(reader: Reader, node) -> None:
    """Two-dimensional; constant weights per tensor or output channel; any strides, dilations, groups, output_padding, and pads
    up to the kernel's reach."""
    x, w, b = as_image(reader, dequantised(reader, 0)), weight_of(reader, 1), bias_of(reader, 2)
    a = reader.attributes()
    if w.array.ndim != 4:
        raise Refused(f"only two spatial dimensions are supported, not {w.array.ndim - 2}")
    n, h, wide, c = reader.image(x).shape
    group = a.get("group", 1)
    if w.array.shape[0] != c or c % group:
        raise Refused(f"its weights are for {w.array.shape[0]} channels in {group} groups, its input has {c}")
    kernel = w.array.shape[2:]
    strides, dilations, extra = (tuple(a.get(name, default)) for name, default in (
        ("strides", (1, 1)), ("dilations", (1, 1)), ("output_padding", (0, 0))))
    pads = _pads(a, (h, wide), kernel, strides, dilations, extra)
    reach = [(k - 1) * d for k, d in zip(kernel, dilations)]
    inner = tuple(r - p for r, p in zip(reach * 2, pads))
    inner = (*inner[:2], inner[2] + extra[0], inner[3] + extra[1])
    if min(inner) < 0:
        raise Refused(f"its pads {list(pads)} reach beyond its kernel")
    name = node.output[0]
    window = Window(kernel, (1, 1), inner, dilations, group)
    reader.values[name] = Expression("conv_transpose", (x, _flipped(w, group)), (reader.node_name,), (name,), (window, strides), b)


def _pads(a: dict, size, kernel, strides, dilations, extra) -> tuple[int, ...]:
    """Pads of both axes, begins first (ONNX, operator ConvTranspose)."""
    mode = a.get("auto_pad", b"NOTSET").decode()
    if mode == "NOTSET" and "output_shape" not in a:
        return tuple(a.get("pads", (0, 0, 0, 0)))
    if mode == "VALID":
        return 0, 0, 0, 0
    begins, ends = [], []
    for i in range(2):
        wanted = list(a["output_shape"])[-2:][i] if "output_shape" in a else size[i] * strides[i]
        total = strides[i] * (size[i] - 1) + extra[i] + (kernel[i] - 1) * dilations[i] + 1 - wanted
        if total < 0:  # an output_shape that the kernel does not reach goes on after its end
            begins.append(0)
            ends.append(total if "output_shape" in a else 0)
            continue
        more, less = total - total // 2, total // 2
        begin = less if mode == "SAME_UPPER" else more
        begins.append(begin)
        ends.append(total - begin)
    return *begins, *ends


def _flipped(w: Constant, group: int) -> Constant:
    """Weights [CI, CO / group, KH, KW] as those of a convolution, [CO, CI / group, KH, KW], taps in reverse."""
    ci, co, kh, kw = w.array.shape
    array = w.array.reshape(group, ci // group, co, kh, kw).transpose(0, 2, 1, 3, 4)[..., ::-1, ::-1]
    array = np.ascontiguousarray(array.reshape(group * co, ci // group, kh, kw))
    if not w.per_channel:
        return replace(w, array=array)
    if w.axis % 4 != 1:
        raise Refused("its weights must be quantised per tensor or per output channel")
    scale, zero = (np.tile(v.reshape(-1), group) if v.size > 1 else v for v in (w.scale, w.zero_point))
    return Constant(array, scale, zero, 0)


@realises("conv_transpose")
def _realise(reader: Reader, e: Expression, end: Epilogue) -> None:
    x, w = e.operands
    window, strides = e.attributes
    q = reader.of_tensor(x.tensor)
    build_conv(reader, _spread(reader, x, strides), w, e.bias, q, replace(end, fused=False), window=window)


def _spread(reader: Reader, x: Reference, strides: tuple[int, int]) -> Reference:
    """The image with zero-points between its rows and columns."""
    if strides == (1, 1):
        return x
    n, h, w, c = reader.tensors[x.tensor].shape
    q = reader.of_tensor(x.tensor)
    shape = (n, c, (h - 1) * strides[0] + 1, (w - 1) * strides[1] + 1)
    out = reader.tensor(reader.fresh_tensor(x.tensor), shape, q, invented=True)
    units = [tuple(by if d == axis else 0 for d in range(4)) for axis, by in ((0, 1), (1, strides[0]), (2, strides[1]), (3, 1))]
    steps = tuple(Step(extent, one, unit) for extent, one, unit in zip((n, h, w, c), UNITS, units))
    add_move(reader, "Spread", (), [x], out, [Piece(0, ORIGIN, ORIGIN, steps)], q.zero_point)
    return out
