"""Transfers between DRAM and a memory on chip as statements: what instructions are selected for."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.acg.expr import Aff, Load, Loop, Nest, Op, Operand, Val, field
from tenon.compiler.lower.tiles import Walk

__all__ = ["copy_nest"]


def copy_nest(walks: Sequence[Walk], far: str, near: str, inward: bool, guard: tuple[int, int, int] | None = None) -> Nest:
    """``near = far``, or the way back; with ``guard`` (fill, and the limits of rows and columns) ``near = inside ? far : fill``."""
    loops = [Loop(f"t{i}", w.extent) for i, w in enumerate(walks)]

    def form(base: str) -> Aff:
        total = field(base)
        for loop, walk in zip(loops, walks, strict=True):
            total = total + loop * getattr(walk, base)
        return total

    outside, inside = Load(Operand(far, "u8", (1,)), (form("far"),)), Load(Operand(near, "u8", (1,)), (form("near"),))
    if guard is None:
        return Nest(tuple(loops), inside, outside) if inward else Nest(tuple(loops), outside, inside)
    fill, row_limit, column_limit = guard
    passes = Op("and", (Op("within", (Val(form("y")), Val(row_limit))), Op("within", (Val(form("x")), Val(column_limit)))))
    return Nest(tuple(loops), inside, Op("select", (passes, outside, Val(fill))))
