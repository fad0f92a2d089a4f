"""A network as a program of packets, its tensors in the scratchpad from the layer that makes them to the last that reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tenon.acg.graph import Graph as Covenant
from tenon.acg.graph import Kind
from tenon.acg.packet import Packet
from tenon.acg.parts import Role
from tenon.compiler.errors import CompileError
from tenon.compiler.instruction import Instruction
from tenon.compiler.ir import Graph
from tenon.compiler.layer import Layer, layers_of
from tenon.compiler.lower.constants import Constants
from tenon.compiler.lower.tiles import Walk
from tenon.compiler.packets.kernel import Kernel
from tenon.compiler.packets.operators import Operator, Part, operator_of, surround_of
from tenon.compiler.packets.places import Demand, Place, Surround, addresses, resident
from tenon.compiler.packets.realise import Execution, realise
from tenon.compiler.packets.roles import Roles
from tenon.compiler.packets.transfers import Transfers

__all__ = ["PacketProgram", "compile_packets"]

_MOST_RUN = 1 << 15  # bytes of one transfer


@dataclass(frozen=True)
class PacketProgram:
    """``packets``, the constant segment's bytes, and where the host puts inputs and finds outputs in their segments: rows of pixels,
    NHWC."""

    packets: tuple[Packet, ...]
    constants: bytes
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


def compile_packets(graph: Graph, covenant: Covenant) -> PacketProgram:
    """The program of a network of which every layer's tensors and constants fit the scratchpad together.

    Raises
    ------
    CompileError
        Naming the layer, for what does not fit, or has no instructions.
    """
    return _Compiling(graph, covenant).program()


@contextmanager
def _named(layer: Layer) -> Iterator[None]:
    """With the layer's name in what is refused."""
    try:
        yield
    except (CompileError, ValueError) as error:
        raise CompileError(f"layer {layer.name}: {error}") from None


class _Compiling:
    def __init__(self, graph: Graph, covenant: Covenant):
        self.graph, self.covenant = graph, covenant
        self.near = next(m.name for m in covenant.memories if m.kind is Kind.SCRATCHPAD)
        self.roles = Roles(covenant, self.near)
        self.grain, self.transfers = self.roles.grain, Transfers(covenant, self.near)
        self.layers = layers_of(graph)
        self.constants = Constants()
        if graph.constants:
            raise CompileError(f"{next(iter(graph.constants))} is a constant tensor, which is not compiled to packets yet")

    def program(self) -> PacketProgram:
        places = self._places()
        operators, kernels = [], []
        for layer in self.layers:
            with _named(layer):
                operators.append(operator_of(self.graph, layer, self.grain))
                kernels.append(self._kernels(layer, operators[-1], places))
        at = addresses(self._demands(places, operators, kernels), self.covenant.memory_bytes[self.near], self._alignment)
        places = {name: replace(p, address=at[name]) for name, p in places.items()}
        inputs, outputs = self._hosts(self.graph.inputs), self._hosts(self.graph.outputs)
        items: list[Instruction | Execution] = []
        for name, offset in inputs.items():
            items += [*self._surround(name, places[name]), *self._moves(name, places[name], offset, Role.INPUTS)]
        items += self._fetched(0, operators, kernels, at)
        for number, layer in enumerate(self.layers):
            items += self._surround(layer.y, places[layer.y])
            if number + 1 < len(self.layers):
                items += self._fetched(number + 1, operators, kernels, at)
            items += self._executions(number, operators[number], kernels[number], places, at)
            if layer.y in outputs:
                items += self._moves(layer.y, places[layer.y], outputs[layer.y], Role.OUTPUTS)
        return PacketProgram(tuple(realise(self.covenant, items)), self.constants.bytes(), inputs, outputs)

    @property
    def _alignment(self) -> int:
        """Bytes of a vector register, in which operands are loaded."""
        return self.covenant.memory(self.roles.vectors).word_bytes

    # Places.

    def _places(self) -> dict[str, Place]:
        """Of every tensor, without addresses: margins are as its readers need them."""
        found: dict[str, Surround] = {}
        for layer in self.layers:
            for name in dict.fromkeys(layer.inputs):
                mine, known = surround_of(self.graph, layer, name, self.grain), found.get(name, Surround())
                if None not in (mine.fill, known.fill) and mine.fill != known.fill:
                    raise CompileError(f"layer {layer.name}: {name} would have two paddings, of {known.fill} and {mine.fill}")
                fill = known.fill if mine.fill is None else mine.fill
                found[name] = Surround(tuple(map(max, mine.sides, known.sides)), fill)
        names = dict.fromkeys([*self.graph.inputs, *(layer.y for layer in self.layers)])
        return {name: resident(self.graph.tensors[name].shape, self.grain.lanes, found.get(name, Surround())) for name in names}

    def _demands(self, places: Mapping[str, Place], operators: list[Operator], kernels: list[list[tuple[Part, Kernel]]]) -> list[Demand]:
        """From when each is fetched or written, which may be beside the layer before, to when it is read last."""
        first = {name: -1 for name in self.graph.inputs} | {layer.y: k - 1 for k, layer in enumerate(self.layers)}
        last = {name: k for k, layer in enumerate(self.layers) for name in (*layer.inputs, layer.y)}
        slack = self._alignment  # loads reach behind an operand's end
        found = [Demand(name, p.layout.bytes + slack, first[name], last.get(name, first[name])) for name, p in places.items()]
        for k, op in enumerate(operators):
            layer = self.layers[k].name
            found += [Demand(f"{name} of {layer}", layout.bytes + slack, k - 1, k) for name, (layout, _) in op.constants.items()]
            found += [Demand(f"numbers {n} of {layer}", max(len(kernel.scalars), 1), k - 1, k) for n, (_, kernel) in enumerate(kernels[k])]
        return found

    def _kernels(self, layer: Layer, op: Operator, places: Mapping[str, Place]) -> list[tuple[Part, Kernel]]:
        mine = {operand: places[name] for operand, (name, _, _) in op.sources.items()} | {"y": places[layer.y]}
        return [(part, op.kernel(self.covenant, op.placed(part, mine, self.near))) for part in op.parts]

    # What is carried out.

    def _executions(self, number: int, op: Operator, kernels: list[tuple[Part, Kernel]], places: Mapping[str, Place],
                    at: Mapping[str, int]):
        """A layer's kernels, one for each part of its results."""
        layer = self.layers[number]
        for n, (part, kernel) in enumerate(kernels):
            (row, _), (column, _) = part.rows, part.columns
            bases = {name: at[f"{name} of {layer.name}"] for name in op.constants}
            for operand, (name, above, left) in op.sources.items():
                first = places[name].layout.offset(h=row * op.strides[0], w=column * op.strides[1])
                bases[operand] = places[name].base(above, left) + first
            bases["y"] = places[layer.y].base() + places[layer.y].layout.offset(h=row, w=column)
            yield Execution(kernel, bases, at[f"numbers {n} of {layer.name}"])

    def _fetched(self, number: int, operators: list[Operator], kernels: list[list[tuple[Part, Kernel]]], at: Mapping[str, int]):
        """A layer's constants."""
        name = self.layers[number].name
        data = [(at[f"{what} of {name}"], held) for what, (_, held) in operators[number].constants.items()]
        data += [(at[f"numbers {n} of {name}"], kernel.scalars) for n, (_, kernel) in enumerate(kernels[number])]
        for address, held in data:
            offset = self.constants.put(held) if held else 0
            for begin in range(0, len(held), _MOST_RUN):
                run = Walk(min(_MOST_RUN, len(held) - begin), 1, 1)
                yield from self.transfers.load([run], (self.covenant.segment(Role.CONSTANTS), offset + begin), address + begin)

    def _surround(self, name: str, place: Place):
        """Fills a tensor's place with what its readers take for padding."""
        if place.surround.fill is not None:
            width = place.columns * place.block
            walks = Walk(place.rows * place.blocks, 0, width), Walk(width, 1, 1)
            yield from self.transfers.load(walks, (self.covenant.segment(Role.CONSTANTS), 0), place.address, place.surround.fill)

    def _hosts(self, names) -> dict[str, int]:
        """Where the host's tensors begin in their segment."""
        found, offset = {}, 0
        for name in names:
            found[name] = offset
            _, h, w, c = self.graph.tensors[name].shape
            offset += -(-h * w * c // self.constants.alignment) * self.constants.alignment
        return found

    def _moves(self, name: str, place: Place, offset: int, role: Role):
        """A tensor between the host's rows of pixels and its blocks of channels."""
        _, h, w, c = place.shape
        for k in range(place.blocks):
            channels, size = min(place.block, c - k * place.block), place.rows * place.columns * place.block
            far, near = (self.covenant.segment(role), offset + k * place.block), place.base() + k * size
            walks = Walk(h, w * c, place.columns * place.block), Walk(w, c, place.block), Walk(channels, 1, 1)
            yield from self.transfers.load(walks, far, near) if role is Role.INPUTS else self.transfers.store(walks, near, far)
