"""What a codelet is, and the few words that codelets are written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tenon.acg.expr import Aff, Expr, Load, Loop, Nest, Op, Operand, Val, field

__all__ = ["Codelet", "Tensor", "integer", "loops", "op", "real"]


@dataclass(frozen=True, eq=False)
class Codelet:
    """An operator: ``dims`` names each operand's dimensions; ``statements`` are executed in order.

    Extents of loops and attributes (strides, zero-points, scales) are fields, bound when a layer is compiled.
    """

    name: str
    dims: Mapping[str, tuple[str, ...]]
    statements: Mapping[str, Nest]


@dataclass(frozen=True)
class Tensor:
    """An operand of a codelet: indexing it gives a read, or what a statement writes."""

    name: str
    element: str
    dims: tuple[str, ...]

    def __getitem__(self, index) -> Load:
        index = index if isinstance(index, tuple) else (index,)
        return Load(Operand(self.name, self.element, (0,) * len(index)), tuple(Aff.of(i) for i in index))


def loops(names: str) -> tuple[Loop, ...]:
    """Loops whose extents are dimensions of the same name."""
    return tuple(Loop(n, n) for n in names.split())


def op(name: str, *args: Expr) -> Op:
    return Op(name, args)


def integer(name: str) -> Val:
    """An integer attribute."""
    return Val(field(name))


def real(name: str) -> Val:
    """A binary32 attribute."""
    return Val(field(name), "f32")


