"""What instructions read and write, as byte ranges, and which earlier instructions they therefore depend on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tenon.acg.graph import Graph
from tenon.acg.mnemonic import accesses
from tenon.compiler.instruction import Instruction

__all__ = ["Dependence", "Footprint", "dependences", "footprints"]


@dataclass(frozen=True)
class Footprint:
    """Bytes ``low..high`` (inclusive) of a memory or DRAM segment."""

    memory: str
    low: int
    high: int
    write: bool


@dataclass(frozen=True)
class Dependence:
    """``consumer`` may only begin after ``producer`` has read its operands (``release``) or shows its results (``done``)."""

    producer: int
    consumer: int
    kind: str


def footprints(instruction: Instruction) -> list[Footprint]:
    """Everything that an instruction reads and writes; of guarded reads, the whole box."""
    return [Footprint(a.memory, *a.corners(instruction.fields), a.write)
            for a in accesses(instruction.mnemonic) if a.chosen(instruction.fields)]


class _Ranges:
    """Accesses of one memory that later ones may still have to wait for: first byte, last byte, instruction, unit."""

    def __init__(self) -> None:
        self.table = np.empty((64, 4), np.int64)
        self.count = 0

    def meeting(self, low: int, high: int) -> np.ndarray:
        live = self.table[:self.count]
        return live[(live[:, 0] <= high) & (live[:, 1] >= low)]

    def drop_inside(self, low: int, high: int, unit: int | None = None) -> None:
        """Forgets ranges that lie within ``low..high``, of one unit or of all."""
        live = self.table[:self.count]
        inside = (live[:, 0] >= low) & (live[:, 1] <= high)
        if unit is not None:
            inside &= live[:, 3] == unit
        if inside.any():
            kept = live[~inside]
            self.table[:len(kept)] = kept
            self.count = len(kept)

    def add(self, low: int, high: int, instruction: int, unit: int) -> None:
        if self.count == len(self.table):
            self.table = np.concatenate([self.table, np.empty_like(self.table)])
        self.table[self.count] = low, high, instruction, unit
        self.count += 1


def dependences(graph: Graph, instructions: Sequence[Instruction]) -> Iterator[Dependence]:
    """Direct dependences, consumers in order, between different units and within one where it is not ordered.

    Instructions of one unit begin, read and finish in order; so only a result that a later instruction of the same
    unit reads needs a dependence, and not in the memories that the unit keeps in order itself. What others imply
    (a range inside one that is written or read later) is left out.
    """
    ordered = {u.name: set(u.ordered) for u in graph.units}
    index = {u.name: i for i, u in enumerate(graph.units)}
    prints = [footprints(i) for i in instructions]
    written = {f.memory for ps in prints for f in ps if f.write}
    writes: dict[str, _Ranges] = {m: _Ranges() for m in written}
    reads: dict[str, _Ranges] = {m: _Ranges() for m in written}
    for k, instruction in enumerate(instructions):
        name = instruction.mnemonic.unit
        unit = index[name]
        changing = [f for f in prints[k] if f.memory in written]
        wanted: set[tuple[int, str]] = set()
        for f in changing:
            own = not f.write and f.memory not in ordered[name]
            for _, _, j, u in writes[f.memory].meeting(f.low, f.high):
                if u != unit or own:
                    wanted.add((int(j), "done"))
            if f.write:
                wanted |= {(int(j), "release") for _, _, j, u in reads[f.memory].meeting(f.low, f.high) if u != unit}
        for f in changing:
            if f.write:
                writes[f.memory].drop_inside(f.low, f.high)
                reads[f.memory].drop_inside(f.low, f.high)
            else:
                reads[f.memory].drop_inside(f.low, f.high, unit)
        for f in changing:
            (writes if f.write else reads)[f.memory].add(f.low, f.high, k, unit)
        for j, kind in sorted(wanted):
            yield Dependence(j, k, kind)
