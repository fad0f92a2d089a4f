"""A program of packets from transfers and kernels in their order: waits where one needs what another has not yet done, streams, calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tenon.acg.encoding import Header
from tenon.acg.field import EncodingError
from tenon.acg.graph import Graph
from tenon.acg.packet import Base, Call, Control, End, Level, Packet, Start, Wait, encode_packet, words_of
from tenon.compiler.errors import CompileError
from tenon.compiler.hazards import Footprint, footprints
from tenon.compiler.instruction import Instruction
from tenon.compiler.packets.kernel import Kernel

__all__ = ["Execution", "realise"]


@dataclass(frozen=True)
class Execution:
    """A kernel with addresses: ``bases`` of its streams' parameters, ``numbers`` where its scalars lie, all in bytes."""

    kernel: Kernel
    bases: Mapping[str, int]
    numbers: int


def realise(graph: Graph, items: Sequence[Instruction | Execution]) -> list[Packet]:
    """Packets that carry out background instructions and kernels as if one after the other.

    Raises
    ------
    CompileError
        For an address that is no whole number of granules, or outside its memory.
    """
    return _Realising(graph, items).packets


class _Realising:
    def __init__(self, graph: Graph, items: Sequence[Instruction | Execution]):
        self.graph, self.sequencer = graph, graph.sequencer
        self.units = [b.unit for b in self.sequencer.background]
        self.ordered = {u.name: set(u.ordered) for u in graph.units}
        self.packets: list[Packet] = []
        self.under_way: list[list[list[Footprint]]] = [[] for _ in self.units]  # of each unit, in order
        self.levels: dict[tuple[int, int], tuple[int, int]] = {}
        self.bodies: dict[int, tuple[int, int]] = {}  # where a kernel's packets are, and how many
        self.ready: Kernel | None = None  # whose numbers and tables are in registers
        self.prepared: list[Footprint] = []  # where they came from
        for item in items:
            if isinstance(item, Instruction):
                self._transfer(item)
            else:
                self._execute(item)
        self._control(End())
        for packet in self.packets:
            try:
                encode_packet(graph, packet)
            except EncodingError as error:
                raise CompileError(str(error)) from None

    def _control(self, control: Control) -> None:
        self.packets.append(Packet(control=control))

    def _wait(self, prints: Sequence[Footprint], unit: str | None) -> None:
        """Until everything has ended that ``unit`` (None: packets) must not be beside."""
        for number, (name, others) in enumerate(zip(self.units, self.under_way)):
            same = name == unit
            last = max((k for k, theirs in enumerate(others) if any(self._meet(mine, other, same, name) for mine in prints
                                                                    for other in theirs)), default=None)
            if last is not None:
                del others[:last + 1]
                self._control(Wait(number, len(others)))

    def _meet(self, mine: Footprint, other: Footprint, same: bool, unit: str) -> bool:
        """Whether the order of two accesses matters. Of one unit they are in order, but what is read need not have been written yet."""
        if mine.memory != other.memory or mine.low > other.high or other.low > mine.high:
            return False
        if same:
            return other.write and not mine.write and mine.memory not in self.ordered[unit]
        return mine.write or other.write

    def _transfer(self, instruction: Instruction) -> None:
        unit = self.units.index(instruction.mnemonic.unit)
        prints = footprints(instruction)
        self._wait(prints, instruction.mnemonic.unit)
        self._control(Start(unit))
        encoding = self.sequencer.background[unit].encoding
        text = encoding.encode(instruction.mnemonic, instruction.fields, Header())
        self.packets += [Packet(data=word) for word in words_of(self.sequencer, text)]
        self.under_way[unit].append(prints)
        self._forget(prints)
        # More are not under way: a unit that has its queue full holds the packet that starts another one.
        del self.under_way[unit][:-self.sequencer.background[unit].depth]

    def _execute(self, item: Execution) -> None:
        kernel = item.kernel
        setup, prints = (f(self.graph, item.bases, item.numbers) for f in (kernel.prepares, kernel.touches))
        again = self.ready is not kernel or setup != self.prepared
        for p in (*setup, *prints):
            if p.low < 0 or p.high >= self.graph.memory_bytes[p.memory]:
                raise CompileError(f"a kernel reaches bytes {p.low}..{p.high} of {p.memory}, which has {self.graph.memory_bytes[p.memory]}")
        try:
            broken = next(kernel.broken(self.graph, item.bases, item.numbers), None)
        except EncodingError as error:
            raise CompileError(str(error)) from None
        if broken:
            raise CompileError(f"a kernel would break the rule of {broken}")
        self._wait([*prints, *(setup if again else ())], None)
        for number, stream in enumerate(kernel.streams, 1):
            self._stream(number, item.bases[stream.base] + stream.offset, stream.levels)
        if again:
            self._stream(0, item.numbers, ())
            self.packets += kernel.setup
            self.ready, self.prepared = kernel, setup
        self._body(kernel)
        self._forget(prints)

    def _forget(self, prints: Sequence[Footprint]) -> None:
        """What is in registers is not what is in memory any more."""
        if any(self._meet(p, q, False, "") for p in prints for q in self.prepared):
            self.ready = None

    def _stream(self, number: int, address: int, levels: Sequence[tuple[int, int]]) -> None:
        granule = self.sequencer.granule
        if address % granule:
            raise CompileError(f"a stream cannot begin at byte {address}, which is no multiple of {granule}")
        for level, walk in enumerate(levels):  # what an earlier kernel left in levels further out is never reached
            if self.levels.get((number, level)) != walk:
                self.levels[number, level] = walk
                self._control(Level(number, level, walk[0], walk[1] // granule))
        self._control(Base(number, address // granule))

    def _body(self, kernel: Kernel) -> None:
        """A kernel's packets; if they are near, once more those that there are."""
        at, count = self.bodies.get(id(kernel), (0, 0))
        back = len(self.packets) - at
        if 1 < count <= back <= self.sequencer.program_packets:
            self._control(Call(back, count))
        else:
            self.bodies[id(kernel)] = len(self.packets), len(kernel.packets)
            self.packets += kernel.packets
