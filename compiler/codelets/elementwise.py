"""Operators that work element by element."""

from __future__ import annotations

import functools

from tenon.acg.expr import Lookup, Nest, Operand, field
from tenon.compiler.codelets.codelet import Codelet, Tensor, integer, loops, op, real

__all__ = ["add", "largest", "lookup", "multiply"]

_NHWC = ("n", "h", "w", "c")


@functools.cache
def add(a_type: str, b_type: str) -> Codelet:
    """``y = clamp(rne(fma(a, ra, fma(b, rb, fixed))), lo, hi)`` on raw elements."""
    outer = loops("n oh ow oc")
    a, b, y = Tensor("a", a_type, _NHWC), Tensor("b", b_type, _NHWC), Tensor("y", "u8", _NHWC)
    total = op("fma", op("f32", a[outer]), real("ra"), op("fma", op("f32", b[outer]), real("rb"), real("fixed")))
    byte = op("u8", op("clamp", op("rne", total), integer("lo"), integer("hi")))
    return Codelet("add", {t.name: t.dims for t in (a, b, y)}, {"finish": Nest(outer, y[outer], byte)})


@functools.cache
def multiply(a_type: str, b_type: str) -> Codelet:
    """``y = clamp(rne(fma((a - za) * (b - zb), scale, zy)), lo, hi)``."""
    outer = loops("n oh ow oc")
    a, b, y = Tensor("a", a_type, _NHWC), Tensor("b", b_type, _NHWC), Tensor("y", "u8", _NHWC)
    product = op("f32", a[outer] - integer("za")) * op("f32", b[outer] - integer("zb"))
    byte = op("u8", op("clamp", op("rne", op("fma", product, real("scale"), real("zy"))), integer("lo"), integer("hi")))
    return Codelet("multiply", {t.name: t.dims for t in (a, b, y)}, {"finish": Nest(outer, y[outer], byte)})


@functools.cache
def largest(a_type: str, b_type: str) -> Codelet:
    """``y = max(a, b)``."""
    outer = loops("n oh ow oc")
    a, b, y = Tensor("a", a_type, _NHWC), Tensor("b", b_type, _NHWC), Tensor("y", "u8", _NHWC)
    byte = op("u8", op("clamp", op("rne", op("max", op("f32", a[outer]), op("f32", b[outer]))), integer("lo"), integer("hi")))
    return Codelet("largest", {t.name: t.dims for t in (a, b, y)}, {"finish": Nest(outer, y[outer], byte)})


@functools.cache
def lookup(x_type: str) -> Codelet:
    """``y = table[x]``, by the byte of ``x``."""
    outer = loops("n oh ow oc")
    x, y = Tensor("x", x_type, _NHWC), Tensor("y", "u8", _NHWC)
    byte = op("u8", op("clamp", op("rne", op("f32", x[outer])), integer("lo"), integer("hi")))
    found = Lookup(Operand("table", "u8", (1,)), field("table"), byte)
    return Codelet("lookup", {"x": _NHWC, "y": _NHWC, "table": ("i",)}, {"finish": Nest(outer, y[outer], found)})
