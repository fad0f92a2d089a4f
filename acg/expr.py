"""The loop-nest language: index forms, expressions and nests, for instructions and operators alike.

An instruction's fields and an operator's symbolic dimensions are the same thing: integers that are bound
before a nest is executed. Addresses are flat byte addresses; a memory is a tensor with a fixed layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

__all__ = ["Aff", "Choose", "Expr", "Load", "Loop", "Lookup", "Nest", "Op", "Operand", "Reduce", "Val", "field", "remade", "walk"]


@dataclass(frozen=True)
class Aff:
    """Sum of ``coefficient * loop * field``, of degree at most 1 in loops and in fields: ``{(loop, field): int}``.

    An absent loop or field is the empty string. ``+``, ``-`` and ``*`` work as expected.

    Raises
    ------
    ValueError
        If a product has two loops or two fields.
    """

    terms: tuple[tuple[tuple[str, str], int], ...] = ()

    @staticmethod
    def of(value: Aff | Loop | int) -> Aff:
        if isinstance(value, Aff):
            return value
        if isinstance(value, Loop):
            return Aff((((value.name, ""), 1),))
        return Aff.build({("", ""): int(value)})

    @staticmethod
    def build(terms: Mapping[tuple[str, str], int]) -> Aff:
        return Aff(tuple(sorted((k, v) for k, v in terms.items() if v)))

    def __add__(self, other: Aff | Loop | int) -> Aff:
        terms = dict(self.terms)
        for key, value in Aff.of(other).terms:
            terms[key] = terms.get(key, 0) + value
        return Aff.build(terms)

    __radd__ = __add__

    def __neg__(self) -> Aff:
        return Aff.build({k: -v for k, v in self.terms})

    def __sub__(self, other: Aff | Loop | int) -> Aff:
        return self + -Aff.of(other)

    def __mul__(self, other: Aff | Loop | int) -> Aff:
        terms: dict[tuple[str, str], int] = {}
        for (l1, f1), v1 in self.terms:
            for (l2, f2), v2 in Aff.of(other).terms:
                if (l1 and l2) or (f1 and f2):
                    raise ValueError(f"{self} * {other} is not affine")
                key = (l1 or l2, f1 or f2)
                terms[key] = terms.get(key, 0) + v1 * v2
        return Aff.build(terms)

    __rmul__ = __mul__

    def bind(self, env: Mapping[str, int]) -> dict[str, int]:
        """Numeric coefficient of each loop (``""``: the constant), with fields taken from ``env``."""
        bound: dict[str, int] = {}
        for (l, f), v in self.terms:
            bound[l] = bound.get(l, 0) + v * (int(env[f]) if f else 1)
        return bound

    def coefficient(self, l: str) -> Aff:
        """What multiplies loop ``l`` (``""``: what multiplies no loop), as a form over fields."""
        return Aff.build({("", f): v for (name, f), v in self.terms if name == l})

    @property
    def loops(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(l for (l, _), _ in self.terms if l))

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        parts = []
        for (l, f), v in self.terms:
            factors = [*([str(v)] if v != 1 or not (l or f) else []), *([f] if f else []), *([l] if l else [])]
            parts.append("*".join(factors))
        return " + ".join(parts)


def field(name: str) -> Aff:
    """A field of the instruction (or a symbolic dimension of an operator) as an index form."""
    return Aff(((("", name), 1),))


@dataclass(frozen=True)
class Loop:
    """A loop of ``extent`` steps: a field's name (a *level*) or a constant (a *lane loop*)."""

    name: str
    extent: str | int

    def __add__(self, other):
        return Aff.of(self) + other

    __radd__ = __add__

    def __sub__(self, other):
        return Aff.of(self) - other

    def __mul__(self, other):
        return Aff.of(self) * other

    __rmul__ = __mul__

    def count(self, env: Mapping[str, int]) -> int:
        return int(env[self.extent]) if isinstance(self.extent, str) else self.extent


@dataclass(frozen=True)
class Operand:
    """A memory or a tensor: ``element`` is ``u8 i8 i32 f32``; ``strides`` are bytes per index."""

    name: str
    element: str
    strides: tuple[int, ...]


class Expr:
    """A value at each point of the loops it depends on. Nodes are shared: an expression is a DAG."""

    def __add__(self, other):
        return Op("add", (self, as_expr(other)))

    def __sub__(self, other):
        return Op("sub", (self, as_expr(other)))

    def __mul__(self, other):
        return Op("mul", (self, as_expr(other)))

    children: tuple[Expr, ...] = ()


def as_expr(value) -> Expr:
    return value if isinstance(value, Expr) else Val(value)


@dataclass(frozen=True, eq=False, repr=False)
class Val(Expr):
    """A number, or an index form (over fields: a scalar of the instruction; over loops: a guard's coordinate).

    ``element`` is ``i32`` or ``f32``; a binary32 scalar is a field whose value is the float itself.
    """

    value: Aff | int | float
    element: str = "i32"


@dataclass(frozen=True, eq=False, repr=False)
class Load(Expr):
    """An affine read of one element."""

    operand: Operand
    index: tuple[Aff, ...]

    @cached_property
    def address(self) -> Aff:
        """Byte address of the element."""
        total = Aff()
        for i, stride in zip(self.index, self.operand.strides, strict=True):
            total = total + Aff.of(i) * stride
        return total


@dataclass(frozen=True, eq=False, repr=False)
class Op(Expr):
    """An operation of the closed vocabulary (``acg.ops``)."""

    name: str
    args: tuple[Expr, ...]

    @property
    def children(self):
        return self.args


@dataclass(frozen=True, eq=False, repr=False)
class Choose(Expr):
    """``alternatives[field]``: a pipeline slot, a type switch, an accumulate mode."""

    field: str
    alternatives: tuple[Expr, ...]

    @property
    def children(self):
        return self.alternatives


@dataclass(frozen=True, eq=False, repr=False)
class Reduce(Expr):
    """``op`` over ``loops``, which are local to it. Integers in any order, binary32 in loop order (first outermost).

    The first term is taken as it is.
    """

    op: str
    loops: tuple[Loop, ...]
    body: Expr

    @property
    def children(self):
        return (self.body,)


@dataclass(frozen=True, eq=False, repr=False)
class Lookup(Expr):
    """``table[base + index]``: one of 256 consecutive elements, by an unsigned byte."""

    table: Operand
    base: Aff
    index: Expr

    @property
    def children(self):
        return (self.index,)


@dataclass(frozen=True, eq=False, repr=False)
class Nest:
    """For every step of every loop: ``destination = expr``.

    ``destination`` is a Load, written to; a Choose of Loads where the instruction picks the memory.
    """

    loops: tuple[Loop, ...]
    destination: Load | Choose
    expr: Expr


def walk(expr: Expr) -> Iterator[Expr]:
    """Every node once, children before parents."""
    seen: set[int] = set()
    stack: list[tuple[Expr, bool]] = [(expr, False)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            yield node
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(node.children))


def remade(e: Expr, visit: Callable[[Expr], Expr]) -> Expr:
    """A node like ``e`` over what ``visit`` makes of its children."""
    if isinstance(e, Op):
        return Op(e.name, tuple(map(visit, e.args)))
    if isinstance(e, Choose):
        return Choose(e.field, tuple(map(visit, e.alternatives)))
    if isinstance(e, Reduce):
        return Reduce(e.op, e.loops, visit(e.body))
    if isinstance(e, Lookup):
        return Lookup(e.table, e.base, visit(e.index))
    return e
