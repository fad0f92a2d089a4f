"""Softmax and layer normalisation: what is summed over comes to stand along one axis, everything else along the lanes.

The docstring of each handler is its line in the operator table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tenon.compiler.frontend.build import Epilogue
from tenon.compiler.frontend.copies import operand
from tenon.compiler.frontend.quantisation import clamp_of
from tenon.compiler.frontend.reader import Reader, Refused, handles
from tenon.compiler.frontend.realise import realises
from tenon.compiler.frontend.values import Constant, Expression, Quantised, Reference
from tenon.compiler.frontend.views import add_move, axes_of, natural, placed
from tenon.compiler.ir import Kernel
from tenon.compiler.move import Piece, Step
from tenon.compiler.rows import LONGEST, PLANES, Normalise, Softmax

__all__: list[str] = []

_ORIGIN = (0, 0, 0, 0)
_SMALLEST_EPSILON = 1e-20  # in squared steps: below, the inverse root of nothing would overflow


def _axes(reader: Reader, rank: int, default: int) -> int:
    axis = reader.attributes().get("axis", default)
    if not -rank <= axis < rank:
        raise Refused(f"its axis {axis} is not one of {rank} dimensions")
    return axis % rank


def _along(shape: Sequence[int], axes: Sequence[int]) -> list[tuple[int, int, int]]:
    """For each dimension: its extent, and what a step along it is in the matrix [L, R] (along L, along R)."""
    weights, inside, outside = [], math.prod(shape[a] for a in axes), math.prod(e for d, e in enumerate(shape) if d not in axes)
    for d, extent in enumerate(shape):
        if d in axes:
            inside //= extent
            weights.append((extent, inside, 0))
        else:
            outside //= extent
            weights.append((extent, 0, outside))
    return weights


def _add_rows(reader: Reader, reference: Reference, axes: Sequence[int], end: Epilogue, kernel) -> Reference:
    """The operator over ``axes``. ``kernel(x, y)`` makes it of the names of its matrices."""
    length = math.prod(reference.shape[a] for a in axes)
    if length > LONGEST:
        raise Refused(f"it is over {length} elements; at most {LONGEST} are supported")
    matrix = (length, math.prod(reference.shape) // length)
    name = reader.node.output[0]
    steps = _along(reference.shape, axes)
    view = axes_of(reader, reference)
    if view is None:
        reference = natural(reader, reference)
        view = axes_of(reader, reference)
    along = [(0, 0, inner, outer) for _, inner, outer in steps]
    if reader.tensors[reference.tensor].shape == (1, 1, *matrix) and all(v == a for (e, *_), v, a in zip(steps, view, along) if e > 1):
        out = reader.like(name, reference, end.y)
        reader.add_kernel(kernel(reference.tensor, out.tensor), out)
        return out

    def between(op: str, source: Reference, y: Reference, read, written) -> None:
        loops = tuple(Step(e, r, w) for (e, *_), r, w in zip(steps, read, written, strict=True))
        add_move(reader, op, () if op == "Transpose" else end.nodes, [source], y, [Piece(0, _ORIGIN, _ORIGIN, loops)])

    x = reader.tensor(reader.fresh_tensor(reference.tensor), matrix, reader.of_tensor(reference.tensor), nhwc=(1, 1, *matrix),
                      invented=True)
    between("Transpose", reference, x, view, along)
    y = reader.tensor(reader.fresh_tensor(name), matrix, end.y, nhwc=(1, 1, *matrix), invented=True)
    reader.kernels.append(kernel(x.tensor, y.tensor))
    order = reference.order if len(reference.shape) == 4 else "same"
    nhwc, places = placed(reference.shape, order)
    out = reader.tensor(name, reference.shape, end.y, nhwc=nhwc, order=order)
    between("Transpose", y, out, along, places)
    reader.values[name] = Quantised(out)
    return out


def _softmax(reader: Reader, reference: Reference, axes: Sequence[int], end: Epilogue, factor: float) -> None:
    q = reader.of_tensor(reference.tensor)
    lo, hi, _ = clamp_of(end.clip, end.y)
    one = (1 << 8 * PLANES) - 1
    table = np.rint(one * np.exp(np.arange(-255, 1) * float(q.scale))).astype(np.uint32)

    def kernel(x: str, y: str) -> Kernel:
        return Softmax(reader.kernel_name(end.nodes), end.nodes, "Softmax", False, x, y, table, float(np.float32(factor)),
                       end.y.zero_point, lo, hi)

    _add_rows(reader, reference, axes, end, kernel)


def _softmax_axes(reader: Reader, rank: int, version: int) -> tuple[int, ...]:
    """Before opset 13, everything from the axis on is one dimension."""
    axis = _axes(reader, rank, -1 if version >= 13 else 1)
    return (axis,) if version >= 13 else tuple(range(axis, rank))


@handles("Softmax")
def _read_softmax(reader: Reader, node) -> None:
    """Over any axis: exponentials as integers of 24 bits out of three tables, their sum and its reciprocal in binary32."""
    x = operand(reader, 0)
    version = max((o.version for o in reader.model.opset_import if o.domain in ("", "ai.onnx")), default=13)
    name = node.output[0]
    reader.values[name] = Expression("softmax", (x,), (reader.node_name,), (name,), _softmax_axes(reader, len(x.shape), version))


@realises("softmax")
def _realise_softmax(reader: Reader, e: Expression, end: Epilogue) -> None:
    over = np.float32(1) / end.y.scale
    # The reference's integer kernel takes the whole part of 1 / scale for it.
    _softmax(reader, e.operands[0], e.attributes, end, math.floor(over) if end.fused else over)


@handles("QLinearSoftmax")
def _read_integer_softmax(reader: Reader, node) -> None:
    """As Softmax."""
    x = operand(reader, 0)
    reader.read_as(x, reader.quantisation(1, 2))
    y = reader.quantisation(3, 4)
    axes = _softmax_axes(reader, len(x.shape), reader.attributes().get("opset", 13))
    _softmax(reader, x, axes, Epilogue(y, (reader.node_name,)), math.floor(np.float32(1) / y.scale))


@handles("LayerNormalization")
def _read_normalisation(reader: Reader, node) -> None:
    """Over the last axes, with constant scale and bias; sums, inverse square root and the rest in binary32."""
    x = operand(reader, 0)
    if len(node.output) > 1 and any(node.output[1:]):
        raise Refused("its mean and deviation cannot be outputs")
    axes = tuple(range(_axes(reader, len(x.shape), -1), len(x.shape)))
    shape = tuple(x.shape[a] for a in axes)
    factors = []
    for index, what, neutral in ((1, "scale", 1.0), (2, "bias", 0.0)):
        value = reader.value(index)
        if value is not None and not isinstance(value, Constant):
            raise Refused(f"its {what} must be constant")
        array = np.full(shape, neutral, np.float32) if value is None else value.real
        try:
            factors.append(np.broadcast_to(array, shape).astype(np.float32).reshape(-1))
        except ValueError:
            raise Refused(f"its {what} is {list(array.shape)}, which cannot be broadcast to {list(shape)}") from None
    epsilon = float(reader.attributes().get("epsilon", 1e-5))
    name = node.output[0]
    reader.values[name] = Expression("normalise", (x,), (reader.node_name,), (name,), (axes, *factors, epsilon))


@realises("normalise")
def _realise_normalisation(reader: Reader, e: Expression, end: Epilogue) -> None:
    (reference,), (axes, gamma, beta, epsilon) = e.operands, e.attributes
    q = reader.of_tensor(reference.tensor)
    lo, hi, _ = clamp_of(end.clip, end.y)
    steps = max(epsilon / float(q.scale) ** 2, _SMALLEST_EPSILON)

    def kernel(x: str, y: str) -> Kernel:
        return Normalise(reader.kernel_name(end.nodes), end.nodes, "LayerNormalization", False, x, y, q.zero_point,
                         float(np.float32(steps)), (gamma / end.y.scale).astype(np.float32), (beta / end.y.scale).astype(np.float32),
                         end.y.zero_point, lo, hi)

    _add_rows(reader, reference, axes, end, kernel)
