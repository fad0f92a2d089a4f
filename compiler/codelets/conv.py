"""Convolution of quantised tensors; a matrix product is its 1x1 case."""

from __future__ import annotations

import functools

from tenon.acg.expr import Lookup, Nest, Operand, Reduce, field
from tenon.compiler.codelets.codelet import Codelet, Tensor, integer, loops, op, real

__all__ = ["conv"]


@functools.cache  # one object for each, so that what was selected for it is found again
def conv(x_type: str, w_type: str, *, scale_per_channel: bool = False, zero_per_channel: bool = False,
         residual: str | None = None, residual_type: str = "u8", table: bool = False) -> Codelet:
    """``y[n, oh, ow, oc] = clamp(rne(f32(sum) * scale) + zy, lo, hi)``, the sum as in ``start`` and ``resume``.

    Parameters
    ----------
    residual : "a", "b" or None
        The other operand ``r`` of an addition that follows, and which of its sides it is.
    table : bool
        Whether the result goes through a table of bytes.
    """
    n, oh, ow, oc = loops("n oh ow oc")
    kh, kw, ic = loops("kh kw ic")
    nhwc = ("n", "h", "w", "c")
    x, w = Tensor("x", x_type, nhwc), Tensor("w", w_type, ("kh", "kw", "ic", "oc"))
    acc, y, r = Tensor("acc", "i32", nhwc), Tensor("y", "u8", nhwc), Tensor("r", residual_type, nhwc)
    bias, zero, scale = Tensor("bias", "i32", ("oc",)), Tensor("zero", "i32", ("oc",)), Tensor("scale", "f32", ("oc",))

    row = oh * field("stride_h") + kh * field("dilation_h") - field("pad_top")
    column = ow * field("stride_w") + kw * field("dilation_w") - field("pad_left")
    zw = zero[oc] if zero_per_channel else integer("zw")
    products = Reduce("add", (kh, kw, ic), (x[n, row, column, ic] - integer("zx")) * (w[kh, kw, ic, oc] - zw))
    total = acc[n, oh, ow, oc]
    outer = (n, oh, ow, oc)

    result = op("f32", total) * (scale[oc] if scale_per_channel else real("scale"))
    # Stated without a zero-point of 0 when a sum follows: the rounded value is what the next operator reads.
    result = op("clamp", op("rne", result) + integer("zy"), integer("lo"), integer("hi"))
    if residual:
        mine, other = op("f32", result), op("f32", r[n, oh, ow, oc])
        a, b = (other, mine) if residual == "a" else (mine, other)
        result = op("fma", a, real("ra"), op("fma", b, real("rb"), real("fixed")))
        result = op("clamp", op("rne", result), integer("sum_lo"), integer("sum_hi"))
    byte = op("u8", result)
    if table:
        byte = Lookup(Operand("table", "u8", (1,)), field("table"), byte)
    return Codelet("conv", {t.name: t.dims for t in (x, w, acc, y, r, bias, zero, scale)} | {"table": ("i",)}, {
        "start": Nest(outer, total, bias[oc] + products),
        "resume": Nest(outer, total, total + products),
        "finish": Nest(outer, y[n, oh, ow, oc], byte),
    })


