"""Packets: what a packet sequencer's program consists of, and its bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from tenon.acg.field import EncodingError
from tenon.acg.mnemonic import Mnemonic
from tenon.acg.sequencer import PacketSequencer

if TYPE_CHECKING:
    from tenon.acg.graph import Graph

__all__ = ["CONTROL_BITS", "Base", "Call", "Control", "End", "Level", "Loop", "Mark", "Operation", "Packet", "Reference", "Start", "Wait",
           "decode_packet", "encode_packet", "words_of"]


@dataclass(frozen=True)
class Reference:
    """Where an address comes from: a stream, so many granules further; ``step``: the stream steps on behind the packet."""

    stream: int
    offset: int = 0
    step: bool = False


@dataclass(frozen=True)
class Loop:
    """The next ``packets`` packets ``count`` times."""

    count: int
    packets: int


@dataclass(frozen=True)
class Call:
    """Once more the ``packets`` packets that begin ``back`` packets before this one; then on behind this one."""

    back: int
    packets: int


@dataclass(frozen=True)
class Base:
    """A stream begins at ``address``, in granules, and is at its first step."""

    stream: int
    address: int


@dataclass(frozen=True)
class Level:
    """A level of a stream, 0 the innermost: ``extent`` steps of ``stride`` granules. Extents begin as 1."""

    stream: int
    level: int
    extent: int
    stride: int


@dataclass(frozen=True)
class Start:
    """A background unit gets the instruction that the packets behind this one hold, which are none themselves."""

    unit: int


@dataclass(frozen=True)
class Wait:
    """Until at most ``count`` of a background unit's instructions have not ended."""

    unit: int
    count: int


@dataclass(frozen=True)
class Mark:
    """A time stamp."""

    number: int


@dataclass(frozen=True)
class End:
    """The end of the program, once everything has ended."""


Control = Loop | Call | Base | Level | Start | Wait | Mark | End

#: Bits of the control slot: its kind, then each kind's fields in their order.
_KIND_BITS = 4
_WIDTHS: dict[type, tuple[int, ...]] = {
    Loop: (16, 12), Call: (12, 12), Base: (5, 24), Level: (5, 3, 16, 24), Start: (2,), Wait: (2, 8), Mark: (12,), End: ()}
_KINDS = tuple(_WIDTHS)
_SIGNED = {(Level, "stride")}
CONTROL_BITS = _KIND_BITS + max(map(sum, _WIDTHS.values()))


@dataclass(frozen=True)
class Operation:
    """An instruction in a packet; an address among its ``values`` is a Reference."""

    mnemonic: Mnemonic
    values: Mapping[str, object]


@dataclass(frozen=True)
class Packet:
    """Instructions that are issued together, at most one in a slot, and what the sequencer does. ``data``: bits that a Start takes."""

    operations: tuple[Operation, ...] = ()
    control: Control | None = None
    data: int | None = None
    note: str = ""


def encode_packet(graph: Graph, packet: Packet) -> bytes:
    """One packet, little endian.

    Raises
    ------
    EncodingError
        For a value outside its range, or two instructions in one slot.
    """
    sequencer: PacketSequencer = graph.sequencer
    size = sequencer.packet_bits // 8
    if packet.data is not None:
        return packet.data.to_bytes(size, "little")
    word, taken = 0, set()
    for operation in packet.operations:
        slot = sequencer.slot(operation.mnemonic.unit)
        if slot.name in taken:
            raise EncodingError(f"{operation.mnemonic.name} is the second instruction in slot {slot.name}")
        taken.add(slot.name)
        word |= _operation_bits(sequencer, slot.encoding, operation) << slot.offset
    if packet.control is not None:
        word |= _control_bits(packet.control) << sequencer.control
    return word.to_bytes(size, "little")


def decode_packet(graph: Graph, text: bytes) -> Packet:
    """The packet of these bits. EncodingError for what is none."""
    sequencer: PacketSequencer = graph.sequencer
    word = int.from_bytes(text, "little")
    operations = []
    for slot in sequencer.slots:
        bits = word >> slot.offset & (1 << slot.encoding.bits) - 1
        offset, width = slot.encoding.place("opcode")
        opcode = bits >> offset & (1 << width) - 1
        if not opcode:
            continue
        mnemonic = next((m for m in graph.mnemonics if m.opcode == opcode and m.unit in slot.units), None)
        if mnemonic is None:
            raise EncodingError(f"no instruction of slot {slot.name} has opcode {opcode}")
        values = {}
        for f, at, size, _ in slot.encoding.places(mnemonic):
            part = bits >> at & (1 << size) - 1
            values[f.name] = _reference(sequencer, part) if f.kind == "address" else f.check(f.decode(part), mnemonic.name)
        operations.append(Operation(mnemonic, values))
    return Packet(tuple(operations), _control(word >> sequencer.control))


def _operation_bits(sequencer: PacketSequencer, encoding, operation: Operation) -> int:
    mnemonic, values = operation.mnemonic, operation.values
    offset, _ = encoding.place("opcode")
    word = mnemonic.opcode << offset
    for f, at, _, _ in encoding.places(mnemonic):
        if f.kind == "address":
            word |= _reference_bits(sequencer, values[f.name]) << at
        else:
            value = f.check(values[f.name], mnemonic.name) if f.name in values else f.default
            word |= f.encode(value) << at
    return word


def _reference_bits(sequencer: PacketSequencer, reference: Reference) -> int:
    streams, half = (sequencer.streams - 1).bit_length(), 1 << sequencer.offset_bits - 1
    if not 0 <= reference.stream < sequencer.streams or not -half <= reference.offset < half:
        raise EncodingError(f"there is no address {reference}: {sequencer.streams} streams, offsets in {-half}..{half - 1}")
    return reference.stream | (reference.offset & 2 * half - 1) << streams | reference.step << streams + sequencer.offset_bits


def _reference(sequencer: PacketSequencer, bits: int) -> Reference:
    streams = (sequencer.streams - 1).bit_length()
    offset = bits >> streams & (1 << sequencer.offset_bits) - 1
    if offset >> sequencer.offset_bits - 1:
        offset -= 1 << sequencer.offset_bits
    return Reference(bits & (1 << streams) - 1, offset, bool(bits >> streams + sequencer.offset_bits & 1))


def _control_bits(control: Control) -> int:
    kind = type(control)
    word, at = _KINDS.index(kind) + 1, _KIND_BITS
    for f, width in zip(fields(kind), _WIDTHS[kind], strict=True):
        value = getattr(control, f.name)
        low = -(1 << width - 1) if (kind, f.name) in _SIGNED else 0
        if not low <= value < low + (1 << width):
            raise EncodingError(f"{kind.__name__}.{f.name} must be in {low}..{low + (1 << width) - 1}, not {value}")
        word |= (value & (1 << width) - 1) << at
        at += width
    return word


def _control(word: int) -> Control | None:
    number = word & (1 << _KIND_BITS) - 1
    if not number:
        return None
    if number > len(_KINDS):
        raise EncodingError(f"there is no control {number}")
    kind, at, values = _KINDS[number - 1], _KIND_BITS, []
    for f, width in zip(fields(kind), _WIDTHS[kind], strict=True):
        value = word >> at & (1 << width) - 1
        if (kind, f.name) in _SIGNED and value >> width - 1:
            value -= 1 << width
        values.append(value)
        at += width
    return kind(*values)


def words_of(sequencer: PacketSequencer, instruction: bytes) -> Sequence[int]:
    """A background instruction in the packets that hold it."""
    size = sequencer.packet_bits // 8
    return [int.from_bytes(instruction[at:at + size], "little") for at in range(0, len(instruction), size)]
