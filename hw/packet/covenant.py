"""The covenant of a vector machine."""

from __future__ import annotations

from tenon.acg.encoding import Encoding
from tenon.acg.graph import Edge, Graph, Kind, Memory, Unit
from tenon.acg.sequencer import Background, PacketSequencer, Slot
from tenon.hw.covenant import SEGMENTS
from tenon.hw.encoding import ENCODING
from tenon.hw.mnemonics import load, store
from tenon.hw.packet.mnemonics import GRANULE, instructions
from tenon.hw.packet.params import VectorParams

__all__ = ["packet_covenant"]

_PACKET_BITS = 256
_OFFSET_BITS = 8
_OPCODE = (("opcode", 0, 4),)
#: Bits of each slot, and the unit whose instructions it holds.
_SLOTS = {"load": ("LD", 32), "store": ("ST", 32), "x": ("DOT", 32), "v": ("FLT", 52)}
_CONTROL = 192  # the last 64 bits


def packet_covenant(params: VectorParams) -> Graph:
    """The Architecture Covenant Graph of ``params``."""
    p, size = params, 4 * params.lanes
    memories = (
        Memory("SPM", GRANULE, p.spm_bytes // GRANULE, banks=4), Memory("VR", size, p.registers, kind=Kind.REGISTERS),
        Memory("SR", 16, p.quads, kind=Kind.REGISTERS), Memory("SF", 16, 4, kind=Kind.REGISTERS), Memory("ZP", 16, 1, kind=Kind.REGISTERS),
        Memory("TAB", 16, 16 * p.tables, kind=Kind.REGISTERS), Memory("DRAM", 1, 2**p.address_bits, kind=Kind.DRAM))
    units = (Unit("LD"), Unit("ST"), Unit("DOT", peak_macs_per_cycle=p.peak_macs_per_cycle), Unit("FLT"), Unit("LOAD"), Unit("STORE"))
    burst = p.burst_beats * p.bus_bytes
    edges = (
        Edge("DRAM", "LOAD", p.bus_bytes, burst), Edge("LOAD", "SPM", p.bus_bytes), Edge("SPM", "STORE", p.bus_bytes),
        Edge("STORE", "DRAM", p.bus_bytes, burst), Edge("SPM", "LD", size), *(Edge("LD", m, size if m == "VR" else 16) for m in (
            "VR", "SR", "SF", "ZP", "TAB")), Edge("VR", "ST", size), Edge("ST", "SPM", size), Edge("SR", "DOT", 4), Edge("ZP", "DOT", 2),
        Edge("VR", "DOT", 2 * size), Edge("DOT", "VR", size), Edge("VR", "FLT", 8 * p.float_lanes), Edge("SF", "FLT", 8),
        Edge("TAB", "FLT", p.float_lanes), Edge("FLT", "VR", 4 * p.float_lanes))
    address_bits = (p.streams - 1).bit_length() + _OFFSET_BITS + 1
    slots, offset = [], 0
    for name, (unit, bits) in _SLOTS.items():
        slots.append(Slot(name, (unit,), offset, Encoding(bits, _OPCODE, address_bits)))
        offset += bits
    background = tuple(Background(unit, p.dma_depth, ENCODING) for unit in ("LOAD", "STORE"))
    sequencer = PacketSequencer(
        packet_bits=_PACKET_BITS, slots=tuple(slots), background=background, control=_CONTROL, loops=p.loops, loop_count=(1 << 16) - 1,
        loop_packets=p.program_packets, streams=p.streams, stream_levels=6, granule=GRANULE,
        address_bits=(p.spm_bytes // GRANULE - 1).bit_length(), offset_bits=_OFFSET_BITS,
        program_packets=p.program_packets, marks=p.markers)
    mnemonics = (*instructions(p), load(p, memories=("SPM",)), store(p, memory="SPM"))
    return Graph(p.name, memories, units, edges, sequencer, mnemonics, SEGMENTS, p.bus_bytes, {"parameters": p.to_dict()})
