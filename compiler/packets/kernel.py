"""Kernels: packets that carry out one statement on operands in the scratchpad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tenon.acg.graph import Graph
from tenon.acg.mnemonic import accesses
from tenon.acg.packet import Operation, Packet, Reference
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

    def broken(self, graph: Graph, bases: Mapping[str, int], numbers: int) -> Iterator[str]:
        """Instructions whose rules do not hold at an address that they come by: their name and the rule. Looked at are where streams begin,
        one step of each level on, and their last step: rules are of remainders and bounds."""
        granule = graph.sequencer.granule
        begins = [numbers, *(bases[s.base] + s.offset for s in self.streams)]
        walks = [(), *(s.levels for s in self.streams)]
        for op in self._ruled:
            named = {name: v for name, v in op.values.items() if isinstance(v, Reference)}
            fields = op.mnemonic.complete({name: v for name, v in op.values.items() if name not in named} | dict.fromkeys(named, 0))
            for moved in (0, 1, 2):
                for level in range(graph.sequencer.stream_levels if moved == 1 and named else 1):
                    for name, v in named.items():
                        walk = walks[v.stream]
                        steps = (0, walk[level][1] if level < len(walk) else 0, sum((e - 1) * step for e, step in walk))
                        fields[name] = (begins[v.stream] + steps[moved]) // granule + v.offset
                    problems = op.mnemonic.violations(fields, graph.memory_bytes)
                    if problems:
                        yield problems[0]

    @cached_property
    def _ruled(self) -> list[Operation]:
        """Operations with rules, each once."""
        found = {(op.mnemonic.name, *sorted((k, str(v)) for k, v in op.values.items())): op
                 for packet in (*self.setup, *self.packets) for op in packet.operations if op.mnemonic.rules}
        return list(found.values())

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
