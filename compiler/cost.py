"""What a program costs: one pass over its instructions with the covenant's costs, tokens and queues.

Quick enough to rank mappings. The bus is a bound, not an arbiter: LOAD and STORE keep their own time, and the whole
can take no less than all their beats. The bench's cycle model is the careful one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from tenon.acg.graph import Graph
from tenon.acg.mnemonic import accesses
from tenon.compiler.instruction import Instruction

__all__ = ["ProgramCost", "cost"]

_DRAM_CYCLES = 40  # the standard DRAM's latency; the covenant does not promise it


@dataclass(frozen=True)
class ProgramCost:
    """Cycles of a program; ``busy`` of each unit; bytes over the bus."""

    cycles: int
    busy: dict[str, int]
    bus_bytes: int


def cost(graph: Graph, instructions: Sequence[Instruction]) -> ProgramCost:
    """Estimates ``instructions``, tokens in place, on ``graph``."""
    sequencer = graph.sequencer
    on_chip = graph.memory_bytes
    beat = graph.bus_bytes
    free: dict[str, int] = {}  # when each unit can begin its next instruction
    busy: dict[str, int] = {}
    taken: dict[str, deque] = {}  # when the latest instructions of each unit began
    signals: dict[int, deque] = {}
    dispatched = last = bus = 0
    for instruction in instructions:
        mnemonic, fields, header = instruction.mnemonic, instruction.fields, instruction.header
        unit = mnemonic.unit
        queue = taken.setdefault(unit, deque(maxlen=sequencer.queue_depth + 1))
        dispatched += sequencer.issue_cycles
        if len(queue) == queue.maxlen:
            dispatched = max(dispatched, queue[0])
        ready = max(dispatched, free.get(unit, 0), *(signals[t].popleft() for t in _bits(header.waits)), 0)
        queue.append(ready)
        occupancy = mnemonic.evaluate("occupancy", fields)
        latency = mnemonic.evaluate("latency", fields) if "latency" in mnemonic.cost else 0
        if any(a.memory not in on_chip and a.chosen(fields) for a in accesses(mnemonic)):
            bus += occupancy * beat
            latency += _DRAM_CYCLES
        free[unit] = end = ready + occupancy
        busy[unit] = busy.get(unit, 0) + occupancy
        done = end + latency
        last = max(last, done)
        for mask, time in ((header.release, end), (header.done, done)):
            for token in _bits(mask):
                signals.setdefault(token, deque()).append(time)
    return ProgramCost(max(last, bus // beat), busy, bus)


def _bits(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]
