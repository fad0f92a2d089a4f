"""Instruction selection: a statement over memories becomes the cheapest mnemonic whose effect it is, with its fields.

Byte addresses make words, packing and alignment plain arithmetic: a field is a stride divided by the constant that
multiplies it in the effect, and where that is no integer there is no match.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tenon.acg.expr import Aff, Load, Nest
from tenon.acg.mnemonic import EncodingError, Mnemonic
from tenon.compiler.unify import Binding, unify

__all__ = ["Route", "Template", "routes", "select"]

_MOST_BINDINGS = 24  # unifications tried for one statement and mnemonic


@dataclass(frozen=True)
class Template:
    """An instruction whose fields are known up to the statement's parameters.

    ``linear`` maps a field to an index form over parameters and the unit it counts in.
    """

    mnemonic: Mnemonic
    fields: Mapping[str, object]
    linear: Mapping[str, tuple[Aff, int]]

    def at(self, **parameters: int | float) -> dict[str, object]:
        """Fields for the given parameters.

        Raises
        ------
        ValueError
            If an address is no multiple of the field's unit.
        """
        fields = dict(self.fields)
        for name, (form, unit) in self.linear.items():
            total = 0
            for (_, parameter), factor in form.terms:
                total += factor * (parameters[parameter] if parameter else 1)
            if unit != 1:
                total, rest = divmod(total, unit)
                if rest:
                    raise ValueError(f"{self.mnemonic.name}.{name} must count units of {unit} bytes")
            fields[name] = total
        return fields


@dataclass(frozen=True)
class Route:
    """Where a statement's operands may live: ``memory`` of each (by the name after ``?``), and the loops that fill
    lanes, each with the lanes' extent."""

    mnemonic: Mnemonic
    memory: Mapping[str, str]
    lanes: Mapping[str, int]


@dataclass(frozen=True)
class _Level:
    """A loop of the statement: steps, coefficient in each pair of forms, and which reduction it belongs to (-1: none)."""

    extent: int
    steps: tuple[int, ...]
    group: int


def select(mnemonics: Sequence[Mnemonic], statement: Nest, memory_bytes: Mapping[str, int] | None = None) -> Template | None:
    """The cheapest instruction that does exactly ``statement``, or None.

    Loops of the statement have constant extents; its operands are named by memory, with byte addresses.
    """
    best: tuple[int, Template] | None = None
    for mnemonic in mnemonics:
        for binding in itertools.islice(_bindings(statement, mnemonic), _MOST_BINDINGS):
            found = _solve(statement, mnemonic, binding)
            if found and (best is None or found[0] < best[0]):
                best = found
    return best[1] if best else None


def routes(mnemonics: Sequence[Mnemonic], statement: Nest) -> Iterator[Route]:
    """Each mnemonic that computes ``statement`` with its operands placed suitably (memories named ``?operand``).

    A loop fills lanes if it indexes the same operands and is reduced alike; of several, the innermost.
    """
    for mnemonic in mnemonics:
        for binding in _bindings(statement, mnemonic):
            memory = {ours.operand.name[1:]: theirs.operand.name for ours, theirs in binding.reads}
            memory |= {ours.table.name[1:]: theirs.table.name for ours, theirs in binding.tables}
            groups = [(statement.loops, mnemonic.effect.loops)] + [(o, t) for o, t, _, _ in binding.reductions]
            lanes = {}
            for ours, theirs in groups:
                for lane in (l for l in theirs if isinstance(l.extent, int)):
                    used = [lane.name in t.address.loops for _, t in binding.reads]
                    for loop in reversed(ours):
                        if [_indexed(o, loop.name) for o, _ in binding.reads] == used and loop.name not in lanes:
                            lanes[loop.name] = lane.extent
                            break
            yield Route(mnemonic, memory, lanes)
            break


def _indexed(load: Load, loop: str) -> bool:
    return any(loop in Aff.of(i).loops for i in load.index)


def _bindings(statement: Nest, mnemonic: Mnemonic) -> Iterator[Binding]:
    for bound in unify(statement.destination, mnemonic.effect.destination, Binding({})):
        yield from unify(statement.expr, mnemonic.effect.expr, bound)


def _solve(statement: Nest, mnemonic: Mnemonic, binding: Binding) -> tuple[int, Template] | None:
    groups = [(statement.loops, mnemonic.effect.loops, "", True), *binding.reductions]
    levels: list[_Level] = []
    for g, (ours, _, op, _) in enumerate(groups):
        own = [_Level(l.extent, tuple(_step(o, l.name) for o, _ in binding.forms), g) for l in ours if l.extent > 1]
        levels += _fused([l for l in own if any(l.steps) or g], ordered=op == "add")  # binary32 sums keep their order
    slots = [(loop, g, tuple(t.coefficient(loop.name) for _, t in binding.forms))
             for g, (_, theirs, _, _) in enumerate(groups) for loop in theirs]

    # Lanes take what steps exactly as they do; what is left of the loop goes on as a level.
    for loop, g, forms in slots:
        if isinstance(loop.extent, int) and loop.extent > 1:
            wanted = _constants(forms)
            if g and not groups[g][3]:
                return None  # the effect sums over lanes, the statement does not
            for k, level in enumerate(levels):
                if level.group == g and level.steps == wanted and level.extent % loop.extent == 0:
                    rest = _Level(level.extent // loop.extent, tuple(s * loop.extent for s in wanted), g)
                    levels[k:k + 1] = [rest] if rest.extent > 1 else []
                    break
            else:
                return None
    free = [(loop, g, forms) for loop, g, forms in slots if isinstance(loop.extent, str)]
    best = None
    for variant in _variants(levels, mnemonic, any(l.group for l in levels)):
        found = _assign(variant, free, mnemonic, binding)
        if found and (best is None or found[0] < best[0]):
            best = found
    return best


def _step(form: Aff, loop: str) -> int:
    coefficient = form.coefficient(loop)
    if coefficient.loops or any(f for (_, f), _ in coefficient.terms):
        raise ValueError(f"a statement's step along {loop} must be a number, not {coefficient}")
    return coefficient.bind({}).get("", 0)


def _constants(forms: Sequence[Aff]) -> tuple[int, ...]:
    return tuple(f.bind({}).get("", 0) if not any(n for (_, n), _ in f.terms) else -1 for f in forms)


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


def _variants(levels: list[_Level], mnemonic: Mnemonic, reduced: bool) -> Iterator[list[_Level]]:
    """The loops as they are, with too long ones split; and, under a rule on extents, with one loop split in two."""
    most = max(f.high for f in mnemonic.fields if f.low == 1)
    whole = []
    for l in levels:
        inner = next(d for d in range(min(l.extent, most), 0, -1) if l.extent % d == 0)
        if inner < l.extent:
            whole.append(_Level(l.extent // inner, tuple(s * inner for s in l.steps), l.group))
        whole.append(_Level(inner, l.steps, l.group))
    yield whole
    if mnemonic.rules_extents and reduced:
        for k, l in enumerate(whole):
            for inner in (d for d in range(2, min(l.extent, 65)) if l.extent % d == 0):
                parts = [_Level(l.extent // inner, tuple(s * inner for s in l.steps), l.group), _Level(inner, l.steps, l.group)]
                yield [*whole[:k], *parts, *whole[k + 1:]]


def _assign(levels: list[_Level], free, mnemonic: Mnemonic, binding: Binding) -> tuple[int, Template] | None:
    """Gives every loop a level of the instruction, at the least cost; in their own order where it does not matter."""
    best = None
    for places in _placements(levels, free):
        solved = _fields(levels, places, free, binding)
        if solved is None:
            continue
        fields, linear = solved
        try:
            full = mnemonic.complete(fields)
        except EncodingError:
            continue
        if mnemonic.violations(full, {}):
            continue
        cost = mnemonic.evaluate("occupancy", full) if "occupancy" in mnemonic.cost else 0
        if best is None or cost < best[0]:
            best = cost, Template(mnemonic, {k: full[k] for k in fields}, linear)
        if not mnemonic.rules_extents:
            break  # levels are alike: the first is as good as any
    return best


def _placements(levels: list[_Level], free) -> Iterator[tuple[int, ...]]:
    """Assignments of loops to levels, innermost to innermost first."""

    def fits(level: _Level, k: int) -> bool:
        _, g, forms = free[k]
        if g != level.group:
            return False
        for step, form in zip(level.steps, forms):
            if not form.terms:
                if step:
                    return False
            elif not any(f for (_, f), _ in form.terms) and form.bind({})[""] != step:
                return False
        return True

    options = [[k for k in range(len(free) - 1, -1, -1) if fits(l, k)] for l in levels]

    def place(i: int, used: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if i < 0:
            yield used
            return
        for k in options[i]:
            if k not in used and not (levels[i].group and any(
                    k > u for u, l in zip(used, levels[i + 1:]) if l.group == levels[i].group)):
                yield from place(i - 1, (k, *used))

    yield from itertools.islice(place(len(levels) - 1, ()), 200)


def _fields(levels, places, free, binding: Binding):
    """Fields of extents, strides and bases; None if one is no integer or would need two values."""
    fields: dict[str, object] = {}
    linear: dict[str, tuple[Aff, int]] = {}
    for name, value in binding.values.items():
        if isinstance(value, Aff):
            linear[name] = (value, 1)
        else:
            fields[name] = value

    def put(name: str, value: int) -> bool:
        return fields.setdefault(name, value) == value

    for k, (loop, _, _) in enumerate(free):
        extent = levels[places.index(k)].extent if k in places else 1
        if not put(loop.extent, extent):
            return None
    for pair, (ours, theirs) in enumerate(binding.forms):
        for k, (_, _, forms) in enumerate(free):
            step = levels[places.index(k)].steps[pair] if k in places else 0
            for (_, name), unit in forms[pair].terms:
                if name and (step % unit or not put(name, step // unit)):
                    return None
        base, known = ours.coefficient(""), {}
        terms = theirs.coefficient("").terms
        names = [(name, unit) for (_, name), unit in terms if name]
        if not names:
            if base.terms != theirs.coefficient("").terms:
                return None
            continue
        (name, unit), = names
        known = sum(unit for (_, n), unit in terms if not n)
        form = base - known
        if any(f for (_, f), _ in form.terms):
            linear[name] = (form, unit)
        else:
            value = form.bind({}).get("", 0)
            if value % unit or not put(name, value // unit):
                return None
    return fields, linear
