"""Derives the covenant of a configuration by walking its components' promises."""

from __future__ import annotations

from tenon.acg import port_bytes as port_bytes_note
from tenon.acg import precedence as precedence_note
from tenon.acg.graph import Edge, Graph, Kind, Memory, Role, Segment, Unit
from tenon.acg.sequencer import QueueSequencer
from tenon.hw.accelerator import engine_classes
from tenon.hw.buffers import VECTOR_BANKS, activation_banks, memory_bytes
from tenon.hw.bursts import burst_limit
from tenon.hw.dispatch import issue_cycles
from tenon.hw.encoding import ENCODING
from tenon.hw.pace import pace
from tenon.hw.params import SystolicParams
from tenon.hw.port_bytes import port_bytes
from tenon.hw.precedence import precedence
from tenon.hw.tokens import TOKEN_LIMIT
from tenon.hw.window import WindowEngine

__all__ = ["SEGMENTS", "covenant"]

#: DRAM segments in the order of their base registers.
SEGMENTS = (Segment("CONSTANTS", Role.CONSTANTS), Segment("ARENA", Role.SCRATCH), Segment("INPUTS", Role.INPUTS),
            Segment("OUTPUTS", Role.OUTPUTS))


def covenant(params: SystolicParams) -> Graph:
    """The Architecture Covenant Graph of ``params``."""
    p = params
    sizes = memory_bytes(p)
    word = {"ACT": p.rows, "WGT": p.cols, "ACC": 4 * p.cols, "VEC": p.cols, "PAR": 4 * p.cols, "TAB": 256}
    banks = {"ACT": activation_banks(p), "ACC": p.accumulator_banks, "VEC": VECTOR_BANKS}
    memories = tuple(Memory(n, word[n], sizes[n] // word[n], banks.get(n, 1)) for n in word)
    dram = Memory("DRAM", 1, 2**p.address_bits, kind=Kind.DRAM)
    units = (Unit("LOAD"), Unit("MATRIX", ordered=("ACC",), peak_macs_per_cycle=p.peak_macs_per_cycle), Unit("VECTOR"), Unit("STORE"))
    if p.window_taps:
        units += (Unit("WINDOW", ordered=("ACC",), peak_macs_per_cycle=p.window_lanes * p.window_taps),)
    burst = burst_limit(p) * p.bus_bytes
    edges = (
        Edge("DRAM", "LOAD", p.bus_bytes, burst_bytes=burst),
        Edge("STORE", "DRAM", p.bus_bytes, burst_bytes=burst),
        *(Edge("LOAD", m, p.bus_bytes) for m in ("ACT", "WGT", "VEC", "PAR", "TAB")),
        Edge("ACT", "MATRIX", p.rows), Edge("WGT", "MATRIX", p.cols), Edge("PAR", "MATRIX", 4 * p.cols / p.rows),
        Edge("MATRIX", "ACC", 4 * p.cols), Edge("ACC", "MATRIX", 4 * p.cols),
        Edge("ACC", "VECTOR", 4 * p.lanes), Edge("VEC", "VECTOR", p.lanes), Edge("PAR", "VECTOR", 4 * p.lanes),
        Edge("TAB", "VECTOR", p.lanes), Edge("VECTOR", "VEC", p.lanes), Edge("VECTOR", "ACT", p.lanes),
        Edge("VECTOR", "PAR", 4 * p.lanes),
        Edge("VEC", "STORE", p.bus_bytes),
    )
    if p.window_taps:
        lanes = p.window_lanes
        edges += (Edge("ACT", "WINDOW", lanes), Edge("WGT", "WINDOW", lanes), Edge("PAR", "WINDOW", 4 * lanes / (1 + WindowEngine.refill)),
                  Edge("WINDOW", "ACC", 4 * lanes), Edge("ACC", "WINDOW", 4 * lanes))
    mnemonics = tuple(kind.mnemonic(p) for kind in engine_classes(p).values())
    sequencer = QueueSequencer(ENCODING, p.queue_depth, p.tokens, TOKEN_LIMIT, issue_cycles(mnemonics, sizes), p.markers)
    return Graph(p.name, (*memories, dram), units, edges, sequencer, mnemonics, SEGMENTS, p.bus_bytes,
                 {"parameters": p.to_dict()} | pace().to_note() | port_bytes_note.to_note(port_bytes(p))
                 | precedence_note.to_note(precedence(p)))
