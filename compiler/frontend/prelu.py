"""PRelu: negative elements times a slope."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tenon.compiler.frontend.build import Epilogue
from tenon.compiler.frontend.channels import image_shape, scaled_image
from tenon.compiler.frontend.functions import unary
from tenon.compiler.frontend.operands import dequantised
from tenon.compiler.frontend.reader import Reader, Refused, handles
from tenon.compiler.frontend.realise import REALISE, realises
from tenon.compiler.frontend.values import Constant, Expression, Quantised
from tenon.compiler.frontend.views import as_image, seen_as

__all__: list[str] = []


@handles("PRelu")
def _prelu(reader: Reader, node) -> None:
    """With one constant slope, as a table; with one for each channel, of which none or all are above 1, as the larger or
    the smaller of the input and the input times the slope."""
    slope = reader.value(1)
    if not isinstance(slope, Constant):
        raise Refused("its slope must be constant")
    if slope.array.size == 1:
        unary(reader, lambda x: np.where(x >= 0, x, x * slope.real.reshape(())), True)
        return
    x, name = dequantised(reader, 0), node.output[0]
    channels = image_shape(x.shape)[1]
    wanted = (channels, *(1 for _ in x.shape[2:])) if len(x.shape) > 1 else (channels,)
    if slope.array.shape[-len(wanted):] != wanted or slope.array.size != channels:
        raise Refused(f"its slope of shape {list(slope.array.shape)} is not one element for each of {channels} channels")
    slopes = slope.real.reshape(-1)
    if not ((slopes <= 1).all() or (slopes >= 1).all()):
        raise Refused("its slopes must all be at most 1, or all at least 1")
    reader.values[name] = Expression("slopes", (x,), (reader.node_name,), (name,), slopes)


@realises("slopes")
def _realise(reader: Reader, e: Expression, end: Epilogue) -> None:
    """Below 1, a slope makes positive elements smaller and negative ones larger: the maximum chooses as PRelu does."""
    (x,), slopes = e.operands, e.attributes
    image = as_image(reader, replace(x, shape=image_shape(x.shape)))
    name = reader.node.output[0]
    times = scaled_image(reader, image, slopes, np.zeros_like(slopes), end, reader.fresh_tensor(name))
    op = "largest" if (slopes <= 1).all() else "smallest"
    REALISE[op](reader, replace(e, op=op, operands=(image, times)), replace(end, nodes=()))
    reader.values[name] = Quantised(seen_as(reader, reader.values[name].reference, x.shape))
