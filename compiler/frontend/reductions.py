"""Means, sums and maxima over axes: products with ones, and windows that are whole images.

The docstring of each handler is its line in the operator table.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tenon.compiler.frontend.build import Epilogue, Window, build_pool, build_product
from tenon.compiler.frontend.copies import requantised
from tenon.compiler.frontend.operands import dequantised
from tenon.compiler.frontend.reader import Reader, Refused, handles
from tenon.compiler.frontend.realise import realises
from tenon.compiler.frontend.values import Constant, Expression, Quantised, Reference
from tenon.compiler.frontend.views import as_image, natural, seen_as, transposed

__all__: list[str] = []

_F32 = np.float32
_PIXELS = (2, 3)  # axes of an image


@handles("ReduceMean", "ReduceSum", "ReduceMax")
def _reduce(reader: Reader, node) -> None:
    """Over any axes: means of height and width as GlobalAveragePool, maxima as windows, other means and sums as a product with
    ones."""
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
    op = "greatest" if node.op_type == "ReduceMax" else "total"
    reader.values[name] = Expression(op, (x,), (reader.node_name,), (name,), (node.op_type, tuple(axes), shape))


@realises("total")
def _realise_total(reader: Reader, e: Expression, end: Epilogue) -> None:
    (x,) = e.operands
    op, axes, shape = e.attributes
    end = replace(end, fused=False)
    if op == "ReduceMean" and len(x.shape) == 4 and axes == _PIXELS:
        image = as_image(reader, x)
        build_pool(reader, "global", image, reader.of_tensor(image.tensor), end)
    else:
        rest, count = _rest(x, axes)
        last = transposed(reader, x, [*rest, *axes])
        rows = natural(reader, replace(last, shape=(math.prod(x.shape[d] for d in rest), count)))
        unit = np.asarray(_F32(1) / _F32(count) if op == "ReduceMean" else _F32(1))
        build_product(reader, op, rows, Constant(np.ones((count, 1), np.int8), unit, np.int8(0)), None, reader.of_tensor(rows.tensor), end)
    _seen(reader, shape)


@realises("greatest")
def _realise_greatest(reader: Reader, e: Expression, end: Epilogue) -> None:
    _, axes, shape = e.attributes
    x = requantised(reader, e.operands[0], end)  # rounding keeps order
    end = replace(end, clip=None)
    if len(x.shape) == 4 and axes == _PIXELS:
        build_pool(reader, "max", as_image(reader, x), end.y, end)
    else:  # a line of pixels, whose channels are all that remains
        rest, count = _rest(x, axes)
        first = transposed(reader, x, [*axes, *rest])
        channels = math.prod(x.shape[d] for d in rest)
        lines = natural(reader, replace(first, shape=(count, channels)))
        image = Reference(lines.tensor, (1, channels, 1, count), "NCHW")
        build_pool(reader, "max", image, end.y, end, window=Window((1, count)))
    _seen(reader, shape)


def _rest(x: Reference, axes: tuple[int, ...]) -> tuple[list[int], int]:
    """The other dimensions, and how many elements each result is made of."""
    return [d for d in range(len(x.shape)) if d not in axes], math.prod(x.shape[d] for d in axes)


def _seen(reader: Reader, shape: tuple[int, ...]) -> None:
    """The model sees the result without the dimensions that the kernel gave it."""
    name = reader.node.output[0]
    reader.values[name] = Quantised(seen_as(reader, reader.values[name].reference, shape))
