"""The Architecture Covenant Graph: memories, edges, units and their mnemonics, as an object and as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from tenon.acg.errors import CovenantError
from tenon.acg.mnemonic import Mnemonic
from tenon.acg.reading import each, name_in, number_in, of_keys, whole_in
from tenon.acg.serial import mnemonic_from, mnemonic_to
from tenon.acg.validate import validate

__all__ = ["Edge", "Graph", "Memory", "Sequencer", "Unit"]

_FORMAT = 2


@dataclass(frozen=True)
class Memory:
    """A place for data. ``words`` of ``word_bytes`` bytes in ``banks``; ``space``: on-chip | dram.

    Measured: ``words``, ``banks`` (one access per cycle each and direction).
    """

    name: str
    word_bytes: int
    words: int
    banks: int = 1
    space: str = "on-chip"

    @property
    def size(self) -> int:
        """Bytes."""
        return self.word_bytes * self.words


@dataclass(frozen=True)
class Edge:
    """A way for data: ``bytes_per_cycle`` from ``src`` to ``dst``, memories or units by name, of the best stream.

    ``burst_bytes``: the longest transfer of one request (0: no requests).
    """

    src: str
    dst: str
    bytes_per_cycle: float
    burst_bytes: int = 0


@dataclass(frozen=True)
class Unit:
    """An engine with its own queue. ``ordered``: memories in which its instructions see each other's results
    although they overlap (an accumulator updated in place)."""

    name: str
    ordered: tuple[str, ...] = ()
    peak_macs_per_cycle: int = 0


@dataclass(frozen=True)
class Sequencer:
    """Queues of ``queue_depth`` instructions before each unit, dispatched in order; counting ``tokens`` up to
    ``token_limit``; ``issue_cycles``: from one dispatched instruction to the next, of those that take longest."""

    queue_depth: int
    tokens: int
    token_limit: int
    issue_cycles: int
    marks: int


@dataclass(frozen=True)
class Graph:
    """What hardware promises its compiler; the compiler knows nothing else.

    ``notes`` are informative: not part of the fingerprint. ``segments`` names the DRAM segments in the order of
    their base registers; ``block`` is the number of channels whose bytes lie together between layers.
    """

    name: str
    memories: tuple[Memory, ...]
    units: tuple[Unit, ...]
    edges: tuple[Edge, ...]
    sequencer: Sequencer
    mnemonics: tuple[Mnemonic, ...]
    segments: tuple[str, ...]
    bus_bytes: int
    block: int
    notes: Mapping[str, object] = field(default_factory=dict)

    @property
    def memory_bytes(self) -> dict[str, int]:
        """Size of each on-chip memory."""
        return {m.name: m.size for m in self.memories if m.space == "on-chip"}

    @property
    def peak_macs_per_cycle(self) -> int:
        """Of the unit that has most: what utilization is measured by."""
        return max(u.peak_macs_per_cycle for u in self.units)

    def memory(self, name: str) -> Memory:
        return next(m for m in self.memories if m.name == name)

    def mnemonic(self, name: str) -> Mnemonic:
        return next(m for m in self.mnemonics if m.name == name)

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of everything that is measured or encoded."""
        return hashlib.sha256(json.dumps(self._promises(), sort_keys=True).encode()).hexdigest()

    def _promises(self) -> dict[str, object]:
        return {
            "memories": [asdict(m) for m in self.memories], "units": [asdict(u) for u in self.units],
            "edges": [asdict(e) for e in self.edges], "sequencer": asdict(self.sequencer),
            "mnemonics": [mnemonic_to(m) for m in self.mnemonics], "segments": list(self.segments),
            "bus_bytes": self.bus_bytes, "block": self.block,
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
    needed = "covenant", "name", "memories", "units", "edges", "sequencer", "mnemonics", "segments", "bus_bytes", "block"
    data = of_keys(data, "the covenant", needed, ("fingerprint", "notes"))
    name, notes = data["name"], data.get("notes", {})
    if not isinstance(name, str) or not name.isprintable() or not name:
        raise CovenantError(f"the covenant must have a name, not {name!r}")
    if not isinstance(notes, dict):
        raise CovenantError(f"notes of {name} must be an object")
    sequencer = of_keys(data["sequencer"], "the sequencer", ("queue_depth", "tokens", "token_limit", "issue_cycles", "marks"))
    return Graph(
        name, each(data, "memories", name, _memory_from), each(data, "units", name, _unit_from), each(data, "edges", name, _edge_from),
        Sequencer(**{key: whole_in(sequencer, key, "the sequencer", 1, 1 << 20) for key in sequencer}),
        each(data, "mnemonics", name, mnemonic_from), each(data, "segments", name, lambda segment: name_in(segment, "a segment")),
        whole_in(data, "bus_bytes", name, 1, 1 << 20), whole_in(data, "block", name, 1, 1 << 20), notes)


def _memory_from(data: object) -> Memory:
    data = of_keys(data, "a memory", ("name", "word_bytes", "words"), ("banks", "space"))
    name, space = name_in(data["name"], "a memory"), data.get("space", "on-chip")
    if space not in ("on-chip", "dram"):
        raise CovenantError(f"space of {name} must be on-chip or dram, not {space!r}")
    sizes = {key: whole_in({"banks": 1, **data}, key, name) for key in ("word_bytes", "words", "banks")}
    return Memory(name, **sizes, space=space)


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
