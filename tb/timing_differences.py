"""The compiled event loop beside the cycle model: every moment, every counter."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.acg.graph import Graph
from tenon.compiler.instruction import Instruction
from tenon.compiler.timing import time_program
from tenon.tb.model import Deadlock, simulate_program

__all__ = ["timing_differences"]


def timing_differences(graph: Graph, program: Sequence[Instruction], **dram) -> tuple[bool, list[str]]:
    """Whether ``program`` ends, by the cycle model, and what the compiled event loop says otherwise: a line each.

    ``dram``: as both take it.
    """
    found = time_program(graph, program, **dram)
    try:
        expected = simulate_program(program, graph, **dram)
    except Deadlock:
        return False, ["it ends"] * found.ended
    if not found.ended:
        return True, ["it does not end"]
    ours = {"CYCLES": found.cycles, "READ_BEATS": found.read_beats, "WRITE_BEATS": found.write_beats}
    ours |= {f"{unit}_BUSY": busy for unit, busy in found.busy.items()} | {f"{unit}_TOKEN": n for unit, n in found.waited.items()}
    theirs = {**expected.counters, "CYCLES": expected.cycles}
    said = [f"{name} {ours.get(name)}, not {theirs.get(name)}" for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    spans = [(s.granted, s.begun, s.released, s.done) for s in expected.timeline.spans]
    moments = [tuple(row) for row in found.moments[:, 1:].tolist()]
    said += [f"instruction {k}: {mine}, not {other}" for k, (mine, other) in enumerate(zip(moments, spans, strict=True)) if mine != other]
    return True, said
