"""From a kernel graph and a covenant to a program."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx

from tenon.acg.graph import Graph as Covenant
from tenon.acg.mnemonic import Header
from tenon.compiler.chains import unchained
from tenon.compiler.columns import by_columns
from tenon.compiler.errors import CompileError
from tenon.compiler.fold import folded
from tenon.compiler.frontend import read_graph
from tenon.compiler.home import ALIGNMENT, Home, homes_of
from tenon.compiler.instruction import Instruction
from tenon.compiler.ir import Conv, Graph
from tenon.compiler.join import joined
from tenon.compiler.large_windows import cut_windows
from tenon.compiler.layer import Layer, layers_of
from tenon.compiler.lower import lower
from tenon.compiler.lower.emitter import Constants
from tenon.compiler.machine import Machine
from tenon.compiler.mapping import Mapping, NetworkMapping
from tenon.compiler.move import Move
from tenon.compiler.order import ordered
from tenon.compiler.parts import in_parts
from tenon.compiler.program import LayerRecord, Placed, Program
from tenon.compiler.regroup import regrouped
from tenon.compiler.residence import Residence, residents, room_of
from tenon.compiler.search import DEFAULT_EFFORT, search
from tenon.compiler.space import space_of
from tenon.compiler.tokens import place_tokens
from tenon.compiler.turn import Turn, turned

__all__ = ["MOST_INSTRUCTIONS", "compile_graph", "compile_model"]

MOST_INSTRUCTIONS = 1 << 18  # of a program: dispatching more would take longer than whole networks do


def compile_model(model: onnx.ModelProto, covenant: Covenant, **options) -> Program:
    """Compiles a quantised ONNX model: ``compile_graph`` of what the frontend reads."""
    return compile_graph(read_graph(model), covenant, **options)


def compile_graph(graph: Graph, covenant: Covenant, *, mapping: NetworkMapping | None = None, effort: int = DEFAULT_EFFORT,
                  progress: Callable[[str], None] | None = None, schedule: str = "file", on_chip: bool = False) -> Program:
    """The program of ``graph`` for the hardware of ``covenant``.

    Parameters
    ----------
    mapping :
        Mappings to replay; layers that it does not name are searched.
    effort : int
        Mappings of each layer that are lowered and timed, at most.
    progress :
        Called with each layer's name.
    schedule :
        In which order layers come: "file", "greedy" (what frees most memory next) or "optimal" (least memory).
    on_chip :
        Whether tensors may stay on chip between layers. They are in none of the program's ``tensors``.

    Raises
    ------
    CompileError
        Naming layer and nodes: a configuration cannot hold or compute a layer.
    """
    machine = Machine(covenant)
    named = graph.tensors  # what passes over the graph add is nobody else's
    graph = cut_windows(machine, unchained(regrouped(machine, graph)))
    if machine.takes_columns:
        graph = turned(machine, by_columns(graph))
    graph, parts = folded(graph, covenant.block)
    layers, residence = _arranged(machine, graph, parts, schedule, on_chip)
    constants = Constants(max(ALIGNMENT, covenant.bus_bytes))
    fixed = {name: constants.put(np.ascontiguousarray(array).tobytes()) for name, array in graph.constants.items()}
    homes, segments = homes_of(graph, layers, covenant, parts, residence.homes, fixed)
    instructions: list[Instruction] = []
    records: list[LayerRecord] = []
    chosen: dict[str, Mapping] = {}
    known: dict[tuple, Mapping] = {}
    machines: dict[tuple, Machine] = {}
    for number, layer in enumerate(layers):
        if progress is not None:
            progress(layer.name)
        reserved = residence.reserved[number] if residence.reserved else {}
        machine = machines.setdefault(tuple(reserved.items()), Machine(covenant, reserved, machine.selected))
        if mapping is not None and layer.name in mapping.layers:
            picked = mapping.layers[layer.name]
            space_of(machine, graph, layer, homes).point(picked)  # refuses what is not in the space
        else:
            key = _shape(layer, graph, homes), tuple(reserved.items())
            picked = known[key] if key in known else search(machine, graph, layer, homes, effort=effort)
            known[key] = picked
        chosen[layer.name] = picked
        code = lower(machine, graph, layer, homes, picked, constants, number)
        if len(instructions) + len(code) > MOST_INSTRUCTIONS:
            longest = max((*records, layer), key=lambda r: len(code) if r is layer else r.last - r.first)
            nodes = ", ".join(longest.nodes if longest is not layer else (n for k in layer.kernels for n in k.nodes))
            raise CompileError(f"layer {longest.name} ({nodes}) takes most of more than {MOST_INSTRUCTIONS} instructions: "
                               f"change the model there, or the configuration")
        mark = number + 1 if number + 1 < covenant.sequencer.marks else 0
        code[-1] = replace(code[-1], header=Header(mark=mark))
        instructions, early = joined(instructions, code)
        if early:  # they stand before the last instructions of the layer before, and count as its own
            records[-1] = replace(records[-1], last=records[-1].last + early)
        first = records[-1].last + 1 if records else 0
        records.append(_record(machine, graph, layer, homes, code, first, len(instructions) - 1, mark))
    instructions = place_tokens(covenant, instructions)
    data = constants.bytes()
    tensors = {name: Placed(graph.tensors[name], home) for name, home in homes.items()
               if name in named and not home.pieces and not home.on_chip and name not in fixed}
    aliases = {}
    for name, tensor in graph.aliases.items():
        if tensor.name in tensors:
            aliases[name] = (tensor.name, tensor)
    return Program(graph.name, covenant, tuple(instructions), data, {**segments, "CONSTANTS": len(data)}, tensors,
                   tuple(graph.inputs), tuple(graph.outputs), tuple(records), aliases, NetworkMapping(chosen))


def _arranged(machine: Machine, graph: Graph, parts: dict, schedule: str, on_chip: bool) -> tuple[list[Layer], Residence]:
    """The layers in order, and what stays on chip between them."""
    whole: set[str] = set()
    while True:
        layers = layers_of(graph, {name for pieces in parts.values() for _, name in pieces})
        room = room_of(machine) if on_chip else {}
        if on_chip:
            layers = in_parts(machine, graph, layers, parts, room[machine.memory("acc")], whole)
        layers = ordered(graph, layers, parts, machine.graph.block, schedule)
        if not on_chip:
            return layers, Residence({}, ())
        residence = residents(machine, graph, layers, parts, room)
        if not residence.homeless:
            return layers, residence
        whole |= {layer.name for layer in layers if layer.sums in residence.homeless and not layer.products}


def _shape(layer: Layer, graph: Graph, homes: dict[str, Home]) -> tuple:
    """What a layer's mapping depends on: layers that agree in it get the same one."""
    def kernel(k):
        if isinstance(k, Conv):
            return ("conv", k.weight.shape, k.strides, k.pads, k.dilations, k.group, len(k.scale), len(k.zw))
        if isinstance(k, Move):
            return ("move", k.pieces, k.fill)
        if isinstance(k, Turn):
            return ("turn", k.turnings)
        return (type(k).__name__, *(getattr(k, n, None) for n in ("kind", "kernel", "strides", "pads", "dilations", "columns")))
    def place(home: Home):
        return home.shape, home.block, home.on_chip, tuple((first, piece.on_chip) for first, piece in home.pieces)

    stage = layer.side, bool(layer.sums), layer.begins, layer.finishes, layer.products
    return tuple(kernel(k) for k in layer.kernels), stage, tuple(place(homes[n]) for n in (*layer.inputs, layer.writes))


def _record(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], code: list[Instruction], first: int,
            last: int, mark: int) -> LayerRecord:
    covenant = machine.graph
    macs = sum(graph.macs(k) for k in layer.kernels) if layer.products else 0
    written = (layer.y,) if layer.finishes else ()
    traffic = sum(math.prod(homes[n].shape) for n in {*layer.inputs, *written} if not homes[n].on_chip)
    traffic += sum(k.weight.size for k in layer.kernels if isinstance(k, Conv) and layer.products)
    peak = covenant.peak_macs_per_cycle
    bound = max(math.ceil(macs / peak) if macs and peak else 0, math.ceil(traffic / covenant.bus_bytes))
    units = {i.mnemonic.unit for i in code}
    working = (route.mnemonic.unit for route in (machine.products, machine.windows, machine.elementwise) if route)
    engine = next((unit for unit in working if unit in units), code[0].mnemonic.unit)
    return LayerRecord(layer.name, layer.op, engine, tuple(n for k in layer.kernels for n in k.nodes),
                       all(k.exact for k in layer.kernels), macs, first, last, mark, bound, written)
