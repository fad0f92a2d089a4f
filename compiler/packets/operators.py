"""Layers as statements over tensors in the scratchpad: which codelet, with which numbers, and constants in the order that kernels like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tenon.acg.expr import Nest
from tenon.acg.graph import Graph as Covenant
from tenon.compiler.codelets.codelet import Codelet
from tenon.compiler.codelets.depthwise import depthwise
from tenon.compiler.errors import CompileError
from tenon.compiler.ir import Add, Conv, Graph, Lookup, Pool
from tenon.compiler.layer import Layer
from tenon.compiler.layout import Layout, dense
from tenon.compiler.lower.operators import conv_operator, padding_of, pass_operator
from tenon.compiler.lower.pooling import parts, window_of
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
    beyond = -k.weight.shape[1] % grain.summed if isinstance(k, Conv) and k.depthwise else 0
    fill = padding_of(graph, k) if any(k.pads) else None
    return Surround((top, left, bottom, right + beyond * (k.dilations[1] if isinstance(k, Conv) else 1)), fill)


def operator_of(graph: Graph, layer: Layer, grain: Grain) -> Operator:
    """The operator of a layer, in the grain of a machine. CompileError for one that there is no statement for."""
    k = layer.main
    y = graph.tensors[layer.y]
    if isinstance(k, Conv):
        return _convolution(graph, layer, grain)
    if not isinstance(k, Add | Multiply | Lookup | Pool):
        raise CompileError(f"{k.op} is not compiled to packets yet")
    shape = graph.tensors[k.x if isinstance(k, Pool | Lookup) else k.a].shape
    codelet, attributes = pass_operator(graph, k, shape)
    extents, strides, constants = {"oc": -(-y.shape[3] // grain.lanes) * grain.lanes}, (1, 1), {}
    boxes = tuple(Part(r, c, numbers) for r, c, numbers in parts(k, shape, (0, y.shape[1]), (0, y.shape[2])))
    if isinstance(k, Pool):
        window = window_of(k, shape)
        extents |= {"kh": window.kernel[0], "kw": window.kernel[1]}
        sources, strides = {"x": (k.x, *window.pads)}, window.strides
    elif isinstance(k, Lookup):
        sources, constants = {"x": (k.x, 0, 0)}, {"table": _table(k)}
    else:
        sources = {"a": (k.a, 0, 0), "b": (k.b, 0, 0)}
        if len({graph.tensors[n].shape for n in (k.a, k.b, k.y)}) > 1:
            raise CompileError("operands of different shapes are not compiled to packets yet")
    return Operator(codelet, codelet.statements["finish"], attributes, extents, sources, constants, strides, boxes, pass_kernel)


def _table(k: Lookup) -> tuple[Layout, bytes]:
    return dense([("i", k.table.size, 1)]), k.table.astype(np.uint8).tobytes()


def _convolution(graph: Graph, layer: Layer, grain: Grain) -> Operator:
    k = layer.main
    if len(set(k.zw.tolist())) > 1:
        raise CompileError("a zero-point for each channel's weights is not compiled to packets yet")
    (kh, _, _, oc), per_channel = k.weight.shape, len(k.scale) > 1
    wide = -(-oc // grain.lanes) * grain.lanes
    types, end, attributes = conv_operator(graph, layer, scale_per_channel=per_channel, zero_per_channel=False)
    start = depthwise(*types) if k.depthwise else end
    layout, weights, reduced = (_deep_weights if k.depthwise else _weights)(k, grain)
    filled = {"bias": np.pad(k.bias, (0, wide - oc)), "scale": np.pad(k.scale.astype(np.float32), (0, wide - oc))}
    constants = {"w": (layout, weights.astype(np.uint8).tobytes())}
    constants |= {name: (dense([("oc", wide, 1)], 4), filled[name].tobytes()) for name in ["bias"] + ["scale"] * per_channel}
    sources = {"x": (k.x, *k.pads[:2])}
    if layer.add:
        sources["r"] = layer.residual, 0, 0
    if layer.lookup is not None:
        constants["table"] = _table(layer.lookup)
    codelet = Codelet("conv", {**end.dims, **start.dims}, {"finish": whole(start.statements["start"], end.statements["finish"])})
    _, h, w, _ = graph.tensors[layer.y].shape
    return Operator(codelet, codelet.statements["finish"], attributes, {"oc": wide, "kh": kh, **reduced}, sources, constants, k.strides,
                    (Part((0, h), (0, w)),), pass_kernel if k.depthwise else contraction)


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
