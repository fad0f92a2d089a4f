"""Operators on two tensors element by element; with one tensor and constants they are functions of one element.

The docstring of each handler is its line in the operator table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tenon.compiler.frontend.build import Epilogue, build_add
from tenon.compiler.frontend.channels import scale_channels
from tenon.compiler.frontend.copies import repeated
from tenon.compiler.frontend.functions import of_one_element
from tenon.compiler.frontend.operands import dequantised
from tenon.compiler.frontend.quantisation import Quantisation, clamp_of, table_of
from tenon.compiler.frontend.reader import Reader, Refused, handles
from tenon.compiler.frontend.realise import realises
from tenon.compiler.frontend.values import Constant, Expression, Quantised, Reference
from tenon.compiler.frontend.views import natural
from tenon.compiler.ir import Lookup
from tenon.compiler.pair import Largest, Multiply, rounds_once

__all__: list[str] = []

_F32 = np.float32


def _channelwise(reader: Reader) -> bool:
    """The node as a factor and a shift for each channel, if its second operand is constant and has one number for each; of
    what commutes, either operand."""
    op = reader.node.op_type
    for x, c in ((0, 1), (1, 0))[:2 if op in ("Add", "Mul") else 1]:
        value, constant = reader.value(x), reader.value(c)
        if not isinstance(value, Expression) or not isinstance(constant, Constant) or value.op not in ("dequantise", "conv"):
            continue
        weights = value.operands[1].array.shape[0] if value.op == "conv" else None
        channels = weights or (value.operands[0].shape[1] if len(value.operands[0].shape) == 4 else 0)
        if constant.array.shape[-3:] != (channels, 1, 1) or constant.array.size != channels:
            continue
        real, one, zero = constant.real.reshape(-1), np.ones(channels, _F32), np.zeros(channels, _F32)
        scale_channels(reader, x, *{"Add": (one, real), "Sub": (one, -real), "Mul": (real, zero), "Div": (1 / real, zero)}[op])
        return True
    return False


def _plain(values: Sequence) -> bool:
    """Whether both are activations as they are, though perhaps one and the same: the reference has a kernel of two operands."""
    return all(isinstance(v, Expression) and v.op == "dequantise" and v.clip is None for v in values)


def _repeats(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether one element of ``a`` meets a run of those of ``b``, along the innermost dimension where they have any."""
    full = [(1,) * (max(len(a), len(b)) - len(shape)) + tuple(shape) for shape in (a, b)]
    inner = next(((x, y) for x, y in zip(full[0][::-1], full[1][::-1]) if max(x, y) > 1), (1, 1))
    return inner[0] == 1 < inner[1]


def _two(reader: Reader, op: str) -> None:
    name = reader.node.output[0]
    operands = tuple(dequantised(reader, i) for i in range(len(reader.node.input)))
    reader.values[name] = Expression(op, operands, (reader.node_name,), (name,))


def _terms(reader: Reader, op: str) -> None:
    """The node as a sum of two terms. One may be a float constant of any shape: 256 numbers stand for it, which is within a step
    of the result if they lie as close as the result's own."""
    values = [reader.value(0), reader.value(1)]
    rough = next((i for i, v in enumerate(values) if isinstance(v, Constant) and v.scale is None), None)
    if rough is None or not isinstance(values[1 - rough], Expression):
        _two(reader, op)
        return
    other = dequantised(reader, 1 - rough)
    low, high = min(0.0, float(values[rough].array.min(initial=0))), max(0.0, float(values[rough].array.max(initial=0)))
    if not np.isfinite([low, high]).all():
        raise Refused("its constant must be finite numbers")
    kind = np.iinfo(reader.tensors[other.tensor].dtype)
    scale = (high - low) / 254 or 1.0  # with room for the zero-point's rounding
    q = Quantisation(_F32(scale), int(np.rint(kind.min - low / scale)), kind.dtype.name)
    elements = q.quantise(values[rough].array.astype(_F32)).astype(kind.dtype)
    constant = reader.constant_tensor(Constant(elements, np.asarray(q.scale), np.asarray(q.zero_point, kind.dtype)))
    name, operands = reader.node.output[0], (constant, other) if rough == 0 else (other, constant)
    reader.values[name] = Expression(op, operands, (reader.node_name,), (name,), q.scale, loose=True)


def _close(e: Expression, end: Epilogue) -> Epilogue:
    """How a sum ends; a constant that 256 numbers stand for is checked against the result.

    Raises
    ------
    Refused
        If they lie further apart than the result's.
    """
    if e.attributes is None:
        return end
    if e.attributes > end.y.scale:
        raise Refused(f"its float constant spans {254 * float(e.attributes):g}, its result only {255 * float(end.y.scale):g}: quantise the "
                      f"constant (QuantizeLinear, DequantizeLinear)")
    return replace(end, fused=False)


def _alike(reader: Reader, operands: Sequence[Reference]) -> list[Reference]:
    """The operands broadcast to one shape, in one layout."""
    try:
        shape = np.broadcast_shapes(*(o.shape for o in operands))
    except ValueError:
        raise Refused(f"{' and '.join(str(list(o.shape)) for o in operands)} cannot be broadcast") from None
    full = [repeated(reader, o, shape) for o in operands]
    if len({(o.order, reader.tensors[o.tensor].shape) for o in full}) > 1:
        full = [natural(reader, o, "NCHW" if len(shape) == 4 else "same") for o in full]
    return full


@handles("Add")
def _add(reader: Reader, node) -> None:
    """Of two activations, broadcast; of a constant to a product: its bias; of a constant number: a table; of a constant for
    each channel: part of the convolution before, or a depthwise one; of any other constant within a step."""
    values = [reader.value(0), reader.value(1)]
    if not _plain(values) and of_one_element(reader, "Add", values, lambda a, b: a + b, True):
        return
    for x, other in (values, values[::-1]):
        if isinstance(x, Expression) and x.op == "product" and isinstance(other, Constant) and x.bias is None and x.clip is None:
            if other.array.ndim > len(x.operands[0].shape):
                raise Refused(f"a constant of {other.array.ndim} dimensions would give its result more than it has")
            name = node.output[0]
            reader.values[name] = replace(x, bias=other, nodes=(*x.nodes, reader.node_name), outputs=(*x.outputs, name))
            return
    if not _channelwise(reader):
        _terms(reader, "add")


@handles("Sum")
def _sum(reader: Reader, node) -> None:
    """Of one activation: itself; of two, as Add, within one step."""
    if len(node.input) > 2:
        raise Refused(f"it has {len(node.input)} inputs: add them two by two, each sum quantised")
    name = node.output[0]
    if len(node.input) == 1:
        x = reader.value(0)
        reader.values[name] = replace(x, outputs=(*x.outputs, name)) if isinstance(x, Expression) else x
    else:
        operands = tuple(dequantised(reader, i) for i in range(2))
        reader.values[name] = Expression("add", operands, (reader.node_name,), (name,), loose=True)


@realises("add")
def _realise_add(reader: Reader, e: Expression, end: Epilogue) -> None:
    a, b = _alike(reader, e.operands)
    build_add(reader, a, b, reader.of_tensor(a.tensor), reader.of_tensor(b.tensor), _close(e, end),
              swapped=_repeats(e.operands[0].shape, e.operands[1].shape))


@handles("QLinearAdd")
def _qlinearadd(reader: Reader, node) -> None:
    """As Add of two activations."""
    _integers(reader, build_add)


def _integers(reader: Reader, build) -> None:
    """A node with operands, scales and zero-points in the order of QLinearAdd's."""
    operands = [reader.value(i) for i in (0, 3)]
    if not all(isinstance(o, Quantised) for o in operands):
        raise Refused("its operands must be quantised activations")
    qa, qb = reader.quantisation(1, 2), reader.quantisation(4, 5)
    for operand, q in zip(operands, (qa, qb)):
        reader.read_as(operand.reference, q)
    a, b = _alike(reader, [o.reference for o in operands])
    if build is build_add and _repeats(*(o.reference.shape for o in operands)):
        a, b, qa, qb = b, a, qb, qa
    build(reader, a, b, qa, qb, Epilogue(reader.quantisation(6, 7), (reader.node_name,)))


@handles("Mul")
def _mul(reader: Reader, node) -> None:
    """Of two activations, broadcast; by a constant number, or of functions of one tensor: a table; by a constant for each
    channel: part of the convolution before, or a depthwise one."""
    values = [reader.value(0), reader.value(1)]
    if _plain(values) or not of_one_element(reader, "Mul", values, lambda a, b: a * b, True) and not _channelwise(reader):
        _two(reader, "mul")


@handles("Sub")
def _sub(reader: Reader, node) -> None:
    """As Mul; of two activations within a step."""
    values = [reader.value(0), reader.value(1)]
    if not of_one_element(reader, "Sub", values, lambda a, b: a - b, True) and not _channelwise(reader):
        _terms(reader, "sub")


@handles("Div", "Pow")
def _div(reader: Reader, node) -> None:
    """Of one tensor and constant numbers, as a table; Div by a constant for each channel."""
    apply = (lambda a, b: a / b) if node.op_type == "Div" else lambda a, b: np.power(np.float64(a), np.float64(b))
    values = [reader.value(0), reader.value(1)]
    if not of_one_element(reader, node.op_type, values, apply, node.op_type == "Div") and not (
            node.op_type == "Div" and _channelwise(reader)):
        raise Refused("only of one tensor and constant numbers")


@handles("Max", "Min")
def _extreme(reader: Reader, node) -> None:
    """Of activations, broadcast: each gets the parameters of the result by a table first; with constant numbers: a table."""
    values = [reader.value(i) for i in range(len(node.input))]
    choose = np.maximum if node.op_type == "Max" else np.minimum

    def apply(*real):
        total = real[0]
        for other in real[1:]:
            total = choose(total, other)
        return total

    if not of_one_element(reader, node.op_type, values, apply, True):
        _two(reader, "largest" if node.op_type == "Max" else "smallest")


@realises("mul")
def _realise_mul(reader: Reader, e: Expression, end: Epilogue) -> None:
    a, b = _alike(reader, e.operands)
    _multiply(reader, a, b, reader.of_tensor(a.tensor), reader.of_tensor(b.tensor), end)


def _multiply(reader: Reader, a: Reference, b: Reference, qa: Quantisation, qb: Quantisation, end: Epilogue) -> None:
    out = reader.like(reader.node.output[0], a, end.y)
    lo, hi, implied = clamp_of(end.clip, end.y)
    scale = float(_F32(_F32(qa.scale * qb.scale) / end.y.scale))
    exact = implied and end.fused and qa.dtype == qb.dtype == end.y.dtype and rounds_once(
        *((*reader.tensors[r.tensor].bounds, q.zero_point) for r, q in ((a, qa), (b, qb))), scale, end.y.zero_point)
    reader.add_kernel(Multiply(reader.kernel_name(end.nodes), end.nodes, "Mul", exact, a.tensor, b.tensor, out.tensor, scale,
                               qa.zero_point, qb.zero_point, end.y.zero_point, lo, hi), out)


@handles("QLinearMul")
def _qlinearmul(reader: Reader, node) -> None:
    """As Mul of two activations."""
    _integers(reader, _multiply)


@realises("sub")
def _realise_sub(reader: Reader, e: Expression, end: Epilogue) -> None:
    a, b = _alike(reader, e.operands)
    build_add(reader, a, b, reader.of_tensor(a.tensor), reader.of_tensor(b.tensor), replace(end, fused=False), op="Sub", sign=-1)


@realises("largest")
@realises("smallest")
def _realise_extreme(reader: Reader, e: Expression, end: Epilogue) -> None:
    """Rounding keeps order: the extreme of the quantised operands is the quantised extreme. The smallest is the largest of
    the complements, complemented."""
    mirrored = e.op == "smallest"
    operands = _alike(reader, e.operands)
    name, low, high = reader.node.output[0], *(np.float32(v) for v in end.clip or (-np.inf, np.inf))
    flip = np.uint8(255 if mirrored else 0)

    def through(x: Reference, table: np.ndarray) -> Reference:
        """``x`` by way of a table, unless that says nothing; the result is read as ``end.y``."""
        if (table == np.arange(256)).all() and reader.tensors[x.tensor].dtype == end.y.dtype:
            return x
        out = reader.tensor(reader.fresh_tensor(x.tensor), x.shape, end.y, nhwc=reader.tensors[x.tensor].shape, order=x.order,
                            invented=True)
        reader.kernels.append(Lookup(reader.kernel_name((out.tensor,)), (), "Requantise", True, x.tensor, out.tensor, table))
        return out

    operands = [through(x, table_of(lambda real: np.clip(real, low, high), reader.of_tensor(x.tensor), end.y) ^ flip) for x in operands]
    total = operands[0]
    lo, hi = end.y.bounds
    for number, other in enumerate(operands[1:]):
        last = number == len(operands) - 2 and not mirrored
        out = reader.like(name, total, end.y) if last else reader.tensor(
            reader.fresh_tensor(name), total.shape, end.y, nhwc=reader.tensors[total.tensor].shape, order=total.order, invented=True)
        nodes = end.nodes if number == 0 else ()
        reader.kernels.append(Largest(reader.kernel_name(nodes or (out.tensor,)), nodes, "Min" if mirrored else "Max", True,
                                      total.tensor, other.tensor, out.tensor, lo, hi))
        total = out
    if mirrored:
        out = reader.like(name, total, end.y)
        reader.kernels.append(Lookup(reader.kernel_name((name,)), (), "Complement", True, total.tensor, out.tensor,
                                     np.arange(256, dtype=np.uint8) ^ flip))
        total = out
    reader.values[name] = Quantised(total)
