"""The Architecture Covenant Graph: memories, edges, units and their mnemonics, as an object and as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from tenon.acg.encoding import Encoding
from tenon.acg.errors import CovenantError
from tenon.acg.mnemonic import Mnemonic
from tenon.acg.parts import Edge, Kind, Memory, Role, Segment, Unit
from tenon.acg.reading import each, name_in, number_in, of_keys, one_of, whole_in
from tenon.acg.sequencer import PacketSequencer, QueueSequencer
from tenon.acg.sequencer_serial import sequencer_from, sequencer_to
from tenon.acg.serial import mnemonic_from, mnemonic_to
from tenon.acg.validate import validate

__all__ = ["Edge", "Graph", "Kind", "Memory", "Role", "Segment", "Unit"]

_FORMAT = 3


@dataclass(frozen=True)
class Graph:
    """What hardware promises its compiler; the compiler knows nothing else.

    ``notes`` are informative: not part of the fingerprint. ``segments`` are in the order of their base registers.
    """

    name: str
    memories: tuple[Memory, ...]
    units: tuple[Unit, ...]
    edges: tuple[Edge, ...]
    sequencer: QueueSequencer | PacketSequencer
    mnemonics: tuple[Mnemonic, ...]
    segments: tuple[Segment, ...]
    bus_bytes: int
    notes: Mapping[str, object] = field(default_factory=dict)

    @property
    def memory_bytes(self) -> dict[str, int]:
        """Size of each on-chip memory."""
        return {m.name: m.size for m in self.memories if m.kind is not Kind.DRAM}

    @property
    def segment_names(self) -> tuple[str, ...]:
        """In the order of their base registers."""
        return tuple(s.name for s in self.segments)

    def segment(self, role: Role) -> str:
        """The name of the segment for ``role``."""
        return next(s.name for s in self.segments if s.role is role)

    @property
    def peak_macs_per_cycle(self) -> int:
        """Of the unit that has most: what utilization is measured by."""
        return max(u.peak_macs_per_cycle for u in self.units)

    def memory(self, name: str) -> Memory:
        return next(m for m in self.memories if m.name == name)

    def unit(self, name: str) -> Unit:
        return next(u for u in self.units if u.name == name)

    def mnemonic(self, name: str) -> Mnemonic:
        return next(m for m in self.mnemonics if m.name == name)

    def encoding(self, mnemonic: Mnemonic) -> Encoding:
        """Of an instruction: every one's, its slot's, or its background unit's."""
        if isinstance(self.sequencer, QueueSequencer):
            return self.sequencer.encoding
        parts = [*((slot.units, slot.encoding) for slot in self.sequencer.slots),
                 *(((b.unit,), b.encoding) for b in self.sequencer.background)]
        return next(encoding for units, encoding in parts if mnemonic.unit in units)

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of everything that is measured or encoded."""
        return hashlib.sha256(json.dumps(self._promises(), sort_keys=True).encode()).hexdigest()

    def _promises(self) -> dict[str, object]:
        return {
            "memories": [asdict(m) for m in self.memories], "units": [asdict(u) for u in self.units],
            "edges": [asdict(e) for e in self.edges], "sequencer": sequencer_to(self.sequencer),
            "mnemonics": [mnemonic_to(m) for m in self.mnemonics], "segments": [asdict(s) for s in self.segments],
            "bus_bytes": self.bus_bytes,
        }

    def to_json(self) -> str:
        head = {"covenant": _FORMAT, "name": self.name, "fingerprint": self.fingerprint, "notes": dict(self.notes)}
        return json.dumps(head | self._promises(), indent=1)

    @classmethod
    def from_json(cls, text: str, *, sealed: bool = True) -> Graph:
        """The graph that ``to_json`` wrote, or somebody by hand; a file that need not be ``sealed`` needs no fingerprint.

        Raises
        ------
        CovenantError
            If the text is not JSON, not a covenant of this format, was changed (its fingerprint does not fit), or describes no machine.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CovenantError(f"not a covenant: {str(error).splitlines()[0]}") from None
        if not isinstance(data, dict) or "covenant" not in data:
            raise CovenantError("not a covenant: it does not say so")
        if data["covenant"] != _FORMAT:
            raise CovenantError(f"the covenant has format {data['covenant']!r}; this version reads {_FORMAT}")
        try:
            graph = _graph_from(data)
            validate(graph)
        except RecursionError:
            raise CovenantError("not a covenant: an effect is too deep") from None
        if sealed and "fingerprint" not in data:
            raise CovenantError(f"the covenant of {graph.name} is not sealed: see to that with tenon acg FILE --seal")
        if sealed and graph.fingerprint != data["fingerprint"]:
            raise CovenantError(f"the covenant of {graph.name} was changed after it was sealed: see to that with tenon acg FILE --seal")
        return graph


def _graph_from(data: dict) -> Graph:
    """Part for part."""
    needed = "covenant", "name", "memories", "units", "edges", "sequencer", "mnemonics", "segments", "bus_bytes"
    data = of_keys(data, "the covenant", needed, ("fingerprint", "notes"))
    name, notes = data["name"], data.get("notes", {})
    if not isinstance(name, str) or not name.isprintable() or not name:
        raise CovenantError(f"the covenant must have a name, not {name!r}")
    if not isinstance(notes, dict):
        raise CovenantError(f"notes of {name} must be an object")
    return Graph(
        name, each(data, "memories", name, _memory_from), each(data, "units", name, _unit_from), each(data, "edges", name, _edge_from),
        sequencer_from(data["sequencer"]), each(data, "mnemonics", name, mnemonic_from), each(data, "segments", name, _segment_from),
        whole_in(data, "bus_bytes", name, 1, 1 << 20), notes)


def _memory_from(data: object) -> Memory:
    data = of_keys(data, "a memory", ("name", "word_bytes", "words"), ("banks", "kind"))
    name = name_in(data["name"], "a memory")
    sizes = {key: whole_in({"banks": 1, **data}, key, name) for key in ("word_bytes", "words", "banks")}
    return Memory(name, **sizes, kind=one_of(Kind, {"kind": Kind.SCRATCHPAD, **data}, "kind", name))


def _segment_from(data: object) -> Segment:
    data = of_keys(data, "a segment", ("name", "role"))
    name = name_in(data["name"], "a segment")
    return Segment(name, one_of(Role, data, "role", name))


def _unit_from(data: object) -> Unit:
    data = {"ordered": [], "peak_macs_per_cycle": 0, **of_keys(data, "a unit", ("name",), ("ordered", "peak_macs_per_cycle"))}
    name = name_in(data["name"], "a unit")
    return Unit(name, each(data, "ordered", name, lambda memory: name_in(memory, f"a memory that {name} keeps in order")),
                whole_in(data, "peak_macs_per_cycle", name, 0))


def _edge_from(data: object) -> Edge:
    data = of_keys(data, "an edge", ("src", "dst", "bytes_per_cycle"), ("burst_bytes",))
    src, dst = (name_in(data[key], f"an edge's {key}") for key in ("src", "dst"))
    what = f"the edge from {src} to {dst}"
    return Edge(src, dst, number_in(data, "bytes_per_cycle", what), whole_in({"burst_bytes": 0, **data}, "burst_bytes", what, 0))
