"""Pooling: the largest element of a window, or its mean in binary32."""

from __future__ import annotations

from acg.expr import Expr, Nest, Reduce, field
from compiler.codelets.codelet import Codelet, Tensor, integer, loops, op, real

__all__ = ["average_pool", "global_pool", "max_pool"]

_NHWC = ("n", "h", "w", "c")


def max_pool(x_type: str) -> Codelet:
    """``y = max(x)`` over each window; padding holds the smallest element."""
    return _window(x_type, lambda x: Reduce("max", loops("kh kw"), op("f32", x)), None)


def average_pool(x_type: str) -> Codelet:
    """``y = clamp(rne(sum(sx * (x - zx)) / count / sy + zy), lo, hi)``; the sum in row-major order, in binary32.

    Both divisions are products with reciprocals.
    """
    def mean(x: Expr) -> Expr:
        total = Reduce("add", loops("kh kw"), op("f32", x - integer("zx")) * real("sx"))
        return op("fma", total * real("over_count"), real("over_scale"), real("zy"))
    return _window(x_type, mean, None)


def global_pool(x_type: str) -> Codelet:
    """``y = clamp(rne(sum(x - zx) * scale) + zy, lo, hi)``."""
    def mean(x: Expr) -> Expr:
        return Reduce("add", loops("kh kw"), op("f32", x - integer("zx"))) * real("scale")
    return _window(x_type, mean, "zy")


def _window(x_type: str, value, zero: str | None) -> Codelet:
    n, oh, ow, oc = outer = loops("n oh ow oc")
    kh, kw = loops("kh kw")
    x, y = Tensor("x", x_type, _NHWC), Tensor("y", "u8", _NHWC)
    row = oh * field("stride_h") + kh * field("dilation_h") - field("pad_top")
    column = ow * field("stride_w") + kw * field("dilation_w") - field("pad_left")
    rounded = op("rne", value(x[n, row, column, oc]))
    rounded = rounded + integer(zero) if zero else rounded
    byte = op("u8", op("clamp", rounded, integer("lo"), integer("hi")))
    return Codelet("pool", {"x": _NHWC, "y": _NHWC}, {"finish": Nest(outer, y[outer], byte)})
