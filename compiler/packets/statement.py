"""Statements in the words of machines with packets: one for each result, over bytes where an operator's own terms are of numbers."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import replace

from tenon.acg.expr import Aff, Expr, Load, Nest, Op, Reduce, Val, remade
from tenon.compiler.unify import is_float

__all__ = ["canonical", "raw", "unrolled", "whole"]

_MOST_TERMS = 128
_RANGES = {"u8": (0, 255), "i8": (-128, 127)}


def whole(start: Nest, finish: Nest) -> Nest:
    """``finish``, which reads what ``start`` writes, with that value in the place of the read: they have the same loops."""
    def visit(e: Expr) -> Expr:
        return start.expr if isinstance(e, Load) and e.operand.name == start.destination.operand.name else remade(e, visit)

    return Nest(finish.loops, finish.destination, visit(finish.expr))


def canonical(expr: Expr) -> Expr:
    """An equal expression in the words of machines that have bytes as numbers.

    ``f32(x - k) = f32(x) + -k`` of a byte, exactly; the largest of bytes' numbers is the number of the largest byte; and a byte that is
    rounded to a byte is itself.
    """
    def rebuilt(e: Expr, visit: Callable[[Expr], Expr]) -> Expr:
        if isinstance(e, Op) and e.name == "f32" and isinstance(e.args[0], Op) and e.args[0].name == "sub":
            x, k = e.args[0].args
            if _byte(x) and isinstance(k, Val) and isinstance(k.value, int):
                return Op("add", (Op("f32", (x,)), Val(float(-k.value), "f32"))) if k.value else Op("f32", (x,))
        e = remade(e, visit)
        if isinstance(e, Reduce) and e.op in ("max", "min") and isinstance(e.body, Op) and e.body.name == "f32" and _byte(e.body.args[0]):
            return Op("f32", (Reduce(e.op, e.loops, e.body.args[0]),))
        byte, kind = raw(e, "u8")
        if kind == "u8":
            return byte
        return Load(replace(byte.operand, element="u8"), byte.index) if isinstance(byte, Load) else e

    return _everywhere(expr, rebuilt)


def raw(expr: Expr, element: str) -> tuple[Expr, str]:
    """Without a rounding that leaves a byte as it is: the byte itself, and its type."""
    if isinstance(expr, Op) and expr.name == "u8" and element == "u8" and isinstance(expr.args[0], Op) and expr.args[0].name == "clamp":
        value, low, high = expr.args[0].args
        if isinstance(value, Op) and value.name == "rne" and isinstance(value.args[0], Op) and value.args[0].name == "f32":
            byte, bounds = value.args[0].args[0], (getattr(low, "value", None), getattr(high, "value", None))
            kind = _byte(byte)
            if kind and all(isinstance(b, int) for b in bounds) and bounds[0] <= _RANGES[kind][0] and bounds[1] >= _RANGES[kind][1]:
                return byte, kind
    return expr, element


def unrolled(expr: Expr) -> Expr:
    """Reductions of few terms that no instruction makes as operations on the terms: to the largest or the least, and sums of binary32.

    Those are in the order of the loops, as ``Reduce`` says; the others in an order with short ways from any term to the result.
    """
    def rebuilt(e: Expr, visit: Callable[[Expr], Expr]) -> Expr:
        e = remade(e, visit)
        ordered = isinstance(e, Reduce) and e.op == "add" and is_float(e.body)
        if not ordered and not (isinstance(e, Reduce) and e.op in ("max", "min")):
            return e
        if math.prod(loop.extent for loop in e.loops) > _MOST_TERMS:
            return e
        names = [loop.name for loop in e.loops]
        terms = [_at(e.body, dict(zip(names, point))) for point in itertools.product(*(range(loop.extent) for loop in e.loops))]
        if ordered:
            return functools.reduce(lambda total, term: Op("add", (total, term)), terms)
        while len(terms) > 1:
            terms = [Op(e.op, tuple(terms[k:k + 2])) if k + 1 < len(terms) else terms[k] for k in range(0, len(terms), 2)]
        return terms[0]

    return _everywhere(expr, rebuilt)


def _everywhere(expr: Expr, rebuilt: Callable[[Expr, Callable[[Expr], Expr]], Expr]) -> Expr:
    """``rebuilt`` of every node, once each."""
    known: dict[int, tuple[Expr, Expr]] = {}

    def visit(e: Expr) -> Expr:
        if id(e) not in known:
            known[id(e)] = e, rebuilt(e, visit)
        return known[id(e)][1]

    return visit(expr)


def _at(expr: Expr, point: dict[str, int]) -> Expr:
    """An expression at one step of some loops."""
    def form(a: Aff) -> Aff:
        moved = sum(factor * point[loop] for (loop, name), factor in a.terms if loop in point and not name)
        return Aff(tuple((k, f) for k, f in a.terms if k[0] not in point)) + moved

    def rebuilt(e: Expr, visit: Callable[[Expr], Expr]) -> Expr:
        if isinstance(e, Load):
            return Load(e.operand, tuple(form(Aff.of(i)) for i in e.index))
        if isinstance(e, Val) and isinstance(e.value, Aff):
            return Val(form(e.value), e.element)
        return remade(e, visit)

    return _everywhere(expr, rebuilt)


def _byte(e: Expr) -> str | None:
    """The type of an expression whose values are bytes."""
    if isinstance(e, Load) and e.operand.element in _RANGES:
        return e.operand.element
    if isinstance(e, Op) and e.name in ("max", "min") or isinstance(e, Reduce) and e.op in ("max", "min"):
        kinds = {_byte(child) for child in e.children}
        return kinds.pop() if len(kinds) == 1 else None
    return None


