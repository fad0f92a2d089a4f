"""Times programs: their instructions become arrays of numbers, which the compiled event loop goes through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from tenon.acg.formula import evaluate_all, names
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import INSTRUCTION_BYTES, Mnemonic, accesses
from tenon.acg.pace import pace_of
from tenon.compiler.instruction import Instruction
from tenon.compiler.timing.columns import chosen, columns_of
from tenon.compiler.timing.footprints import places_by_mnemonic
from tenon.compiler.timing.native import run_events
from tenon.compiler.timing.transfers import TRANSFER_COLUMNS, moves, transfer_fields, transfers

__all__ = ["Timed", "time_program"]

#: Columns of events.cpp's ``Instruction``.
_UNIT, _WAITS, _RELEASE, _DONE, _WALK, _FILL, _OCCUPANCY, _LATENCY, _RELEASED_AFTER, _STEP, _TRANSFER = range(11)
_COSTS = {"fill": _FILL, "occupancy": _OCCUPANCY, "latency": _LATENCY, "release": _RELEASED_AFTER, "step": _STEP}


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
    beats = max(1, INSTRUCTION_BYTES // graph.bus_bytes)
    machine = np.array([*astuple(pace_of(graph)), beats, graph.sequencer.queue_depth, graph.bus_bytes, burst, latency, outstanding])
    units = [u.name for u in graph.units]
    program, moved = _arrays(graph, instructions, units)
    if masks is None:
        masks = [[getattr(i.header, mask) for i in instructions] for mask in ("waits", "release", "done")]
    for column, values in zip((_WAITS, _RELEASE, _DONE), masks, strict=True):
        program[:, column] = values
    moments, busy, waited, (cycles, read, written, dispatched, queued) = run_events(machine, program, moved, len(units))
    return Timed(int(cycles), bool(dispatched == len(instructions) and not queued), int(read), int(written),
                 dict(zip(units, busy.tolist(), strict=True)), dict(zip(units, waited.tolist(), strict=True)), moments)


def _arrays(graph: Graph, instructions: Sequence[Instruction], units: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    on_chip = frozenset(graph.memory_bytes)
    program = np.zeros((len(instructions), 11), np.int64)
    all_moved = [np.zeros((0, TRANSFER_COLUMNS), np.int64)]
    count_moved = 0
    for mine in places_by_mnemonic(instructions).values():
        mnemonic = instructions[mine[0]].mnemonic
        rows, moved = _rows(mnemonic, [instructions[k].fields for k in mine], on_chip)
        rows[:, _UNIT] = units.index(mnemonic.unit)
        if moved is None:
            rows[:, _TRANSFER] = -1
        else:
            rows[:, _TRANSFER] = np.arange(count_moved, count_moved + len(mine))
            all_moved.append(moved)
            count_moved += len(mine)
        program[mine] = rows
    return program, np.concatenate(all_moved)


def _rows(mnemonic: Mnemonic, fields, on_chip: frozenset[str]) -> tuple[np.ndarray, np.ndarray | None]:
    """What instructions of one mnemonic cost, and what they move."""
    count, far = len(fields), moves(mnemonic, on_chip)
    formulas = {} if far else {column: mnemonic.cost[what] for what, column in _COSTS.items() if what in mnemonic.cost}
    near = [a for a in accesses(mnemonic) if a.memory in on_chip]
    wanted = {name for formula in formulas.values() for name in names(formula)} | {f for a in near for f, _ in a.conditions}
    columns = columns_of(fields, wanted | (transfer_fields(mnemonic) if far else set()))
    rows = np.zeros((count, 11), np.int64)
    for access in near:
        rows[:, _WALK] += np.where(chosen(access, columns, count), access.steps, 1)
    for column, formula in formulas.items():
        rows[:, column] = evaluate_all(formula, columns)
    if _STEP not in formulas:
        rows[:, _STEP] = rows[:, _OCCUPANCY]
    return rows, transfers(mnemonic, columns, count, on_chip) if far else None
