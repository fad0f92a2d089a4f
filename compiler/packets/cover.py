"""Covers: an expression as a tree of instructions over registers, at the least cost.

An instruction's read of a register may stand for any subexpression of its type (``unify.Binding.cuts``): a value of another instruction,
an element of memory, or a number. A reduction that goes on over more steps than an instruction has goes on in its register.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from tenon.acg.access import ELEMENT_BYTES
from tenon.acg.expr import Aff, Choose, Expr, Load, Lookup, Op, Reduce, Val, walk
from tenon.acg.graph import Graph, Kind
from tenon.acg.mnemonic import Mnemonic
from tenon.compiler.packets.forms import base_of, steps_of
from tenon.compiler.unify import Binding, unify

__all__ = ["Cover", "Covers", "Step", "key"]

_MOST_BINDINGS = 16
_NUMBER_COST = 0.001  # of a number in a register: between covers that are alike, one with fewer
_CHOSEN = dict[str, object]


@dataclass(frozen=True, eq=False)
class Cover:
    """What makes a value: an instruction's ``step``; or, if there is none, ``leaf``, an element of memory or a number."""

    leaf: Expr | None = None
    step: Step | None = None

    @property
    def steps(self) -> list[Step]:
        """Those that it takes, each behind what it reads."""
        if self.step is None:
            return []
        return [*(s for operand in self.step.operands.values() for s in operand.steps), self.step]


@dataclass(frozen=True, eq=False)
class Step:
    """One instruction. ``values``: its fields that are known, choices and numbers; ``operands``: by the field that names the register;
    ``result``: the field that names the register written. ``reductions``: of the statement, beside those of the effect, as
    ``tables`` are."""

    mnemonic: Mnemonic
    values: Mapping[str, object]
    operands: Mapping[str, Cover]
    reads: Mapping[str, Load]
    result: str
    target: Load
    reductions: tuple[tuple[Reduce, Reduce], ...]
    tables: tuple[tuple[Lookup, Lookup], ...]
    cost: float

    @property
    def folded(self) -> str | None:
        """The operand that a reduction goes on in: what the sum of it and the effect's reduction begins with."""
        expr = _plain(self.mnemonic.effect.expr, self.values)
        if self.reductions and isinstance(expr, Op) and expr.name == self.reductions[0][1].op:
            for name, read in self.reads.items():
                if any(read is arg for arg in expr.args):
                    return name
        return None


class Covers:
    """Covers of a statement's expressions, each found once. ``lane``: its loop that lanes take, all ``lanes`` of them."""

    def __init__(self, graph: Graph, lane: str, lanes: int):
        self.graph, self.lane, self.lanes = graph, lane, lanes
        self.registers = frozenset(m.name for m in graph.memories if m.kind is Kind.REGISTERS)
        outside = {m.name for m in graph.memories if m.kind is not Kind.REGISTERS} | set(graph.segment_names)
        # What computes reads registers alone, and writes one.
        self.mnemonics = [m for m in graph.mnemonics if not _memories(m) & outside and self._regular(m)]
        self._known: dict[tuple, tuple[float, Cover] | None] = {}

    def _regular(self, m: Mnemonic) -> bool:
        """Whether an instruction has as many lanes as results lie side by side, or all of a register's bytes, each at its own element."""
        if len(m.effect.loops) != 1:
            return False
        lane, = m.effect.loops
        for target, _ in _targets(m.effect.destination, {}):
            width = ELEMENT_BYTES[target.operand.element]
            whole = self.graph.memory(target.operand.name).word_bytes if width == 1 else self.lanes
            if lane.extent not in (self.lanes, whole) or steps_of(target).get(lane.name) != width:
                return False
        reads = [e for e in walk(m.effect.expr) if isinstance(e, Load)]
        return all(steps_of(e).get(lane.name, 0) in (0, ELEMENT_BYTES[e.operand.element]) for e in reads)

    def of(self, expr: Expr, element: str) -> tuple[float, Cover] | None:
        """The cheapest cover of a value of type ``element``, and what it costs: packets of its instructions; None if there is none."""
        if isinstance(expr, Load):
            return (0.0, Cover(expr)) if expr.operand.element == element else None
        if isinstance(expr, Val):
            return _NUMBER_COST, Cover(expr)
        at = key(expr), element
        if at not in self._known:
            self._known[at] = None  # not by way of itself
            found = [step for m in self.mnemonics for step in self._steps(m, expr, element)]
            self._known[at] = min(((s.cost, Cover(step=s)) for s in found), key=lambda pair: pair[0], default=None)
        return self._known[at]

    def _steps(self, m: Mnemonic, expr: Expr, element: str):
        for target, choice in _targets(m.effect.destination, {}):
            if target.operand.element != element:
                continue
            begin = Binding(dict(choice), registers=self.registers)
            for b in itertools.islice(unify(expr, m.effect.expr, begin), _MOST_BINDINGS):
                step = self._step(m, target, b)
                if step is not None:
                    yield step

    def _step(self, m: Mnemonic, target: Load, b: Binding) -> Step | None:
        values: _CHOSEN = {name: value for name, value in b.values.items() if not isinstance(value, Aff)}
        for ours, theirs in b.forms:  # numbers among an instruction's fields
            if isinstance(ours, Lookup):
                continue
            number = ours if isinstance(ours, int) else getattr(ours, "value", None)
            ((loop, name), factor), *more = theirs.terms or ((("", ""), 0),)
            if not isinstance(number, int) or more or loop or factor not in (0, 1) or not name and number:
                return None
            if name and values.setdefault(name, number) != number:
                return None
        operands, reads, cost = {}, {}, float(m.timing.cycles("occupancy", m.complete({})))
        for ours, theirs in b.cuts:
            name = base_of(theirs)
            if not _lanes(m, theirs) and self.lane in _loops(ours) or _lanes(m, theirs) and isinstance(ours, Val):
                return None  # one element for all lanes cannot hold what differs between them, and a number is one element
            found = self.of(ours, theirs.operand.element)
            if found is None or name in operands:
                return None
            operands[name], reads[name] = found[1], theirs
            cost += found[0]
        reductions = tuple((ours, theirs) for ours, theirs in b.reductions if ours is not None)
        if len(reductions) < len(b.reductions):
            return None
        fields = {f.name: f for f in m.fields}
        if any(name not in fields or not fields[name].low <= value <= fields[name].high for name, value in values.items()):
            return None
        return Step(m, values, operands, reads, base_of(target), target, reductions, b.tables, cost)


def _loops(expr: Expr) -> set[str]:
    """Loops that an expression's reads step along."""
    return {loop for e in walk(expr) if isinstance(e, Load) for loop in e.address.loops}


def _lanes(m: Mnemonic, read: Load) -> bool:
    """Whether lanes of an instruction read different elements of a register."""
    own = {loop.name for loop in m.effect.loops}
    return any(loop in own for loop in read.address.loops)


def _targets(destination: Expr, choice: Mapping[str, int]):
    """Each place that an effect may write, and the choice that leads there."""
    if isinstance(destination, Choose):
        for k, alternative in enumerate(destination.alternatives):
            yield from _targets(alternative, {**choice, destination.field: k})
    else:
        yield destination, choice


def _memories(m: Mnemonic) -> set[str]:
    return {e.operand.name if isinstance(e, Load) else e.table.name for top in (m.effect.destination, m.effect.expr) for e in walk(top)
            if isinstance(e, Load) or hasattr(e, "table")}


def _plain(expr: Expr, values: Mapping[str, object]) -> Expr:
    while isinstance(expr, Choose):
        expr = expr.alternatives[int(values[expr.field])]
    return expr


def key(expr: Expr) -> tuple:
    """Equal for expressions that are alike."""
    if isinstance(expr, Val):
        return "val", expr.element, repr(expr.value)
    if isinstance(expr, Load):
        return "load", expr.operand.name, expr.operand.element, expr.address
    own = getattr(expr, "name", None) or getattr(expr, "op", None) or getattr(expr, "field", None)
    loops = getattr(expr, "loops", ())
    return type(expr).__name__, own, loops, str(getattr(expr, "base", "")), *map(key, expr.children)
