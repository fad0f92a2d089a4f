"""Unification of a statement with an instruction's effect: which choices and scalars make the one the other.

A statement is a nest too; its fields are *parameters*, numbers that become known only when a program is written
(addresses, coordinates). What depends on loops is not compared here: such pairs of index forms are collected, and
``compiler.select`` solves them coefficient by coefficient.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tenon.acg.expr import Aff, Choose, Expr, Load, Lookup, Op, Reduce, Val

__all__ = ["Binding", "is_float", "unify"]


@dataclass(frozen=True)
class Binding:
    """What has been found: ``values`` of fields, ``forms`` of the effect, each beside the node of the statement (or the number)
    whose form it has to equal, ``reductions``, with the statement's or None where it has none, and which operand of the statement
    each of the effect's reads (and ``tables``) stands for.

    Reads of ``registers`` may stand for any expression of their type: ``cuts`` pairs such an expression of the statement with the read."""

    values: Mapping[str, object]
    forms: tuple[tuple[Expr | int, Aff], ...] = ()
    reductions: tuple[tuple[Reduce | None, Reduce], ...] = ()
    reads: tuple[tuple[Load, Load], ...] = ()
    tables: tuple[tuple[Lookup, Lookup], ...] = ()
    registers: frozenset[str] = frozenset()
    cuts: tuple[tuple[Expr, Load], ...] = ()

    def cut(self, ours: Expr, theirs: Load) -> Binding | None:
        """With a read of a register as what holds ``ours``; None if it holds something else already, or cannot."""
        for known, effect in self.cuts:
            if _alike(effect, theirs):
                return self if known is ours else None
        return replace(self, cuts=(*self.cuts, (ours, theirs))) if _holds(theirs.operand.element, ours) else None

    def bind(self, name: str, value: object) -> Binding | None:
        """With ``name`` bound, or None if it is already bound to something else."""
        if name in self.values:
            return self if _same(self.values[name], value) else None
        return replace(self, values={**self.values, name: value})

    def pair(self, ours: Expr | int, theirs: Aff) -> Binding:
        return replace(self, forms=(*self.forms, (ours, theirs)))

    def reduce(self, ours: Reduce | None, theirs: Reduce) -> Binding:
        return replace(self, reductions=(*self.reductions, (ours, theirs)))

    def read(self, ours: Load, theirs: Load) -> Binding | None:
        for known, effect in self.reads:
            if _alike(effect, theirs):
                if known is ours:
                    return self
                return self.pair(ours, theirs.address) if _alike(known, ours) else None  # alike in this statement, not in all of its kind
        return replace(self.pair(ours, theirs.address), reads=(*self.reads, (ours, theirs)))

    def look_up(self, ours: Lookup, theirs: Lookup) -> Binding:
        return replace(self.pair(ours, theirs.base), tables=(*self.tables, (ours, theirs)))


def _alike(a: Load, b: Load) -> bool:
    """Whether two reads are of one element."""
    return a is b or (a.operand == b.operand and a.address == b.address)


def _names(ours: str, theirs: str) -> bool:
    """Whether an operand may live in an effect's memory: in that one, or in any (``?`` and a name of its own)."""
    return ours == theirs or ours.startswith("?")


def _bits(value: float) -> bytes:
    return struct.pack("<f", value)


def _same(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return _bits(a) == _bits(b)
    return a == b


def unify(ours: Expr, theirs: Expr, b: Binding) -> Iterator[Binding]:
    """Every way to choose ``theirs`` (an effect) so that it computes ``ours``. The plainest come first."""
    if isinstance(theirs, Choose):
        chosen = b.values.get(theirs.field)
        for k, alternative in enumerate(theirs.alternatives):
            if chosen is None or chosen == k:
                yield from unify(ours, alternative, b.bind(theirs.field, k))
        return
    yield from _direct(ours, theirs, b)
    yield from _neutral(ours, theirs, b)


def _direct(ours: Expr, theirs: Expr, b: Binding) -> Iterator[Binding]:
    if isinstance(theirs, Val):
        yield from _value(ours, theirs, b)
    elif isinstance(theirs, Load) and theirs.operand.name in b.registers:
        bound = b.cut(ours, theirs)
        if bound:
            yield bound
    elif isinstance(theirs, Load):
        if isinstance(ours, Load) and ours.operand.element == theirs.operand.element:
            if _names(ours.operand.name, theirs.operand.name):
                bound = b.read(ours, theirs)
                if bound:
                    yield bound
    elif isinstance(theirs, Lookup):
        place = theirs.table.name in b.registers or isinstance(ours, Lookup) and _names(ours.table.name, theirs.table.name)
        if isinstance(ours, Lookup) and ours.table.element == theirs.table.element and place:
            yield from unify(ours.index, theirs.index, b.look_up(ours, theirs))
    elif isinstance(theirs, Reduce):
        if isinstance(ours, Reduce) and ours.op == theirs.op:
            yield from unify(ours.body, theirs.body, b.reduce(ours, theirs))
        elif not isinstance(ours, Reduce):
            yield from unify(ours, theirs.body, b.reduce(None, theirs))
    elif isinstance(ours, Op) and ours.name == theirs.name and len(ours.args) == len(theirs.args):
        yield from _all(ours.args, theirs.args, b)
        if theirs.name in ("add", "mul"):
            yield from _all(ours.args[::-1], theirs.args, b)


def _all(ours, theirs, b: Binding) -> Iterator[Binding]:
    if not ours:
        yield b
        return
    for bound in unify(ours[0], theirs[0], b):
        yield from _all(ours[1:], theirs[1:], bound)


def _value(ours: Expr, theirs: Val, b: Binding) -> Iterator[Binding]:
    if not isinstance(ours, Val) or ours.element != theirs.element:
        return
    if theirs.element == "f32":
        yield from _float(ours.value, theirs, b)
    else:
        yield b.pair(ours, Aff.of(theirs.value))


def _float(value, theirs: Val, b: Binding) -> Iterator[Binding]:
    if isinstance(theirs.value, Aff):
        (((_, name), _),) = theirs.value.terms
        bound = b.bind(name, value)
        if bound:
            yield bound
    elif not isinstance(value, Aff) and _bits(value) == _bits(theirs.value):
        yield b


def _neutral(ours: Expr, theirs: Expr, b: Binding) -> Iterator[Binding]:
    """Operations that do nothing with the right second operand."""
    if not isinstance(theirs, Op):
        return
    if theirs.name in ("add", "sub") and not is_float(theirs):
        yield from _with(ours, theirs.args[0], theirs.args[1], 0, b)
        if theirs.name == "add":
            yield from _with(ours, theirs.args[1], theirs.args[0], 0, b)
    elif theirs.name == "mul" and is_float(theirs):
        yield from _with(ours, theirs.args[0], theirs.args[1], 1.0, b)
    elif theirs.name == "fma" and isinstance(ours, Op):
        x, p, q = theirs.args
        if ours.name == "mul":
            for bound in _constant(q, -0.0, b):
                yield from _all(ours.args, (x, p), bound)
                yield from _all(ours.args[::-1], (x, p), bound)
        elif ours.name == "add":
            for bound in _constant(p, 1.0, b):
                yield from _all(ours.args, (x, q), bound)
                yield from _all(ours.args[::-1], (x, q), bound)
        elif b.registers:  # of queue machines' chains, whose slots pass a value on anyway, it would be one way more
            for one in _constant(p, 1.0, b):
                for bound in _constant(q, -0.0, one):
                    yield from unify(ours, x, bound)


def _with(ours: Expr, kept: Expr, dropped: Expr, neutral: float, b: Binding) -> Iterator[Binding]:
    for bound in _constant(dropped, neutral, b):
        yield from unify(ours, kept, bound)


def _constant(theirs: Expr, value: float, b: Binding) -> Iterator[Binding]:
    """Ways to make an effect's expression the constant ``value``."""
    if isinstance(theirs, Choose):
        chosen = b.values.get(theirs.field)
        for k, alternative in enumerate(theirs.alternatives):
            if chosen is None or chosen == k:
                yield from _constant(alternative, value, b.bind(theirs.field, k))
    elif isinstance(theirs, Load) and theirs.operand.name in b.registers:
        bound = b.cut(Val(value, "f32" if isinstance(value, float) else "i32"), theirs)
        if bound:
            yield bound
    elif isinstance(theirs, Val):
        if isinstance(value, float) and theirs.element == "f32":
            yield from _float(value, theirs, b)
        elif isinstance(value, int) and theirs.element == "i32":
            yield b.pair(value, Aff.of(theirs.value))


def _holds(element: str, ours: Expr) -> bool:
    """Whether a register's elements of this type can be what ``ours`` is."""
    if isinstance(ours, Load):
        return ours.operand.element == element
    if isinstance(ours, Val):
        number = ours.value
        if element == "f32" or ours.element == "f32":
            return element == ours.element
        return isinstance(number, int) and {"u8": 0, "i8": -128, "i32": -(1 << 31)}[element] <= number <= {
            "u8": 255, "i8": 127, "i32": (1 << 31) - 1}[element]
    if isinstance(ours, Op) and ours.name == "u8" or isinstance(ours, Lookup):
        return element == "u8"
    if isinstance(ours, Op) and ours.name in ("max", "min") and element in ("u8", "i8"):
        return all(_holds(element, arg) for arg in ours.args)
    return element == ("f32" if is_float(ours) else "i32")


def is_float(expr: Expr) -> bool:
    """Whether an expression is binary32, by its leftmost leaf or conversion."""
    while True:
        if isinstance(expr, Op) and expr.name in ("f32", "fma"):
            return True
        if isinstance(expr, Op) and expr.name in ("rne", "clamp", "u8"):
            return False
        if isinstance(expr, Val):
            return expr.element == "f32"
        if isinstance(expr, Load):
            return expr.operand.element == "f32"
        if isinstance(expr, Lookup):
            return expr.table.element == "f32"
        expr = expr.children[0]
