"""Pooling: the largest element of a window, or its mean."""

from __future__ import annotations

import functools
from collections.abc import Callable

from tenon.acg.expr import Expr, Nest, Reduce, field
from tenon.compiler.codelets.codelet import Codelet, Tensor, integer, loops, op, real

__all__ = ["average_pool", "global_pool", "max_pool"]

_NHWC = ("n", "h", "w", "c")


@functools.cache
def max_pool(x_type: str, *, sliding: bool = False) -> Codelet:
    """``y = max(x)`` over each window; padding holds the smallest element."""
    return _pool(x_type, "max", lambda x: x, lambda largest: op("rne", largest), sliding)


@functools.cache
def average_pool(x_type: str) -> Codelet:
    """``y = clamp(rne(sum(sx * (x - zx)) / count / sy + zy), lo, hi)``; the sum in row-major order, in binary32.

    Both divisions are products with reciprocals.
    """
    def mean(total: Expr) -> Expr:
        return op("rne", op("fma", total * real("over_count"), real("over_scale"), real("zy")))
    return _pool(x_type, "add", lambda x: x - integer("zx"), mean, False, scale=real("sx"))


@functools.cache
def global_pool(x_type: str, *, sliding: bool = False) -> Codelet:
    """``y = clamp(rne(sum(x - zx) * scale) + zy, lo, hi)``."""
    def mean(total: Expr) -> Expr:
        return op("rne", total * real("scale")) + integer("zy")
    return _pool(x_type, "add", lambda x: x - integer("zx"), mean, sliding)


def _pool(x_type: str, reduction: str, element: Callable[[Expr], Expr], result: Callable[[Expr], Expr], sliding: bool,
          scale: Expr | None = None) -> Codelet:
    """``y = clamp(result(reduction of element(x)), lo, hi)``: one statement in binary32; or, ``sliding``, windows are
    gathered as integers and finished by themselves. ``scale``: what elements are multiplied by before."""
    n, oh, ow, oc = outer = loops("n oh ow oc")
    window = kh, kw = loops("kh kw")
    x, acc, y = Tensor("x", x_type, _NHWC), Tensor("acc", "i32", _NHWC), Tensor("y", "u8", _NHWC)
    row = oh * field("stride_h") + kh * field("dilation_h") - field("pad_top")
    column = ow * field("stride_w") + kw * field("dilation_w") - field("pad_left")
    read = element(x[n, row, column, oc])

    def finish(value: Expr) -> Nest:
        return Nest(outer, y[outer], op("u8", op("clamp", result(value), integer("lo"), integer("hi"))))

    if sliding:
        return Codelet("pool", {"x": _NHWC, "acc": _NHWC, "y": _NHWC}, {
            "gather": Nest(outer, acc[outer], Reduce(reduction, window, read)), "finish": finish(op("f32", acc[outer]))})
    number = op("f32", read)
    return Codelet("pool", {"x": _NHWC, "y": _NHWC}, {
        "finish": finish(Reduce(reduction, window, number if scale is None else number * scale))})
