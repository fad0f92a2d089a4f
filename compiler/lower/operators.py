"""Kernels as codelets, with the numbers of their arithmetic: the same for every tile, and for every family of machines."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.compiler.codelets import Codelet, add, conv, largest, lookup, multiply
from tenon.compiler.ir import Add, Conv, Graph, Kernel, Lookup, Pool
from tenon.compiler.layer import Layer
from tenon.compiler.lower.pooling import pool_operator
from tenon.compiler.lower.tiles import binary32, element
from tenon.compiler.pair import Largest, Multiply

__all__ = ["conv_operator", "padding_of", "pass_operator"]

_Numbers = dict[str, int | float]


def conv_operator(graph: Graph, layer: Layer, *, scale_per_channel: bool,
                  zero_per_channel: bool) -> tuple[tuple[str, str], Codelet, _Numbers]:
    """Types of activations and weights, the codelet with what follows in the layer, and its attributes."""
    k, tensors = layer.main, graph.tensors
    types = element(tensors[k.x].dtype), "i8" if k.lowest_weight < 0 else "u8"
    codelet = conv(*types, scale_per_channel=scale_per_channel, zero_per_channel=zero_per_channel, residual=layer.side or None,
                   residual_type=element(tensors[layer.residual].dtype if layer.add else "uint8"), table=layer.lookup is not None)
    (sh, sw), (dh, dw) = k.strides, k.dilations
    attributes: _Numbers = {
        "stride_h": sh, "stride_w": sw, "dilation_h": dh, "dilation_w": dw, "pad_top": 0, "pad_left": 0,
        "zx": int(k.zx), "zw": int(k.zw[0]), "zy": int(k.zy), "lo": int(k.lo), "hi": int(k.hi), "scale": binary32(k.scale[0]),
    }
    if layer.add:
        a = layer.add
        attributes |= {"ra": binary32(a.ra), "rb": binary32(a.rb), "fixed": binary32(a.fixed), "sum_lo": int(a.lo), "sum_hi": int(a.hi)}
    return types, codelet, attributes


def pass_operator(graph: Graph, kernel: Kernel, shape: Sequence[int], sliding: bool = False) -> tuple[Codelet, _Numbers]:
    """The codelet of an elementwise kernel, or of pooling over a tensor of ``shape``, and its attributes. ``sliding``: as
    ``pool_operator`` has it."""
    k, tensors = kernel, graph.tensors
    types = [element(tensors[n].dtype) for n in k.inputs]
    if isinstance(k, Add):
        return add(*types), {"ra": binary32(k.ra), "rb": binary32(k.rb), "fixed": binary32(k.fixed), "lo": k.lo, "hi": k.hi}
    if isinstance(k, Multiply):
        zeros = {"za": k.za, "zb": k.zb, "zy": float(k.zy)}
        return multiply(*types), zeros | {"scale": binary32(k.scale), "lo": k.lo, "hi": k.hi}
    if isinstance(k, Largest):
        return largest(*types), {"lo": k.lo, "hi": k.hi}
    if isinstance(k, Lookup):
        lo, hi = tensors[k.x].bounds
        return lookup(*types), {"lo": lo, "hi": hi}
    return pool_operator(graph, k, shape, sliding)


def padding_of(graph: Graph, kernel: Conv | Pool) -> int:
    """What padding holds: a byte that changes no sum and no maximum."""
    lowest = isinstance(kernel, Pool) and kernel.kind == "max"
    return (graph.tensors[kernel.x].bounds[0] if lowest else kernel.zx) & 255
