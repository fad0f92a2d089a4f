"""Times programs: their instructions become arrays of numbers, which the compiled event loop goes through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from tenon.acg.formula import evaluate_all, names
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic, accesses
from tenon.acg.pace import pace_of
from tenon.compiler.code import Code
from tenon.compiler.instruction import Instruction
from tenon.compiler.timing.columns import chosen, columns_of
from tenon.compiler.timing.native import run_events
from tenon.compiler.timing.ports import port_uses
from tenon.compiler.timing.transfers import TRANSFER_COLUMNS, moves, transfer_fields, transfers

__all__ = ["Timed", "time_program"]

#: Columns of events.cpp's ``Instruction``.
_UNIT, _WAITS, _RELEASE, _DONE, _WALK, _FILL, _OCCUPANCY, _LATENCY, _RELEASED_AFTER, _STEP, _TRANSFER = range(11)
_COSTS = {"fill": _FILL, "occupancy": _OCCUPANCY, "visible": _LATENCY, "reads": _RELEASED_AFTER, "step": _STEP}


@dataclass(frozen=True)
class Timed:
    """A program's time in cycles.

    ``moments`` has a row for each instruction: when it stood at the head of its queue, had its tokens, began, had released its
    operands, was done. ``ended`` is false for a program that stops before its end, waiting for tokens: then nothing else holds.
    """

    cycles: int
    ended: bool
    read_beats: int
    write_beats: int
    busy: dict[str, int]
    waited: dict[str, int]
    moments: np.ndarray


def time_program(graph: Graph, instructions: Sequence[Instruction], *, masks: Sequence[Sequence[int]] | None = None,
                 latency: int = 40, outstanding: int = 32) -> Timed:
    """Times ``instructions``, without END, on the hardware of ``graph``.

    ``masks`` are the waits, releases and dones of each; if not given, they are in place (``tokens.place_tokens``).
    ``latency`` (cycles) and ``outstanding`` (bursts in each direction) are the DRAM's.

    Raises
    ------
    CompileError
        If the compiler that this needs is missing, or the graph has transfers that it does not know.
    """
    burst = max(edge.burst_bytes for edge in graph.edges) // graph.bus_bytes
    beats = max(1, graph.sequencer.encoding.bytes // graph.bus_bytes)
    machine = np.array([*astuple(pace_of(graph)), beats, graph.sequencer.queue_depth, graph.bus_bytes, burst, latency, outstanding])
    units = [u.name for u in graph.units]
    code = Code.of(instructions)
    program, moved = _arrays(graph, code)
    if masks is None:
        masks = [[getattr(i.header, mask) for i in instructions] for mask in ("waits", "release", "done")]
    for column, values in zip((_WAITS, _RELEASE, _DONE), masks, strict=True):
        program[:, column] = values
    moments, busy, waited, (cycles, read, written, dispatched, queued) = run_events(machine, program, moved, *port_uses(graph, code))
    return Timed(int(cycles), bool(dispatched == len(instructions) and not queued), int(read), int(written),
                 dict(zip(units, busy.tolist(), strict=True)), dict(zip(units, waited.tolist(), strict=True)), moments)


def _arrays(graph: Graph, code: Code) -> tuple[np.ndarray, np.ndarray]:
    program = code.rows(graph, _costs, _TRANSFER + 1)
    moving = np.flatnonzero(program[:, _TRANSFER])
    program[:, _TRANSFER] = -1
    program[moving, _TRANSFER] = np.arange(len(moving))
    return program, code.rows(graph, _moved, TRANSFER_COLUMNS, moving)


def _costs(graph: Graph, mnemonic: Mnemonic, fields: Sequence[Mapping[str, object]]) -> np.ndarray:
    """What instructions of one mnemonic cost, tokens apart, and whether each is a transfer."""
    count, on_chip = len(fields), frozenset(graph.memory_bytes)
    far = moves(mnemonic, on_chip)
    formulas = {} if far else {_COSTS[what]: formula for what, formula in mnemonic.timing.terms()}
    near = [a for a in accesses(mnemonic) if a.memory in on_chip]
    wanted = {name for formula in formulas.values() for name in names(formula)} | {f for a in near for f, _ in a.conditions}
    columns = columns_of(fields, wanted)
    rows = np.zeros((count, _TRANSFER + 1), np.int64)
    for access in near:
        rows[:, _WALK] += np.where(chosen(access, columns, count), access.steps, 1)
    for column, formula in formulas.items():
        rows[:, column] = evaluate_all(formula, columns)
    if _STEP not in formulas:
        rows[:, _STEP] = rows[:, _OCCUPANCY]
    rows[:, _UNIT], rows[:, _TRANSFER] = [u.name for u in graph.units].index(mnemonic.unit), far
    return rows


def _moved(graph: Graph, mnemonic: Mnemonic, fields: Sequence[Mapping[str, object]]) -> np.ndarray:
    """What transfers of one mnemonic move; nothing for other mnemonics."""
    count, on_chip = len(fields), frozenset(graph.memory_bytes)
    if not moves(mnemonic, on_chip):
        return np.zeros((count, TRANSFER_COLUMNS), np.int64)
    return transfers(mnemonic, columns_of(fields, transfer_fields(mnemonic)), count, on_chip)
