"""Engines that want the same bank of a memory: who is served first, and how long the others take then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tenon.acg.formula import evaluate
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import accesses
from tenon.acg.port_bytes import port_bytes_of
from tenon.acg.precedence import Precedence, precedence_of
from tenon.tb.functional import Instruction

__all__ = ["Ports", "Stream", "Use"]


@dataclass(frozen=True)
class Use:
    """What an instruction does at a kind of port: the banks that it uses, in how many cycles, how many pass before the first of them,
    and how far they are behind the issues that they belong to."""

    banks: frozenset[int]
    accesses: int
    begin: int
    lag: int


@dataclass
class Stream:
    """An instruction that computes: it issues from ``start`` on for ``work`` cycles, and longer where others are served before it."""

    instruction: Instruction
    path: Any
    start: int
    work: int
    uses: Mapping[Precedence, Use]
    end: int = field(init=False)

    def __post_init__(self) -> None:
        self.end = self.start + self.work

    @property
    def unit(self) -> str:
        return self.instruction.mnemonic.unit


class Ports:
    """Kinds of ports that engines which compute share: those of a memory for reading, or for writing."""

    def __init__(self, graph: Graph):
        self.graph, on_chip = graph, graph.memory_bytes
        moving = {m.unit for m in graph.mnemonics if any(a.memory not in on_chip for a in accesses(m))}
        self.kinds = [order for order in precedence_of(graph) if sum(unit not in moving for unit, _ in order.ports) > 1]
        self.moved = port_bytes_of(graph) if self.kinds else {}

    def uses(self, instruction: Instruction) -> dict[Precedence, Use]:
        """What ``instruction`` does at each kind of port.

        What its effect does not read, but hardware does, is what it writes: sums, from the second step of a reduction on. What is
        written, and what is read to be written anew, comes as late as results.
        """
        found, mnemonic, fields = {}, instruction.mnemonic, instruction.fields
        for kind in self.kinds:
            there = [a for a in accesses(mnemonic) if a.memory == kind.memory and a.chosen(fields)]
            if mnemonic.unit not in dict(kind.ports) or not there:
                continue
            direct = [a for a in there if a.write == kind.write]
            begin, count = 0, self._count(instruction, kind, kind.write)
            if not direct:
                work = mnemonic.timing.cycles("occupancy", fields)
                begin = work - work * count // max(1, self._count(instruction, kind, not kind.write))
            memory = self.graph.memory(kind.memory)
            corners = [a.corners(fields) for a in direct or there]
            size = memory.size // memory.banks
            banks = range(min(low for low, _ in corners) // size, max(high for _, high in corners) // size + 1)
            late = any(a.memory == kind.memory and a.write for a in accesses(mnemonic))
            if count:
                found[kind] = Use(frozenset(banks), count, begin, mnemonic.timing.cycles("visible", fields) if late else 0)
        return found

    def _count(self, instruction: Instruction, kind: Precedence, write: bool) -> int:
        size = dict(kind.ports)[instruction.mnemonic.unit]
        return sum(evaluate(p.formula, instruction.fields) // size for p in self.moved[instruction.mnemonic.name]
                   if (p.memory, p.write) == (kind.memory, write))

    def delayed(self, stream: Stream, before: Stream) -> int:
        """When ``stream`` ends if ``before`` is served first wherever it uses the same bank."""
        return max([stream.end, *(_behind(stream, stream.uses[kind], before, before.uses[kind])
                                  for kind in stream.uses.keys() & before.uses.keys()
                                  if _rank(kind.ports, before.unit) < _rank(kind.ports, stream.unit))])


def _behind(stream: Stream, mine: Use, before: Stream, its: Use) -> int:
    """Of the cycles that are left to it while both issue, ``stream`` needs as many as it has accesses."""
    until = before.end + its.lag - mine.lag
    begin = max(stream.start, before.start + its.begin + its.lag - mine.lag)
    if begin >= min(stream.end, until) or not mine.banks & its.banks:
        return stream.end
    work = before.work - its.begin
    part, whole = max(0, work - its.accesses) * stream.work, work * mine.accesses  # of its cycles, in which it goes on
    if part >= whole:
        return stream.end
    left, during = stream.end - begin, (until - begin) * part // whole
    return begin + -(-left * whole // part) if during >= left else until + left - during


def _rank(ports: Sequence[tuple[str, int]], unit: str) -> int:
    return [name for name, _ in ports].index(unit)
