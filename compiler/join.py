"""Joins layers: what the next one needs and nobody computes is fetched while the last one still works."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.acg.graph import Graph, Role
from tenon.compiler.code import Code
from tenon.compiler.hazards import Footprint, footprints

__all__ = ["joined"]


def joined(graph: Graph, codes: Sequence[Code]) -> tuple[Code, list[int]]:
    """Layers in one sequence, and where each ends: what is fetched early stands before the last instructions of the layer before, and
    counts as its own.

    Transfers of constants at the head of a layer move up to the last instruction of their own unit, as long as
    they pass nothing that touches the same bytes: executed in order, the program means the same.
    """
    code, constants = Code.chained(codes), graph.segment(Role.CONSTANTS)  # the segment that nothing writes
    order = list(range(len(code)))
    ends: list[int] = []
    begin = 0
    for layer in codes:
        end, head = begin + len(layer), begin
        wanted: list[Footprint] = []
        while begin and head < end:
            found = footprints(code[head])
            if not any(f.memory == constants and not f.write for f in found):
                break
            wanted += found
            head += 1
        place = begin
        while wanted and place:
            last = order[place - 1]
            if code.unit(last) == code.unit(begin) or _meet(wanted, footprints(code[last])):
                break
            place -= 1
        if place < begin:
            order[place:head] = [*order[begin:head], *order[place:begin]]
            ends[-1] += head - begin
        ends.append(end - 1)
        begin = end
    return code.take(order), ends


def _meet(ours: list[Footprint], theirs: list[Footprint]) -> bool:
    return any(a.memory == b.memory and (a.write or b.write) and a.low <= b.high and b.low <= a.high
               for a in ours for b in theirs)
