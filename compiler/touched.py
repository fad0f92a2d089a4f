"""How much of its operand a layer has to read: windows that are further apart than they are large leave some out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tenon.compiler.ir import Conv, Kernel, Pool

__all__ = ["touched_bytes"]


def touched_bytes(kernel: Kernel, shape: Sequence[int], outputs: Sequence[int]) -> int:
    """Bytes of an operand of ``shape`` (NHWC) that ``kernel`` reads for outputs of shape ``outputs``: all but those that no window of a
    convolution or pooling comes by."""
    if isinstance(kernel, Conv):
        size = kernel.weight.shape[:2]
    elif isinstance(kernel, Pool) and kernel.kind != "global":
        size = kernel.kernel
    else:
        return math.prod(shape)
    rows, columns = (
        len({o * stride + i * dilation - before for o in range(count) for i in range(extent)} & set(range(total)))
        for total, count, extent, stride, dilation, before in zip(
            shape[1:3], outputs[1:3], size, kernel.strides, kernel.dilations, kernel.pads[:2]))
    return shape[0] * rows * columns * shape[3]
