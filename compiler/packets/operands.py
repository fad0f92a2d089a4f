"""Operands of a kernel: how far each loop steps them, the streams that give their addresses, and numbers in scalar registers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from tenon.acg.expr import Aff, Load, Lookup, Val
from tenon.acg.graph import Graph
from tenon.acg.packet import Operation, Packet, Reference
from tenon.compiler.errors import CompileError
from tenon.compiler.packets.roles import Roles
from tenon.compiler.packets.streams import Stream, stream_levels

__all__ = ["Numbers", "Streams"]

_ENTRIES = 256  # of a table of bytes
_TYPES = {"u8": np.uint8, "i8": np.int8, "i32": np.int32, "f32": np.float32}


class Streams:
    """Streams of a kernel. Stream 0 is not among them: it brings in numbers."""

    def __init__(self, graph: Graph):
        self.sequencer, self.streams = graph.sequencer, []

    def add(self, base: str, offset: int, levels: Sequence[tuple[int, int]], what: str) -> int:
        """The number of a new stream. CompileError if the machine has none that steps so."""
        if len(self.streams) + 1 >= self.sequencer.streams:
            raise CompileError(f"more than {self.sequencer.streams - 1} operands need streams")
        self.streams.append(Stream(base, offset, stream_levels(self.sequencer, levels, what)))
        return len(self.streams)

    def reaches(self, offset: int) -> bool:
        """Whether an instruction can name an address so many bytes from a stream's."""
        granules, rest = divmod(offset, self.sequencer.granule)
        half = 1 << self.sequencer.offset_bits - 1
        return not rest and -half <= granules < half

    def reference(self, stream: int, offset: int) -> Reference:
        """The address so many bytes from a stream's. CompileError if an instruction cannot name it."""
        if not self.reaches(offset):
            raise CompileError(f"an access {offset} bytes from a stream's address is none that an instruction can name")
        return Reference(stream, offset // self.sequencer.granule)


class Numbers:
    """Numbers that instructions read from scalar registers, and tables of bytes, which a kernel fills at its beginning."""

    def __init__(self, graph: Graph, roles: Roles):
        self.graph, self.roles = graph, roles
        self.held: dict[str, list[bytes]] = {}  # in each register memory
        self.tables: dict[str, dict[Aff, tuple[int, int]]] = {}  # where each is, and the stream that it comes from

    def place(self, value: Val, read: Load) -> int:
        """What the field says that names a number's place. CompileError if there is no room."""
        memory, element = read.operand.name, read.operand.element
        data = _TYPES[element](value.value).tobytes()
        places = self.held.setdefault(memory, [])
        if data not in places:
            places.append(data)
        index = places.index(data)
        if (index + 1) * len(data) > self.graph.memory_bytes[memory]:
            raise CompileError(f"{memory} has no room for so many numbers")
        return index

    def table(self, ours: Lookup, theirs: Lookup, streams: Streams) -> tuple[str, int]:
        """The field that names a table's place, and what it says. CompileError if there is no room."""
        memory, size = theirs.table.name, _ENTRIES
        ((_, name), unit), = theirs.base.terms
        places = self.tables.setdefault(memory, {})
        if ours.base not in places:
            if (len(places) + 1) * size > self.graph.memory_bytes[memory] or size % unit:
                raise CompileError(f"{memory} has no room for another table")
            base = next(name for (_, name), _ in ours.base.terms if name)
            offset = sum(factor for (_, name), factor in ours.base.terms if not name)
            places[ours.base] = len(places), streams.add(base, offset, [], "a table")
        return name, places[ours.base][0] * size // unit

    def setup(self, used: Collection[str]) -> tuple[list[Packet], bytes]:
        """Packets that bring numbers and tables into their places, and the bytes that stream 0 finds numbers in. CompileError if they are
        in one of the register memories that are ``used`` otherwise, or in one for both."""
        mine = [*self.held, *self.tables]
        shared = next((m for k, m in enumerate(mine) if m in used or m in mine[:k]), None)
        if shared is not None:
            raise CompileError(f"numbers and other operands would share {shared}, which is not compiled to packets yet")
        packets, pool, late = [], bytearray(), 0
        granule = self.graph.sequencer.granule
        for memory, values in self.held.items():
            m = self.roles.load(memory)
            width = m.effect.loops[0].extent
            data = b"".join(values)
            data = data.ljust(-(-len(data) // width) * width, b"\0")
            for at in range(0, len(data), width):
                packets.append(Packet((Operation(m, self.roles.copied(m, at // width, Reference(0, len(pool) // granule))),)))
                pool += data[at:at + width]
            late = max(late, m.timing.cycles("visible", {}))
        for memory, places in self.tables.items():
            m, size = self.roles.load(memory), _ENTRIES
            width = m.effect.loops[0].extent
            for place, stream in places.values():
                packets += [Packet((Operation(m, self.roles.copied(m, (place * size + at) // width, Reference(stream, at // granule))),))
                            for at in range(0, size, width)]
            late = max(late, m.timing.cycles("visible", {}))
        return [*packets, *[Packet()] * late], bytes(pool)
