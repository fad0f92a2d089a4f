"""Layers as statements over tensors in the scratchpad: which codelet, with which numbers, and constants in the order that kernels like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tenon.acg.expr import Nest
from tenon.acg.graph import Graph as Covenant
from tenon.compiler.codelets import add, conv, lookup, multiply
from tenon.compiler.codelets.codelet import Codelet
from tenon.compiler.codelets.depthwise import depthwise
from tenon.compiler.errors import CompileError
from tenon.compiler.ir import Add, Conv, Graph, Lookup, Pool
from tenon.compiler.layer import Layer
from tenon.compiler.layout import Layout, dense
from tenon.compiler.lower.pooling import parts, pool_operator, window_of
from tenon.compiler.lower.tiles import binary32, element
from tenon.compiler.packets.contraction import contraction
from tenon.compiler.packets.kernel import Kernel
from tenon.compiler.packets.passes import pass_kernel
from tenon.compiler.packets.places import Place, Surround
from tenon.compiler.packets.roles import Grain
from tenon.compiler.packets.statement import whole
from tenon.compiler.pair import Multiply
from tenon.compiler.placing import Tile, place

__all__ = ["Operator", "Part", "operator_of", "surround_of"]


@dataclass(frozen=True)
class Part:
    """A box of results that one statement makes: first row and column, extents, and attributes of its own."""

    rows: tuple[int, int]
    columns: tuple[int, int]
    attributes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Operator:
    """A layer's statement. ``constants``: layout and bytes of operands that are none of the graph's tensors; ``sources``: tensors by the
    operand's name, each with the rows above and columns left of it at which its first window begins; ``kernel``: what makes a kernel."""

    codelet: Codelet
    statement: Nest
    attributes: Mapping[str, float]
    extents: Mapping[str, int]
    sources: Mapping[str, tuple[str, int, int]]
    constants: Mapping[str, tuple[Layout, bytes]]
    strides: tuple[int, int]
    parts: tuple[Part, ...]
    kernel: Callable[[Covenant, Nest], Kernel]

    def placed(self, part: Part, places: Mapping[str, Place], memory: str) -> Nest:
        """The statement of a part: ``places`` are those of its tensors, by the operand's name."""
        layouts = {name: p.layout for name, p in places.items()} | {name: layout for name, (layout, _) in self.constants.items()}
        extents = {**self.extents, "n": 1, "oh": part.rows[1], "ow": part.columns[1]}
        return place(self.statement, self.codelet.dims, {n: Tile(memory, l) for n, l in layouts.items()}, extents,
                     {**self.attributes, **part.attributes})


def surround_of(graph: Graph, layer: Layer, name: str, grain: Grain) -> Surround:
    """What a layer needs around a tensor that it reads."""
    k = layer.main
    if not isinstance(k, Conv | Pool) or name != k.x:
        return Surround()
    top, left, bottom, right = k.pads
    beyond = -k.weight.shape[1] % grain.summed if isinstance(k, Conv) and _deep(k) else 0
    lowest = graph.tensors[k.x].bounds[0]
    fill = (k.zx if isinstance(k, Conv) or k.kind != "max" else lowest) & 255 if any(k.pads) else None
    return Surround((top, left, bottom, right + beyond * (k.dilations[1] if isinstance(k, Conv) else 1)), fill)


def operator_of(graph: Graph, layer: Layer, grain: Grain) -> Operator:
    """The operator of a layer, in the grain of a machine. CompileError for one that there is no statement for."""
    k = layer.main
    y = graph.tensors[layer.y]
    if isinstance(k, Conv):
        return _convolution(graph, layer, grain)
    types = [element(graph.tensors[n].dtype) for n in k.inputs]
    whole_box = Part((0, y.shape[1]), (0, y.shape[2]))
    channels = {"oc": -(-y.shape[3] // grain.lanes) * grain.lanes}
    if isinstance(k, Pool):
        shape = graph.tensors[k.x].shape
        codelet, attributes = pool_operator(graph, k, shape, False)
        window = window_of(k, shape)
        boxes = tuple(Part(r, c, a) for r, c, a in parts(k, shape, (0, y.shape[1]), (0, y.shape[2])))
        return Operator(codelet, codelet.statements["finish"], attributes, channels | {"kh": window.kernel[0], "kw": window.kernel[1]},
                        {"x": (k.x, *window.pads)}, {}, window.strides, boxes, pass_kernel)
    if isinstance(k, Lookup):
        lo, hi = graph.tensors[k.x].bounds
        codelet, attributes, sources = lookup(*types), {"lo": lo, "hi": hi}, {"x": (k.x, 0, 0)}
        constants = {"table": (dense([("i", 256, 1)]), k.table.astype(np.uint8).tobytes())}
    elif isinstance(k, Add | Multiply):
        constants, sources = {}, {"a": (k.a, 0, 0), "b": (k.b, 0, 0)}
        if isinstance(k, Add):
            codelet, attributes = add(*types), {"ra": binary32(k.ra), "rb": binary32(k.rb), "fixed": binary32(k.fixed)}
        else:
            codelet, attributes = multiply(*types), {"za": k.za, "zb": k.zb, "zy": float(k.zy), "scale": binary32(k.scale)}
        attributes |= {"lo": k.lo, "hi": k.hi}
        if len({graph.tensors[n].shape for n in (k.a, k.b, k.y)}) > 1:
            raise CompileError("operands of different shapes are not compiled to packets yet")
    else:
        raise CompileError(f"{k.op} is not compiled to packets yet")
    return Operator(codelet, codelet.statements["finish"], attributes, channels, sources, constants, (1, 1), (whole_box,), pass_kernel)


def _deep(k: Conv) -> bool:
    """Whether each channel has a window of its own."""
    return k.group > 1 and k.weight.shape[2] == 1 and k.weight.shape[3] == k.group


def _convolution(graph: Graph, layer: Layer, grain: Grain) -> Operator:
    k, tensors = layer.main, graph.tensors
    if len(set(k.zw.tolist())) > 1:
        raise CompileError("a zero-point for each channel's weights is not compiled to packets yet")
    (kh, _, _, oc), per_channel = k.weight.shape, len(k.scale) > 1
    wide = -(-oc // grain.lanes) * grain.lanes
    x_type, w_type = element(tensors[k.x].dtype), "i8" if k.lowest_weight < 0 else "u8"
    end = conv(x_type, w_type, scale_per_channel=per_channel, residual=layer.side or None, table=layer.lookup is not None,
               residual_type=element(tensors[layer.residual].dtype if layer.add else "uint8"))
    deep = _deep(k)
    start = depthwise(x_type, w_type) if deep else end
    layout, weights, reduced = (_deep_weights if deep else _weights)(k, grain)
    filled = {"bias": np.pad(k.bias, (0, wide - oc)), "scale": np.pad(k.scale.astype(np.float32), (0, wide - oc))}
    constants = {"w": (layout, weights.astype(np.uint8).tobytes())}
    constants |= {name: (dense([("oc", wide, 1)], 4), filled[name].tobytes()) for name in ["bias"] + ["scale"] * per_channel}
    attributes = {"stride_h": k.strides[0], "stride_w": k.strides[1], "dilation_h": k.dilations[0], "dilation_w": k.dilations[1],
                  "pad_top": 0, "pad_left": 0, "zx": int(k.zx), "zw": int(k.zw[0]), "zy": int(k.zy), "lo": int(k.lo), "hi": int(k.hi),
                  "scale": binary32(k.scale[0])}
    sources = {"x": (k.x, *k.pads[:2])}
    if layer.add:
        a, sources["r"] = layer.add, (layer.residual, 0, 0)
        attributes |= {"ra": binary32(a.ra), "rb": binary32(a.rb), "fixed": binary32(a.fixed), "sum_lo": int(a.lo), "sum_hi": int(a.hi)}
    if layer.lookup is not None:
        constants["table"] = dense([("i", 256, 1)]), layer.lookup.table.astype(np.uint8).tobytes()
    codelet = Codelet("conv", {**end.dims, **start.dims}, {"finish": whole(start.statements["start"], end.statements["finish"])})
    _, h, w, _ = tensors[layer.y].shape
    return Operator(codelet, codelet.statements["finish"], attributes, {"oc": wide, "kh": kh, **reduced}, sources, constants, k.strides,
                    (Part((0, h), (0, w)),), pass_kernel if deep else contraction)


def _weights(k: Conv, grain: Grain) -> tuple[Layout, np.ndarray, dict[str, int]]:
    """Weights by blocks of channels, of both; what fills blocks up is the zero-point, which has no weight. Groups as if they were one."""
    kh, kw, each, oc = k.weight.shape
    block, summed, scalars = grain
    ic = each * k.group
    inner = block if ic > block else -(-ic // scalars) * scalars
    if inner > block:
        raise CompileError(f"blocks of {block} channels are smaller than a register of {scalars} elements")
    deep, wide = -(-ic // inner) * inner, -(-oc // block) * block
    filled = np.full((kh, kw, deep, wide), int(k.zw[0]))
    for g in range(k.group):
        columns = slice(g * oc // k.group, (g + 1) * oc // k.group)
        filled[:, :, g * each:(g + 1) * each, columns] = k.weight[..., columns]
    cut = filled.reshape(kh, kw, deep // inner, inner // summed, summed, wide // block, block).transpose(2, 5, 0, 1, 3, 4, 6)
    layout = dense([("ic", deep // inner, inner), ("oc", wide // block, block), ("kh", kh, 1), ("kw", kw, 1),
                    ("ic", inner // summed, summed), ("ic", summed, 1), ("oc", block, 1)])
    return layout, cut, {"kw": kw, "ic": deep}


def _deep_weights(k: Conv, grain: Grain) -> tuple[Layout, np.ndarray, dict[str, int]]:
    """A row of a window has as many columns as an instruction sums, those beyond without weight."""
    kh, kw, _, oc = k.weight.shape
    block, summed, _ = grain
    columns, wide = -(-kw // summed) * summed, -(-oc // block) * block
    filled = np.full((kh, columns, wide), int(k.zw[0]))
    filled[:, :kw, :oc] = k.weight[:, :, 0]
    cut = filled.reshape(kh, columns, wide // block, block).transpose(0, 2, 1, 3)
    layout = dense([("kh", kh, 1), ("oc", wide // block, block), ("kw", columns // summed, summed), ("kw", summed, 1), ("oc", block, 1)])
    return layout, cut, {"kw": columns}
