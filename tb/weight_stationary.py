"""The weight-stationary array of SCALE-Sim as a covenant of one's own: weights are not loaded beside products, memories are as large and
buses as wide as can be.

Its closed form, of a product M x K x N on R x C cells: ceil(K / R) ceil(N / C) (M + 2 R + C - 2) cycles (Samajdar et al., "SCALE-Sim:
Systolic CNN Accelerator Simulator", 2018).
"""

from __future__ import annotations

import math
from dataclasses import replace

from tenon.acg.field import Field
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic, Timing
from tenon.compiler.program import Program
from tenon.tb.model import simulate_program

__all__ = ["array_cycles", "closed_form", "weight_stationary"]

_WIDE = 40  # bits of a field: of addresses and steps
_WORDS = 1 << 24  # of every memory
_BUS_BYTES = 1 << 16
_BITS = 1 << 13  # of an instruction with so wide fields


def weight_stationary(graph: Graph, unit: str) -> Graph:
    """``graph`` with ``unit`` as such an array."""
    rows, cols = _shape(graph, unit)
    memories = tuple(replace(m, words=_WORDS, banks=1) if m.name in graph.memory_bytes else m for m in graph.memories)
    edges = tuple(replace(e, bytes_per_cycle=_BUS_BYTES, burst_bytes=_BUS_BYTES * 256 if e.burst_bytes else 0) for e in graph.edges)
    encoding = replace(graph.sequencer.encoding, bits=_BITS)
    return replace(graph, name="weight_stationary", memories=memories, edges=edges, bus_bytes=_BUS_BYTES, notes={},
                   sequencer=replace(graph.sequencer, encoding=encoding),
                   mnemonics=tuple(_ideal(m, m.unit == unit, rows, cols) for m in graph.mnemonics))


def closed_form(m: int, k: int, n: int, rows: int, cols: int) -> int:
    """Cycles of a product."""
    return math.ceil(k / rows) * math.ceil(n / cols) * (m + 2 * rows + cols - 2)


def array_cycles(program: Program, unit: str) -> int:
    """By the cycle model: from where ``unit`` begins to where it has issued everything."""
    found = simulate_program(program.instructions, program.covenant, latency=0, outstanding=1 << 20)
    spans = [span for span in found.timeline.spans if span.engine == unit]
    return max(span.released for span in spans) - min(span.begun for span in spans)


def _shape(graph: Graph, unit: str) -> tuple[int, int]:
    """Cells along the reduction and along results: what are reduced and written at a time."""
    m = next(m for m in graph.mnemonics if m.unit == unit)
    (cols,) = (loop.extent for loop in m.effect.loops if isinstance(loop.extent, int))
    return graph.unit(unit).peak_macs_per_cycle // cols, cols


def _ideal(m: Mnemonic, is_array: bool, rows: int, cols: int) -> Mnemonic:
    fields = tuple(_widened(f) if f.kind == "int" and f.high - f.low >= 1 << 13 else f for f in m.fields)
    if not is_array:
        return replace(m, fields=fields)
    steps, vectors = "n_n * n_k0 * n_k1 * n_k2 * n_k3", "n_m0 * n_m1 * n_m2"
    return replace(m, fields=fields, timing=Timing(occupancy=f"{steps} * ({vectors} + {2 * rows + cols - 2})"))


def _widened(f: Field) -> Field:
    return Field(f.name, -(1 << _WIDE - 1) if f.low < 0 else f.low, (1 << _WIDE - 1) - 1)
