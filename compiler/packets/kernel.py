"""Kernels: packets that carry out one statement on operands in the scratchpad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tenon.acg.graph import Graph
from tenon.acg.mnemonic import accesses
from tenon.acg.packet import Packet, Reference
from tenon.compiler.hazards import Footprint
from tenon.compiler.packets.streams import Stream

__all__ = ["Kernel"]

_Access = tuple[int, str, bool, int, int]  # stream, memory, whether it writes, granules from the stream's address, bytes


@dataclass(frozen=True)
class Kernel:
    """``setup`` brings ``scalars``, bytes that lie together in the scratchpad where stream 0 begins, and tables into registers; ``packets``
    do the rest, from where all ``streams`` (1 and up) are at their beginnings to where everything is written."""

    setup: tuple[Packet, ...]
    packets: tuple[Packet, ...]
    streams: tuple[Stream, ...]
    scalars: bytes

    def prepares(self, graph: Graph, bases: Mapping[str, int], numbers: int) -> list[Footprint]:
        """What ``setup`` reads."""
        return self._footprints(graph, self._of_setup, bases, numbers)

    def touches(self, graph: Graph, bases: Mapping[str, int], numbers: int) -> list[Footprint]:
        """What ``packets`` read and write, each stream's from its first byte to its last."""
        return self._footprints(graph, self._of_packets, bases, numbers)

    def _footprints(self, graph: Graph, through: frozenset[_Access], bases: Mapping[str, int], numbers: int) -> list[Footprint]:
        begins = [numbers, *(bases[s.base] + s.offset for s in self.streams)]
        walks = [(), *(s.levels for s in self.streams)]
        granule = graph.sequencer.granule
        ends: dict[tuple[int, str, bool], tuple[int, int]] = {}
        for stream, memory, write, offset, size in through:
            steps = [(extent - 1) * step for extent, step in walks[stream]]
            low = begins[stream] + offset * granule + sum(s for s in steps if s < 0)
            high = begins[stream] + offset * granule + size + sum(s for s in steps if s > 0) - 1
            known = ends.get((stream, memory, write), (low, high))
            ends[stream, memory, write] = min(known[0], low), max(known[1], high)
        return [Footprint(memory, low, high, write) for (_, memory, write), (low, high) in ends.items()]

    @cached_property
    def _of_setup(self) -> frozenset[_Access]:
        return _accesses(self.setup)

    @cached_property
    def _of_packets(self) -> frozenset[_Access]:
        return _accesses(self.packets)


def _accesses(packets: Sequence[Packet]) -> frozenset[_Access]:
    found = set()
    for packet in packets:
        for op in packet.operations:
            for name, value in op.values.items():
                if isinstance(value, Reference):
                    access = next(a for a in accesses(op.mnemonic) if a.base == name)
                    found.add((value.stream, access.memory, access.write, value.offset, access.span))
    return frozenset(found)
