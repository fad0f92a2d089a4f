"""Depthwise convolution: each channel has a window and weights of its own."""

from __future__ import annotations

import functools

from tenon.acg.expr import Nest, Reduce, field
from tenon.compiler.codelets.codelet import Codelet, Tensor, integer, loops

__all__ = ["depthwise"]


@functools.cache
def depthwise(x_type: str, w_type: str, *, zero_per_channel: bool = False) -> Codelet:
    """``acc[n, oh, ow, oc] = bias[oc] + sum (x[n, row, column, oc] - zx) * (w[kh, kw, oc] - zw)``; it ends as a convolution does."""
    n, oh, ow, oc = loops("n oh ow oc")
    kh, kw = loops("kh kw")
    nhwc = ("n", "h", "w", "c")
    x, w, acc = Tensor("x", x_type, nhwc), Tensor("w", w_type, ("kh", "kw", "oc")), Tensor("acc", "i32", nhwc)
    bias, zero = Tensor("bias", "i32", ("oc",)), Tensor("zero", "i32", ("oc",))
    row = oh * field("stride_h") + kh * field("dilation_h") - field("pad_top")
    column = ow * field("stride_w") + kw * field("dilation_w") - field("pad_left")
    zw = zero[oc] if zero_per_channel else integer("zw")
    products = Reduce("add", (kh, kw), (x[n, row, column, oc] - integer("zx")) * (w[kh, kw, oc] - zw))
    return Codelet("depthwise", {t.name: t.dims for t in (x, w, acc, bias, zero)}, {
        "start": Nest((n, oh, ow, oc), acc[n, oh, ow, oc], bias[oc] + products),
    })
