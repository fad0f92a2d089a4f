"""Whether a graph describes a machine: every name that it uses is one of its own, and everything in it can be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from tenon.acg.access import ELEMENT_BYTES
from tenon.acg.encoding import Encoding
from tenon.acg.errors import CovenantError
from tenon.acg.expr import Aff, Choose, Expr, Load, Lookup, Loop, Op, Reduce, Val, walk
from tenon.acg.field import Field
from tenon.acg.mnemonic import Mnemonic, accesses
from tenon.acg.ops import OPS
from tenon.acg.packet import CONTROL_BITS
from tenon.acg.parts import Kind, Role
from tenon.acg.sequencer import PacketSequencer

if TYPE_CHECKING:
    from tenon.acg.graph import Graph

__all__ = ["validate", "ways_of"]

_REDUCTIONS = ("add", "max", "min")


def validate(graph: Graph) -> None:
    """Raises CovenantError, in one line that names the part and the rule, unless ``graph`` describes a machine.

    Whether a network fits into it is for the compiler to say.
    """
    for problem in _problems(graph):
        raise CovenantError(f"{graph.name}: {problem}")


def _problems(graph: Graph) -> Iterator[str]:
    for kind in ("memories", "units", "mnemonics"):
        yield from _twice(kind, (part.name for part in getattr(graph, kind)))
    segments = graph.segment_names
    yield from _twice("segments", segments)
    yield from _twice("roles of segments", (s.role for s in graph.segments))
    yield from _twice("memories, units and segments", (*(m.name for m in graph.memories), *(u.name for u in graph.units), *segments))
    there = {s.role for s in graph.segments}
    for role in Role:
        if role not in there:
            yield f"there is no segment for {role}"
    numbers = {key: value for key, value in vars(graph.sequencer).items() if type(value) is int and key != "control"}
    for what, value in (("bus_bytes", graph.bus_bytes), *numbers.items()):
        if value < 1:
            yield f"{what} must be at least 1, not {value}"
    yield from (_of_packets if isinstance(graph.sequencer, PacketSequencer) else _of_queues)(graph)
    for m in graph.memories:
        if min(m.word_bytes, m.words, m.banks) < 1:
            yield f"memory {m.name} must have words, bytes in them and banks"
    units = {u.name for u in graph.units}
    for m in graph.mnemonics:
        if m.unit not in units:
            yield f"{m.name} is of unit {m.unit}, which there is not"
        yield from (f"{m.name}: {problem}" for problem in _of_effect(m, set(graph.memory_bytes) | set(segments)))
    for u in graph.units:
        for name in u.ordered:
            if name not in graph.memory_bytes:
                yield f"unit {u.name} keeps the order of {name}, which is no memory on chip"
    yield from _of_ways(graph)


def _of_queues(graph: Graph) -> Iterator[str]:
    """Instructions fit, and name every token and time stamp."""
    encoding = graph.sequencer.encoding
    yield from _of_encoding(encoding, graph.mnemonics)
    if encoding.bits % 8:
        yield f"an instruction must have whole bytes, not {encoding.bits} bits"
    for what, most in (("tokens", encoding.place("waits")[1]), ("marks", 1 << encoding.place("mark")[1])):
        if getattr(graph.sequencer, what) > most:
            yield f"{what} must be at most {most}, as many as an instruction can name, not {getattr(graph.sequencer, what)}"
    if len({encoding.place(mask)[1] for mask in ("waits", "release", "done")}) > 1:
        yield "waits, release and done of the encoding must be of the same tokens"


def _of_packets(graph: Graph) -> Iterator[str]:
    """Slots lie beside each other in a packet, and every unit is in one of them or in the background."""
    sequencer = graph.sequencer
    units = [u.name for u in graph.units]
    places = [(slot.offset, slot.encoding.bits, slot.name) for slot in sequencer.slots]
    end = 0
    for offset, bits, name in sorted([*places, (sequencer.control, CONTROL_BITS, "control")]):
        if offset < end:
            yield f"slot {name} begins at bit {offset}, where another one goes to {end}"
        end = offset + bits
    if end > sequencer.packet_bits or sequencer.packet_bits % 8:
        yield f"a packet's {sequencer.packet_bits} bits must be whole bytes, and at least the {end} of its slots"
    issued = [unit for slot in sequencer.slots for unit in slot.units] + [b.unit for b in sequencer.background]
    for unit in dict.fromkeys([*issued, *units]):
        if unit not in units:
            yield f"the sequencer begins instructions of {unit}, which there is not"
        elif issued.count(unit) != 1:
            yield f"unit {unit} must be in one slot or in the background, not in {issued.count(unit)}"
    for slot in sequencer.slots:
        if slot.encoding.address_bits not in (0, sequencer.address_field_bits):
            yield f"an address of slot {slot.name} must have {sequencer.address_field_bits} bits, not {slot.encoding.address_bits}"
        yield from _of_encoding(slot.encoding, [m for m in graph.mnemonics if m.unit in slot.units])
    for b in sequencer.background:
        yield from _of_encoding(b.encoding, [m for m in graph.mnemonics if m.unit == b.unit])
        if b.encoding.bits % sequencer.packet_bits:
            yield f"instructions of {b.unit} must be whole packets, not {b.encoding.bits} bits"


def _of_encoding(encoding: Encoding, mnemonics: Sequence[Mnemonic]) -> Iterator[str]:
    """What instructions begin with fits, and so do they."""
    yield from _twice("opcodes", (str(m.opcode) for m in mnemonics))
    end = 0
    for name, offset, width in sorted(encoding.header, key=lambda place: place[1]):
        if offset < end or width < 1:
            yield f"the encoding's {name} must have bits of its own"
        end = offset + width
    opcodes = (1 << encoding.place("opcode")[1]) - 1
    for m in mnemonics:
        if not 0 < m.opcode <= opcodes:
            yield f"{m.name}'s opcode must be in 1..{opcodes}, not {m.opcode}"
        if encoding.used(m) > encoding.bits:
            yield f"{m.name} must have at most {encoding.bits} bits, not {encoding.used(m)}"


def _twice(kind: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{name} is there {count} times among {kind}"


def _of_effect(mnemonic: Mnemonic, places: set[str]) -> Iterator[str]:
    """Names, types and operations of an effect."""
    fields = {f.name: f for f in mnemonic.fields}
    nest = mnemonic.effect
    nodes = [*walk(nest.destination), *walk(nest.expr)]
    every = [*nest.loops, *(l for e in nodes if isinstance(e, Reduce) for l in e.loops)]
    for loop in every:
        yield from _of_loop(loop, fields)
    for name in sorted({l.name for l in every} & fields.keys()):
        yield f"{name} is a loop and a field"
    for name, count in Counter(l.name for l in set(every)).items():
        if count > 1:
            yield f"loop {name} has {count} extents"
    yield from _twice("its loops", (l.name for l in nest.loops))
    outer = frozenset(l.name for l in nest.loops)
    yield from _of_scope(nest.destination, outer, set())
    yield from _of_scope(nest.expr, outer, set())
    for node in nodes:
        for form in _forms(node):
            yield from _of_form(form, fields, is_value=isinstance(node, Val))
        for operand in ([node.operand] if isinstance(node, Load) else [node.table] if isinstance(node, Lookup) else []):
            if operand.name not in places:
                yield f"there is no memory or segment {operand.name}"
            if isinstance(node, Lookup) and operand.element != "u8":
                yield f"a table's elements must be u8, not {operand.element}"
            if operand.element not in ELEMENT_BYTES:
                yield f"an element of {operand.name} must be one of {', '.join(ELEMENT_BYTES)}, not {operand.element!r}"
        if isinstance(node, Choose):
            yield from _of_choice(node, fields)
        if isinstance(node, Op) and (node.name not in OPS or OPS[node.name].arity != len(node.args)):
            yield f"there is no operation {node.name} of {len(node.args)}"
        if isinstance(node, Reduce) and node.op not in _REDUCTIONS:
            yield f"a reduction must be by {', '.join(_REDUCTIONS)}, not by {node.op}"
    for node in walk(nest.destination):
        if not isinstance(node, Load | Choose):
            yield "what is written must be an element of a memory"
    try:
        accesses(mnemonic)
    except (ValueError, KeyError) as error:
        yield str(error)


def _of_scope(e: Expr, inside: frozenset[str], seen: set[tuple[int, frozenset[str]]]) -> Iterator[str]:
    """Every index steps along loops that are open where it stands."""
    if (id(e), inside) in seen:
        return
    seen.add((id(e), inside))
    for form in _forms(e):
        for loop in form.loops:
            if loop not in inside:
                yield f"there is no loop {loop}"
    if isinstance(e, Reduce):
        for loop in e.loops:
            if loop.name in inside:
                yield f"loop {loop.name} is open already"
            inside |= {loop.name}
    for child in e.children:
        yield from _of_scope(child, inside, seen)


def _of_form(form: Aff, fields: Mapping[str, Field], *, is_value: bool) -> Iterator[str]:
    for (_, name), _ in form.terms:
        if name and name not in fields:
            yield f"there is no field {name}"
        elif name and fields[name].kind == "f32" and (not is_value or len(form.terms) > 1):
            yield f"{name} is binary32, and no part of an index"
    for loop in ("", *form.loops):  # loads are held to more, where hardware checks them
        terms = form.coefficient(loop).terms
        if is_value and sum(name != "" for (_, name), _ in terms) + (loop != "" and any(name == "" for (_, name), _ in terms)) > 1:
            yield f"{form} must have at most one field as its base, and one field or number as each loop's step"


def _of_loop(loop: Loop, fields: Mapping[str, Field]) -> Iterator[str]:
    if isinstance(loop.extent, int):
        if loop.extent < 1:
            yield f"loop {loop.name} must have at least one step"
    elif loop.extent not in fields:
        yield f"there is no field {loop.extent}"
    elif fields[loop.extent].low < 1 or fields[loop.extent].kind != "int":
        yield f"{loop.extent}, the extent of loop {loop.name}, must be a whole number, at least 1"


def _of_choice(node: Choose, fields: Mapping[str, Field]) -> Iterator[str]:
    field = fields.get(node.field)
    if field is None:
        yield f"there is no field {node.field}"
    elif field.kind != "enum":
        yield f"{node.field} must have choices, by which it chooses"
    elif (field.low, field.high) != (0, len(node.alternatives) - 1):
        yield f"{node.field} must be in 0..{len(node.alternatives) - 1}, of which there are alternatives, not in {field.low}..{field.high}"


def _forms(node: Expr) -> list[Aff]:
    if isinstance(node, Load):
        return [Aff.of(i) for i in node.index]
    if isinstance(node, Lookup):
        return [node.base]
    return [node.value] if isinstance(node, Val) and isinstance(node.value, Aff) else []


def ways_of(graph: Graph) -> set[tuple[str, str]]:
    """From where to where instructions move data: memories and units, as edges name them."""
    outside = {name: m.name for m in graph.memories if m.kind is Kind.DRAM for name in graph.segment_names}
    found = ((m.unit, outside.get(a.memory, a.memory), a.write) for m in graph.mnemonics for a in _accesses(m))
    return {(unit, memory) if write else (memory, unit) for unit, memory, write in found}


def _of_ways(graph: Graph) -> Iterator[str]:
    """Edges are what effects use, no more and no less; every memory is written and read."""
    uses = ways_of(graph)
    edges = {(e.src, e.dst) for e in graph.edges}
    names = {m.name for m in graph.memories} | {u.name for u in graph.units}
    for src, dst in edges:
        for name in (src, dst):
            if name not in names:
                yield f"the edge from {src} to {dst} ends at {name}, which there is not"
    for src, dst in sorted(edges - uses):
        yield f"no instruction moves anything from {src} to {dst}"
    for src, dst in sorted(uses - edges):
        yield f"there is no edge from {src} to {dst}, which instructions take"
    for m in graph.memories:
        if not any(dst == m.name for _, dst in uses):
            yield f"nothing writes memory {m.name}"
        if not any(src == m.name for src, _ in uses):
            yield f"nothing reads memory {m.name}"


def _accesses(mnemonic: Mnemonic):
    try:
        return accesses(mnemonic)
    except (ValueError, KeyError):
        return ()  # said before


