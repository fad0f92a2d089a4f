"""A network laid out for a machine: layers in order, tensors in their places. What is left open is how each layer is mapped."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable
from collections.abc import Mapping as Mapped

import numpy as np

from tenon.acg.graph import Graph as Covenant
from tenon.acg.parts import Role
from tenon.compiler.chaining import chained
from tenon.compiler.chains import unchained
from tenon.compiler.code import Code
from tenon.compiler.columns import by_columns
from tenon.compiler.errors import CompileError
from tenon.compiler.fold import folded
from tenon.compiler.home import ALIGNMENT, Home, homes_of
from tenon.compiler.ir import Conv, Graph
from tenon.compiler.join import joined
from tenon.compiler.large_windows import cut_windows
from tenon.compiler.layer import Layer, layers_of
from tenon.compiler.lower import lower
from tenon.compiler.lower.constants import Constants, digest_of
from tenon.compiler.machine import Machine
from tenon.compiler.mapping import Mapping, NetworkMapping
from tenon.compiler.move import Move
from tenon.compiler.order import ordered
from tenon.compiler.parts import in_parts
from tenon.compiler.product import Matrices
from tenon.compiler.program import LayerRecord, Placed, Program
from tenon.compiler.regroup import regrouped
from tenon.compiler.residence import Residence, may_stay, residents, room_of
from tenon.compiler.search import cycles_of, search
from tenon.compiler.space import Choice, Space, space_of
from tenon.compiler.supported import check_supported
from tenon.compiler.timing import available
from tenon.compiler.tokens import place_tokens
from tenon.compiler.touched import touched_bytes
from tenon.compiler.turn import Turn, turned
from tenon.compiler.twins import twin_of, twinned, twins_of

__all__ = ["MOST_INSTRUCTIONS", "Network"]

MOST_INSTRUCTIONS = 1 << 18  # of a program: dispatching more would take longer than whole networks do
_GLANCE = 8  # mappings that are timed to see whether layers are quicker together
_PAGE = 4096  # bytes between which no burst passes


class Network:
    """``graph`` on the hardware of ``covenant``, all but the mappings of its ``layers``, which are known by their numbers.

    Parameters
    ----------
    schedule, on_chip :
        As ``compile_graph`` has them.

    Attributes
    ----------
    places : of each tensor for which there is a choice where it may be between layers: "dram"; "chip", where the one memory is that all
        its readers want; or "both", in two memories (``compiler.twins``). The first option is what is chosen where nobody says otherwise.
        On chip is a tensor only if there is room. None without ``on_chip``.

    Raises
    ------
    CompileError
        If something in the graph cannot be computed.
    """

    def __init__(self, graph: Graph, covenant: Covenant, *, schedule: str = "file", on_chip: bool = False):
        machine = Machine(covenant)
        check_supported(machine)
        self.covenant, self.named = covenant, graph.tensors  # what passes over the graph add is nobody else's
        graph = cut_windows(machine, unchained(regrouped(machine, graph)))
        if machine.takes_columns:
            graph = turned(machine, by_columns(graph))
        graph, parts = folded(graph, machine.block)
        data = {name: np.ascontiguousarray(array).tobytes() for name, array in graph.constants.items()}
        self._tensors = {name: (digest_of(each), functools.partial(bytes, each)) for name, each in data.items()}
        constants = self.constants()
        self.fixed = {name: constants.place(*tensor) for name, tensor in self._tensors.items()}
        self._machines: dict[tuple, Machine] = {}
        self._machine, self._parts = machine, parts
        self._searched: dict[tuple, Mapping] = {}
        self._glanced: dict[tuple, float] = {}
        self._arrange = functools.partial(_arranged, machine, graph, parts, schedule, self._chained if on_chip else None, {})
        self.places: tuple[Choice, ...] = ()
        self._lay_out({})
        if on_chip:
            twins = twins_of(graph, {*parts, *(piece for pieces in parts.values() for _, piece in pieces)})
            stay = may_stay(machine, self.graph, self.layers, parts)
            self.places = (*(Choice(name, ("chip", "dram")) for name in stay), *(Choice(name, ("dram", "both")) for name in twins
                                                                                 if name not in stay))

    def placed(self, places: Mapped[str, str]) -> Network:
        """The same network with tensors where ``places`` has them, and as long as there is room.

        Raises
        ------
        CompileError
            If there is no such choice.
        """
        known = {choice.name: choice.options for choice in self.places}
        for name, place in places.items():
            if place not in known.get(name, ()):
                only = f", only {' or '.join(known[name])}" if name in known else ""
                raise CompileError(f"tensor {name}: there is no choice {place!r} of where it stays{only}")
        other = copy.copy(self)
        other._lay_out(places)
        return other

    def _lay_out(self, places: Mapped[str, str]) -> None:
        """Everything that depends on where tensors are between layers."""
        self.graph, self.layers, residence = self._arrange(places)
        self.homes, self.segments = homes_of(self.graph, self.layers, self._machine, self._parts, residence.homes, self.fixed)
        self.machines = []  # of each layer: what others keep on chip meanwhile is not there for it
        for number in range(len(self.layers)):
            reserved = residence.reserved[number] if residence.reserved else {}
            key = tuple(reserved.items())
            if key not in self._machines:
                self._machines[key] = Machine(self.covenant, reserved, self._machine.selected)
            self.machines.append(self._machines[key])
        self.turns = _turns(self.graph, self.layers, self.homes)

    def _chained(self, graph: Graph, layers: list[Layer]) -> list[Layer]:
        """The layers, those that are quicker together as one."""
        homes, _ = homes_of(graph, layers, self._machine, self._parts, None, self.fixed)

        def cycles(layer: Layer) -> float:
            """Of the best of a few mappings."""
            key = _shape(layer, graph, homes)
            if key not in self._glanced:
                try:
                    found = search(self._machine, graph, layer, homes, effort=_GLANCE)
                    self._glanced[key] = cycles_of(self._machine, graph, layer, homes, found) if available() else 1
                except CompileError:
                    self._glanced[key] = math.inf
            return self._glanced[key]

        pieces = {name for pieces in self._parts.values() for _, name in pieces}
        return chained(self._machine, graph, layers, pieces, cycles)

    def constants(self) -> Constants:
        """The constant segment as far as no mapping changes it: the graph's constant tensors."""
        constants = Constants(max(ALIGNMENT, self.covenant.bus_bytes))
        for tensor in self._tensors.values():
            constants.place(*tensor)
        return constants

    def space(self, number: int) -> Space:
        """Every mapping of a layer."""
        return space_of(self.machines[number], self.graph, self.layers[number], self.homes)

    def shape(self, number: int) -> tuple:
        """What a layer's mapping depends on: layers that agree in it get the same one."""
        return _shape(self.layers[number], self.graph, self.homes), tuple(self.machines[number].reserved.items())

    def place(self, number: int) -> tuple:
        """What a layer's code depends on beside its mapping: in networks that agree in it a mapping gives the same instructions."""
        layer = self.layers[number]
        homes = tuple(self.homes[name] for name in (*layer.inputs, layer.writes, *((layer.sums,) if layer.sums else ())))
        return layer.name, homes, tuple(self.machines[number].reserved.items()), number, self.turns[number]

    def searched(self, number: int, effort: int) -> Mapping:
        """The mapping that ``search`` finds for a layer."""
        key = self.shape(number), effort
        if key not in self._searched:
            self._searched[key] = search(self.machines[number], self.graph, self.layers[number], self.homes, effort=effort)
        return self._searched[key]

    def lower(self, number: int, mapping: Mapping, constants: Constants) -> Code:
        """A layer's instructions, the last of them marked; its own constants begin in a page of their own, so that their transfers
        take as long wherever that is."""
        constants.align(_PAGE)
        code = lower(self.machines[number], self.graph, self.layers[number], self.homes, mapping, constants, number,
                     self.turns[number])
        return code.marked(self.mark(number))

    def mark(self, number: int) -> int:
        """The mark of a layer's last instruction; 0 if there are too few marks."""
        return number + 1 if number + 1 < self.covenant.sequencer.marks else 0

    def program(self, mappings: Mapped[str, Mapping]) -> Program:
        """The program with a mapping for each layer, by the layer's name.

        Raises
        ------
        CompileError
            If a layer cannot be mapped so, or all take too many instructions.
        """
        constants = self.constants()
        codes: list[Code] = []
        for number, layer in enumerate(self.layers):
            codes.append(self.lower(number, mappings[layer.name], constants))
            if sum(map(len, codes)) > MOST_INSTRUCTIONS:
                longest = max(range(len(codes)), key=lambda n: len(codes[n]))
                nodes = ", ".join(n for k in self.layers[longest].kernels for n in k.nodes)
                raise CompileError(f"layer {self.layers[longest].name} ({nodes}) takes most of more than {MOST_INSTRUCTIONS} "
                                   f"instructions: change the model there, or the configuration")
        instructions, ends = joined(self.covenant, codes)
        instructions = place_tokens(self.covenant, instructions)
        data = constants.bytes()
        placed = {name: Placed(self.graph.tensors[name], home) for name, home in self.homes.items()
                  if name in self.named and not home.pieces and not home.on_chip and name not in self.fixed}
        aliases = {name: (tensor.name, tensor) for name, tensor in self.graph.aliases.items() if tensor.name in placed}
        records = [self._record(number, codes[number], first + 1, last)
                   for number, (first, last) in enumerate(zip([-1, *ends], ends))]
        segments = {**self.segments, self.covenant.segment(Role.CONSTANTS): len(data)}
        return Program(self.graph.name, self.covenant, tuple(instructions), data, segments, placed,
                       tuple(self.graph.inputs), tuple(self.graph.outputs), tuple(records), aliases, NetworkMapping(dict(mappings)))

    def _record(self, number: int, code: Code, first: int, last: int) -> LayerRecord:
        layer, machine, graph, homes = self.layers[number], self.machines[number], self.graph, self.homes
        macs = sum(graph.macs(k) for k in layer.kernels) if layer.products else 0
        written = (layer.y,) if layer.finishes else ()
        head = layer.chain[0].main
        outputs = graph.tensors[head.y].shape
        reads = {n: touched_bytes(head, homes[n].shape, outputs) if n in head.inputs else math.prod(homes[n].shape) for n in layer.inputs}
        traffic = sum(size for n, size in (reads | {n: math.prod(homes[n].shape) for n in written}).items() if not homes[n].on_chip)
        traffic += sum(k.weight.size for k in layer.kernels if isinstance(k, Conv) and layer.products)
        peak = self.covenant.peak_macs_per_cycle
        bound = max(math.ceil(macs / peak) if macs and peak else 0, math.ceil(traffic / self.covenant.bus_bytes))
        units = {code.unit(k) for k in np.unique(code.form, return_index=True)[1]}
        working = (route.mnemonic.unit for route in (machine.products, machine.windows, machine.elementwise) if route)
        engine = next((unit for unit in working if unit in units), code.unit(0))
        return LayerRecord(layer.name, layer.op, engine, tuple(n for k in layer.kernels for n in k.nodes),
                           all(k.exact for k in layer.kernels), macs, first, last, self.mark(number), bound, written)


def _turns(graph: Graph, layers: list[Layer], homes: dict[str, Home]) -> list[int]:
    """Of each layer, how many sets of weights those before it have."""
    turns, count = [], 0
    for layer in layers:
        turns.append(count)
        if isinstance(layer.main, Matrices):
            count += sum(1 for _ in layer.main.matrices(graph, layer, homes))
        else:
            count += sum(isinstance(each.main, Conv) and each.products for each in layer.chain)
    return turns


def _arranged(machine: Machine, plain: Graph, parts: dict, schedule: str, chain: Callable[[Graph, list[Layer]], list[Layer]] | None,
              orders: dict[tuple, list[str]], places: Mapped[str, str]) -> tuple[Graph, list[Layer], Residence]:
    """The graph, its layers in order, and what stays on chip between them. ``chain``: makes one of layers that are executed together; None
    if nothing may stay on chip. ``orders``: as ``ordered`` has them."""
    whole: set[str] = set()
    twins = [name for name, place in places.items() if place == "both"]
    leave = {name for name, place in places.items() if place == "dram"}
    while True:
        graph = twinned(plain, twins)
        layers = layers_of(graph, {name for pieces in parts.values() for _, name in pieces})
        room = room_of(machine) if chain else {}
        if chain:
            layers = in_parts(machine, graph, layers, parts, room[machine.memory("acc")], whole)
        layers = ordered(graph, layers, parts, machine.block, schedule, orders)
        if chain:
            layers = chain(graph, layers)
        else:
            return graph, layers, Residence({}, ())
        residence = residents(machine, graph, layers, parts, room, leave)
        single = {name for name in twins if not {name, twin_of(name)} <= residence.homes.keys()}
        if single:  # a copy is of use only if both are there
            twins = [name for name in twins if name not in single]
        elif residence.homeless:
            whole |= {layer.name for layer in layers if layer.sums in residence.homeless and not layer.products}
        else:
            return graph, layers, residence


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
