"""What handlers of float operators take as operands."""

from __future__ import annotations

from tenon.compiler.frontend.reader import Reader, Refused
from tenon.compiler.frontend.values import Constant, Expression, FloatInput, Reference

__all__ = ["bias_of", "dequantised", "weight_of"]


def dequantised(reader: Reader, index: int) -> Reference:
    """The quantised tensor behind the node's input, which is used as it is; a constant becomes one."""
    x, name = reader.value(index), reader.node.input[index]
    if isinstance(x, Constant):
        return reader.constant_tensor(x)
    if isinstance(x, FloatInput):
        raise Refused(f"its input {name!r} is float: it must be quantised first (QuantizeLinear, DequantizeLinear)")
    if isinstance(x, Expression) and (x.op != "dequantise" or x.clip):
        raise Refused(f"its input {name!r} is float: {x.nodes[-1]} must be followed by QuantizeLinear and DequantizeLinear")
    if not isinstance(x, Expression):
        raise Refused(f"its input {name!r} must be a dequantised activation")
    return x.operands[0]


def weight_of(reader: Reader, index: int) -> Constant:
    """The node's quantised weights."""
    w = reader.value(index)
    if not isinstance(w, Constant):
        raise Refused("its weights must be constant")
    if w.scale is None:
        raise Refused("its weights are float: they must be quantised first (QuantizeLinear, DequantizeLinear)")
    if w.array.dtype.name not in ("int8", "uint8"):
        raise Refused(f"its weights must be int8 or uint8, not {w.array.dtype}")
    return w


def bias_of(reader: Reader, index: int) -> Constant | None:
    """The node's bias, if it has one."""
    b = reader.value(index)
    if b is not None and not isinstance(b, Constant):
        raise Refused("its bias must be constant")
    return b
