"""Sequencers: how a program's instructions come to their units, and what keeps them in order."""

from __future__ import annotations

from dataclasses import dataclass

from tenon.acg.encoding import Encoding

__all__ = ["Background", "PacketSequencer", "QueueSequencer", "Slot"]


@dataclass(frozen=True)
class QueueSequencer:
    """A queue before each unit, and tokens between units.

    Instructions are dispatched in order into queues of ``queue_depth``; they wait for, and signal, counting ``tokens`` up to
    ``token_limit``. ``issue_cycles``: from one dispatched instruction to the next, of those that take longest. ``marks``: numbers of
    time stamps. How ``encoding`` is read is in ``acg.encoding``.
    """

    encoding: Encoding
    queue_depth: int
    tokens: int
    token_limit: int
    issue_cycles: int
    marks: int


@dataclass(frozen=True)
class Slot:
    """A part of every packet, from bit ``offset`` on: an instruction of one of ``units``, or none (opcode 0)."""

    name: str
    units: tuple[str, ...]
    offset: int
    encoding: Encoding


@dataclass(frozen=True)
class Background:
    """A unit beside the packets, which start its instructions: it carries out up to ``depth``, in order, while packets go on."""

    unit: str
    depth: int
    encoding: Encoding


@dataclass(frozen=True)
class PacketSequencer:
    """Packets of one instruction for each slot, one packet a cycle, in order; nothing is interlocked.

    An instruction reads when its packet is issued; a packet that comes ``visible`` later sees what it has written, one that comes
    sooner does not. What holds a packet (a wait, the bus) holds everything, so that these distances count packets. Instructions of one
    slot are ``occupancy`` packets apart at least.

    Addresses come from ``streams``: a base and up to ``stream_levels`` pairs of extent and stride, in units of ``granule`` bytes and
    ``address_bits`` bits. An instruction names a stream and an offset of ``offset_bits``, and whether the stream steps on behind it; behind
    its last step it is at its base again. A packet's control slot (bits from ``control`` on) loops over the packets that follow, up to
    ``loop_packets`` of them ``loop_count`` times, in ``loops`` levels; goes through packets again that lie up to ``program_packets`` back;
    sets streams; starts background units and waits for them; and leaves up to ``marks`` time stamps.
    """

    packet_bits: int
    slots: tuple[Slot, ...]
    background: tuple[Background, ...]
    control: int
    loops: int
    loop_count: int
    loop_packets: int
    streams: int
    stream_levels: int
    granule: int
    address_bits: int
    offset_bits: int
    program_packets: int
    marks: int

    def slot(self, unit: str) -> Slot:
        """The slot that ``unit``'s instructions are in."""
        return next(slot for slot in self.slots if unit in slot.units)

    @property
    def address_field_bits(self) -> int:
        """Of a field that names a stream, an offset and whether to step."""
        return (self.streams - 1).bit_length() + self.offset_bits + 1
