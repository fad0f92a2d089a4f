"""Instruction selection: a statement over memories becomes the cheapest mnemonic whose effect it is, with its fields.

Byte addresses make words, packing and alignment plain arithmetic: a field is a stride divided by the constant that
multiplies it in the effect, and where that is no integer there is no match.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tenon.acg.expr import Aff, Expr, Load, Lookup, Loop, Nest, walk
from tenon.acg.field import Field
from tenon.acg.formula import evaluate, names
from tenon.acg.mnemonic import EncodingError, Mnemonic
from tenon.compiler.unify import Binding, is_float, unify

__all__ = ["Pattern", "Route", "Template", "patterns_of", "routes", "select"]

_MOST_BINDINGS = 24  # unifications tried for one statement and mnemonic


@dataclass(frozen=True)
class Template:
    """An instruction whose fields are known up to the statement's parameters.

    ``fields`` are complete; ``linear`` has those that parameters decide: parameters ("": the number 1) and what multiplies them
    in the sum, and the unit it counts in.
    """

    mnemonic: Mnemonic
    fields: Mapping[str, object]
    linear: Mapping[str, tuple[tuple[tuple[str, int], ...], int]]

    @cached_property
    def _forms(self) -> list[tuple[Field, tuple[tuple[str, int], ...], int]]:
        return [(self.mnemonic.field(name), terms, unit) for name, (terms, unit) in self.linear.items()]

    def at(self, **parameters: int | float) -> dict[str, object]:
        """Complete fields for the given parameters.

        Raises
        ------
        ValueError
            If an address is no multiple of the field's unit.
        EncodingError
            If a field cannot have its value.
        """
        fields = dict(self.fields)
        for field, terms, unit in self._forms:
            total = 0
            for parameter, factor in terms:
                total += factor * (parameters[parameter] if parameter else 1)
            if unit != 1:
                total, rest = divmod(total, unit)
                if rest:
                    raise ValueError(f"{self.mnemonic.name}.{field.name} must count units of {unit} bytes")
            fields[field.name] = field.check(total, self.mnemonic.name)
        return fields


@dataclass(frozen=True)
class Route:
    """Where a statement's operands may live: ``memory`` of each (by the name after ``?``), and the loops that fill
    lanes, each with the lanes' extent."""

    mnemonic: Mnemonic
    memory: Mapping[str, str]
    lanes: Mapping[str, int]


def routes(mnemonics: Sequence[Mnemonic], statement: Nest) -> Iterator[Route]:
    """Each mnemonic that computes ``statement`` with its operands placed suitably (memories named ``?operand``).

    A loop fills lanes if it indexes the same operands and is reduced alike; of several, the innermost, where lanes lie closest.
    """
    for mnemonic in mnemonics:
        for binding in _bindings(statement, mnemonic):
            memory = {ours.operand.name[1:]: theirs.operand.name for ours, theirs in binding.reads}
            memory |= {ours.table.name[1:]: theirs.table.name for ours, theirs in binding.tables}
            groups = [(statement.loops, mnemonic.effect.loops)]
            groups += [(ours.loops if ours else (), theirs.loops) for ours, theirs in binding.reductions]
            lanes = {}
            for ours, theirs in groups:
                for lane in sorted((l for l in theirs if isinstance(l.extent, int)), key=lambda l: _step_along(l.name, binding)):
                    used = [lane.name in t.address.loops for _, t in binding.reads]
                    for loop in reversed(ours):
                        if [_indexed(o, loop.name) for o, _ in binding.reads] == used and loop.name not in lanes:
                            lanes[loop.name] = lane.extent
                            break
            yield Route(mnemonic, memory, lanes)
            break


def _step_along(lane: str, binding: Binding) -> int:
    """Bytes between neighbours in a lane, where they are closest."""
    return min((abs(step) for _, read in binding.reads if (step := _constant(read.address.coefficient(lane)))), default=0)


def _indexed(load: Load, loop: str) -> bool:
    return any(loop in Aff.of(i).loops for i in load.index)


def _bindings(statement: Nest, mnemonic: Mnemonic) -> Iterator[Binding]:
    for bound in unify(statement.destination, mnemonic.effect.destination, Binding({})):
        yield from unify(statement.expr, mnemonic.effect.expr, bound)


def select(patterns: Sequence[Pattern], statement: Nest) -> Template | None:
    """The cheapest instruction that does exactly ``statement``, or None.

    Loops of the statement have constant extents; its operands are named by memory, with byte addresses. ``patterns`` are its own
    or those of a statement that differs in numbers alone: extents, and what multiplies a loop or stands alone in an index.
    """
    numbers = _Numbers(statement)
    best: tuple[int, Template] | None = None
    for pattern in patterns:
        found = pattern.solve(numbers)
        if found and (best is None or found[0] < best[0]):
            best = found
    return best[1] if best else None


def patterns_of(mnemonics: Sequence[Mnemonic], statement: Nest) -> list[Pattern]:
    """Every way in which one of ``mnemonics`` may do ``statement``, and statements like it, the numbers permitting."""
    place = {id(node): number for number, node in reversed(list(enumerate(_nodes(statement))))}
    return [Pattern(mnemonic, binding, place) for mnemonic in mnemonics
            for binding in itertools.islice(_bindings(statement, mnemonic), _MOST_BINDINGS)]


def _nodes(statement: Nest) -> list[Expr]:
    return [*walk(statement.destination), *walk(statement.expr)]


class _Numbers:
    """A statement's numbers: of each node's index form the step along each loop, and what no loop multiplies, by parameter."""

    def __init__(self, statement: Nest):
        self.loops, self.nodes = statement.loops, _nodes(statement)
        self.forms: dict[int, tuple[dict[str, int], dict[str, int]]] = {}

    def form(self, place: int | None, number: int) -> tuple[dict[str, int], dict[str, int]]:
        """Of a node by its place, or of a number."""
        if place is None:
            return {}, {"": number}
        if place not in self.forms:
            steps, rest = {}, {}
            for (loop, parameter), factor in _form_of(self.nodes[place]).terms:
                if loop and parameter:
                    raise ValueError(f"a statement's step along {loop} must be a number, not {factor}*{parameter}")
                (steps if loop else rest)[loop or parameter] = factor
            self.forms[place] = steps, rest
        return self.forms[place]


def _form_of(node: Expr) -> Aff:
    if isinstance(node, Load):
        return node.address
    return Aff.of(node.base if isinstance(node, Lookup) else node.value)


@dataclass(frozen=True)
class _Level:
    """A loop of the statement: steps, coefficient in each pair of forms, and which reduction it belongs to (0: none)."""

    extent: int
    steps: tuple[int, ...]
    group: int


@dataclass(frozen=True)
class _Group:
    """Loops of an effect that belong together: those of a reduction, or of none."""

    place: int | None  # of the statement's reduction, if it has one
    loops: tuple[Loop, ...]
    op: str


class Pattern:
    """A way in which a mnemonic may do statements of one kind, all but their numbers.

    Nodes of the statement are known by their place in it.
    """

    def __init__(self, mnemonic: Mnemonic, binding: Binding, place: Mapping[int, int]):
        self.mnemonic = mnemonic
        self.linear = {name: (tuple((parameter, factor) for (_, parameter), factor in value.terms), 1)
                       for name, value in binding.values.items() if isinstance(value, Aff)}
        self.values = {name: value for name, value in binding.values.items() if name not in self.linear}
        self.groups = [_Group(None, mnemonic.effect.loops, "")]
        self.groups += [_Group(place[id(ours)] if ours else None, theirs.loops, theirs.op) for ours, theirs in binding.reductions]
        self.sources = [(None, ours) if isinstance(ours, int) else (place[id(ours)], 0) for ours, _ in binding.forms]
        forms = [theirs for _, theirs in binding.forms]
        slots = [(loop, g, [form.coefficient(loop.name) for form in forms]) for g, group in enumerate(self.groups)
                 for loop in group.loops]
        self.lanes = [(loop.extent, g, tuple(_constant(c) for c in coefficients)) for loop, g, coefficients in slots
                      if isinstance(loop.extent, int) and loop.extent > 1]
        # Of each level its extent's field, its group, and of each form the step: a number, or the field and its unit.
        self.free = [(loop.extent, g, [_step(c) for c in coefficients]) for loop, g, coefficients in slots
                     if isinstance(loop.extent, str)]
        self.bases = [_base(form) for form in forms]
        # Sums of binary32 numbers keep their order, which lanes have none of.
        self.unordered = any(theirs.op == "add" and is_float(theirs.body) and
                             any(isinstance(l.extent, int) and l.extent > 1 for l in theirs.loops) for _, theirs in binding.reductions)
        self.most = max((f.high for f in mnemonic.fields if f.name in mnemonic.extents), default=1)

    def solve(self, numbers: _Numbers) -> tuple[int, Template] | None:
        """The cheapest template, and its cost in cycles; None if the numbers do not permit any."""
        if self.unordered:
            return None
        forms = [numbers.form(*source) for source in self.sources]
        levels: list[_Level] = []
        for g, group in enumerate(self.groups):
            loops = numbers.loops if g == 0 else () if group.place is None else numbers.nodes[group.place].loops
            own = [_Level(l.extent, tuple(steps.get(l.name, 0) for steps, _ in forms), g) for l in loops if l.extent > 1]
            levels += _fused([l for l in own if any(l.steps) or g], ordered=group.op == "add")  # binary32 sums keep their order

        # Lanes take what steps exactly as they do; what is left of the loop goes on as a level.
        for extent, g, wanted in self.lanes:
            if g and self.groups[g].place is None:
                return None  # the effect sums over lanes, the statement does not
            for k, level in enumerate(levels):
                if level.group == g and level.steps == wanted and level.extent % extent == 0:
                    rest = _Level(level.extent // extent, tuple(s * extent for s in wanted), g)
                    levels[k:k + 1] = [rest] if rest.extent > 1 else []
                    break
            else:
                return None
        best = None
        for variant in self._variants(levels):
            found = self._assign(variant, forms)
            if found and (best is None or found[0] < best[0]):
                best = found
        return best

    def _variants(self, levels: list[_Level]) -> Iterator[list[_Level]]:
        """The loops as they are, with too long ones split; and, under a rule on extents, with one loop split in two."""
        whole = []
        for l in levels:
            inner = l.extent if l.extent <= self.most else next(d for d in range(self.most, 0, -1) if l.extent % d == 0)
            if inner < l.extent:
                whole.append(_Level(l.extent // inner, tuple(s * inner for s in l.steps), l.group))
            whole.append(_Level(inner, l.steps, l.group))
        yield whole
        if self.mnemonic.rules_extents and any(l.group for l in levels):
            for k, l in enumerate(whole):
                for inner in (d for d in range(2, min(l.extent, 65)) if l.extent % d == 0):
                    parts = [_Level(l.extent // inner, tuple(s * inner for s in l.steps), l.group), _Level(inner, l.steps, l.group)]
                    yield [*whole[:k], *parts, *whole[k + 1:]]

    def _assign(self, levels: list[_Level], forms) -> tuple[int, Template] | None:
        """Gives every loop a level of the instruction, at the least cost; in their own order where it does not matter."""
        best, mnemonic = None, self.mnemonic
        for places in self._placements(levels):
            solved = self._fields(levels, places, forms)
            if solved is None:
                continue
            fields, linear = solved
            try:
                full = mnemonic.complete(fields)
            except EncodingError:
                continue
            if any(not evaluate(rule, full) for rule in mnemonic.rules if not names(rule) & linear.keys()):
                continue  # rules on addresses are for when those are known
            cost = mnemonic.timing.cycles("occupancy", full)
            if best is None or cost < best[0]:
                best = cost, Template(mnemonic, full, linear)
            if not mnemonic.rules_extents:
                break  # levels are alike: the first is as good as any
        return best

    def _placements(self, levels: list[_Level]) -> Iterator[tuple[int, ...]]:
        """Assignments of loops to levels, innermost to innermost first."""

        def fits(level: _Level, k: int) -> bool:
            _, g, steps = self.free[k]
            return g == level.group and all(isinstance(theirs, tuple) or ours == theirs for ours, theirs in zip(level.steps, steps))

        options = [[k for k in range(len(self.free) - 1, -1, -1) if fits(l, k)] for l in levels]

        def place(i: int, used: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
            if i < 0:
                yield used
                return
            for k in options[i]:
                if k not in used and not (levels[i].group and any(
                        k > u for u, l in zip(used, levels[i + 1:]) if l.group == levels[i].group)):
                    yield from place(i - 1, (k, *used))

        yield from itertools.islice(place(len(levels) - 1, ()), 200)

    def _fields(self, levels: list[_Level], places: tuple[int, ...], forms):
        """Fields of extents, strides and bases; None if one is no integer or would need two values."""
        fields, linear = dict(self.values), dict(self.linear)

        def put(name: str, value: int) -> bool:
            return name not in linear and fields.setdefault(name, value) == value

        for k, (extent, _, steps) in enumerate(self.free):
            level = levels[places.index(k)] if k in places else None
            if not put(extent, level.extent if level else 1):
                return None
            for pair, field in enumerate(steps):
                if isinstance(field, tuple):
                    for name, unit in field:
                        step = level.steps[pair] if level else 0
                        if step % unit or not put(name, step // unit):
                            return None
        for (_, ours), (fixed, name, unit) in zip(forms, self.bases):
            number = ours.get("", 0) - fixed
            parametric = len(ours) > ("" in ours)
            if not name:
                if number or parametric:
                    return None
            elif parametric:
                terms = tuple((parameter, factor) for parameter, factor in ours.items() if parameter)
                form = (*terms, *([("", number)] if number else [])), unit
                if name in fields or linear.setdefault(name, form) != form:
                    return None
            elif number % unit or not put(name, number // unit):
                return None
        return fields, linear


def _base(form: Aff) -> tuple[int, str, int]:
    """What an effect's form is where no loop steps: a number, and a field (or none) in its unit."""
    fixed, fields = 0, []
    for (_, name), unit in form.coefficient("").terms:
        if name:
            fields.append((name, unit))
        else:
            fixed = unit
    ((name, unit),) = fields or [("", 1)]
    return fixed, name, unit


def _constant(coefficient: Aff) -> int:
    """A coefficient that is a number; -1, which no step of a statement's lane is, if it is none."""
    return coefficient.bind({}).get("", 0) if not any(n for (_, n), _ in coefficient.terms) else -1


def _step(coefficient: Aff) -> int | tuple[tuple[str, int], ...]:
    """What multiplies a level in a form: a number, or fields and their units."""
    fields = tuple((name, unit) for (_, name), unit in coefficient.terms if name)
    return fields or coefficient.bind({}).get("", 0)


def _fused(levels: list[_Level], *, ordered: bool) -> list[_Level]:
    """Loops that step on where another one ends become one with it."""
    again = True
    while again:
        again = False
        pairs = [(i, i + 1) for i in range(len(levels) - 1)] if ordered else itertools.permutations(range(len(levels)), 2)
        for outer, inner in pairs:
            a, b = levels[outer], levels[inner]
            if all(x == y * b.extent for x, y in zip(a.steps, b.steps)):
                levels[inner] = _Level(a.extent * b.extent, b.steps, b.group)
                del levels[outer]
                again = True
                break
    return levels
