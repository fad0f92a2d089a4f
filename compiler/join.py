"""Joins layers: what the next one needs and nobody computes is fetched while the last one still works."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.compiler.hazards import Footprint, footprints
from tenon.compiler.instruction import Instruction

__all__ = ["joined"]

_FIXED = "CONSTANTS"  # the segment that nothing writes


def joined(before: Sequence[Instruction], after: Sequence[Instruction]) -> tuple[list[Instruction], int]:
    """Both in order, and how many instructions of ``after`` went into ``before``.

    Transfers of constants at the head of ``after`` move up to the last instruction of their own unit, as long as
    they pass nothing that touches the same bytes: executed in order, the program means the same.
    """
    head = 0
    while head < len(after) and _brings_constants(after[head]):
        head += 1
    place = len(before)
    if head and before:
        unit = after[0].mnemonic.unit
        wanted = [f for i in after[:head] for f in footprints(i)]
        while place and before[place - 1].mnemonic.unit != unit and not _meet(wanted, footprints(before[place - 1])):
            place -= 1
    moved = head if place < len(before) else 0
    return [*before[:place], *after[:moved], *before[place:], *after[moved:]], moved


def _brings_constants(instruction: Instruction) -> bool:
    return any(f.memory == _FIXED and not f.write for f in footprints(instruction))


def _meet(ours: list[Footprint], theirs: list[Footprint]) -> bool:
    return any(a.memory == b.memory and (a.write or b.write) and a.low <= b.high and b.low <= a.high
               for a in ours for b in theirs)
