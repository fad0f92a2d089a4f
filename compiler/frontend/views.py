"""Views: how the model sees a tensor of the graph, in coordinates; and copies that give a view a tensor of its own.

A coordinate of the model becomes a vector of NHWC steps in the tensor's own shape. A view that splits or joins
dimensions has several such steps for one dimension.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from tenon.compiler.frontend.reader import Reader, Refused
from tenon.compiler.frontend.values import Reference
from tenon.compiler.ir import Tensor
from tenon.compiler.move import ORIGIN, Move, Piece, Step, Vector

__all__ = ["add_move", "as_image", "as_lines", "axes_of", "natural", "placed", "seen_as", "transposed"]


def _unit(axis: int, by: int = 1) -> Vector:
    return tuple(by if d == axis else 0 for d in range(4))


def _dimensions(t: Tensor, order: str) -> list[tuple[int, int]]:
    """(extent, NHWC axis) in the order in which the model counts the tensor's elements, outermost first."""
    axes = (0, 3, 1, 2) if order == "NCHW" else (0, 1, 2, 3)
    return [(t.shape[a], a) for a in axes]


def axes_of(reader: Reader, reference: Reference) -> list[Vector] | None:
    """What a step along each of the view's dimensions is in the tensor; None if a dimension is neither one of the tensor's nor
    a digit of one.

    Dimensions of one element may stand anywhere.
    """
    if len(reference.shape) > 4 and reference.order == "same":
        nhwc, places = placed(reference.shape, "same")
        if reader.tensors[reference.tensor].shape == nhwc:
            return places
    have = [(e, a) for e, a in _dimensions(reader.tensors[reference.tensor], reference.order) if e > 1]
    steps = _steps(reference.shape, have)
    if steps is None or any(len(parts) > 1 for parts in steps):
        return None
    return [parts[0][1] if parts else ORIGIN for parts in steps]


def placed(shape: Sequence[int], order: str) -> tuple[tuple[int, int, int, int], list[Vector]]:
    """NHWC shape of a new tensor that the model sees as ``shape``, and the steps along its dimensions.

    Beyond four dimensions, all elements stand in a row, or, in the order of an image, all dimensions between the first one
    and the last two are digits of the channels.
    """
    if len(shape) > 4 and order == "NCHW":
        n, *digits, h, w = shape
        weights = [math.prod(digits[i + 1:]) for i in range(len(digits))]
        return (n, h, w, math.prod(digits)), [_unit(0), *(_unit(3, by) for by in weights), _unit(1), _unit(2)]
    if len(shape) > 4:
        weights = [math.prod(shape[i + 1:]) for i in range(len(shape))]
        return (1, 1, 1, math.prod(shape)), [_unit(3, w) for w in weights]
    if order == "NCHW":
        n, c, h, w = shape
        return (n, h, w, c), [_unit(a) for a in (0, 3, 1, 2)]
    lead = 4 - len(shape)
    return (1,) * lead + tuple(shape), [_unit(lead + i) for i in range(len(shape))]


def natural(reader: Reader, reference: Reference, order: str = "same") -> Reference:
    """The view as a tensor of exactly its shape, in ``order`` ("NCHW": an image); a copy of it if need be."""
    nhwc, _ = placed(reference.shape, order)
    t = reader.tensors[reference.tensor]
    if t.shape == nhwc and _same_order(t, reference.order, order):
        return Reference(reference.tensor, reference.shape, order)
    steps = _steps(reference.shape, _dimensions(t, reference.order))
    if steps is None:  # through all elements in a row, which every shape divides
        flat = Reference(reference.tensor, (math.prod(reference.shape),), reference.order)
        return natural(reader, Reference(natural(reader, flat).tensor, reference.shape, "same"), order)
    q = reader.of_tensor(reference.tensor)
    name = reader.fresh_tensor(reference.tensor)
    _, places = placed(reference.shape, order)
    loops = []
    for parts, place in zip(steps, places, strict=True):
        weight = 1
        for extent, step in parts:
            loops.append(Step(extent, step, tuple(weight * v for v in place)))
            weight *= extent
    copy = reader.tensor(name, reference.shape, q, nhwc=nhwc, order=order, invented=True)
    add_move(reader, "Copy", (), [reference], copy, [Piece(0, ORIGIN, ORIGIN, tuple(loops))])
    return copy


def as_image(reader: Reader, reference: Reference) -> Reference:
    """The view as an NCHW image.

    Raises
    ------
    Refused
        If it does not have four dimensions.
    """
    if len(reference.shape) != 4:
        raise Refused(f"its input must have 4 dimensions (NCHW), not {len(reference.shape)}")
    return natural(reader, reference, "NCHW")


def as_lines(reader: Reader, reference: Reference) -> tuple[Reference, bool]:
    """The view as an NCHW image, and whether it has one spatial dimension only: its images are then single rows."""
    if len(reference.shape) != 3:
        return as_image(reader, reference), False
    n, c, w = reference.shape
    return as_image(reader, Reference(reference.tensor, (n, c, 1, w), reference.order)), True


def seen_as(reader: Reader, reference: Reference, shape: Sequence[int]) -> Reference:
    """A tensor that the node makes, as the model sees it: reshaped, though the kernel that writes it knows another shape."""
    shape, order = tuple(shape), reference.order
    n, h, w, c = reader.tensors[reference.tensor].shape
    if h * w == 1:
        order = "NCHW" if shape == (n, c, 1, 1) else "same"
    reader.tensors[reference.tensor] = replace(reader.tensors[reference.tensor], onnx_shape=shape, onnx_order=order)
    return Reference(reference.tensor, shape, order)


def _same_order(t: Tensor, ours: str, theirs: str) -> bool:
    """Whether both orders name the same element by the same coordinates."""
    n, h, w, c = t.shape
    return ours == theirs or h * w == 1 or c == 1


def _steps(shape: Sequence[int], dimensions: list[tuple[int, int]]) -> list[list[tuple[int, Vector]]] | None:
    """For each dimension of a view, innermost loop first, (extent, step in the tensor); None if the view's dimensions cut
    the tensor's unevenly."""
    rest = [(e, a, 1) for e, a in dimensions if e > 1]
    found = []
    for size in reversed(shape):
        parts = []
        while size > 1:
            extent, axis, weight = rest.pop()
            if size % extent and extent % size:
                return None
            taken = min(size, extent)
            parts.append((taken, _unit(axis, weight)))
            size //= taken
            if extent > taken:
                rest.append((extent // taken, axis, weight * taken))
        found.append(parts)
    return found[::-1]


def add_move(reader: Reader, op: str, nodes: tuple[str, ...], sources: Sequence[Reference], y: Reference, pieces: Sequence[Piece],
             fill: int | None = None) -> None:
    """Adds the copy of ``pieces`` from the tensors of ``sources``."""
    if any(s.tensor in reader.unscaled for s in sources):
        reader.unscaled.add(y.tensor)
    kept = tuple(Piece(p.source, p.x0, p.y0, tuple(s for s in p.steps if s.extent > 1)) for p in pieces)
    reader.kernels.append(Move(reader.kernel_name(nodes or (f"{y.tensor}_copy",)), nodes, op, True,
                               tuple(s.tensor for s in sources), y.tensor, kept, fill))


def transposed(reader: Reader, reference: Reference, perm: Sequence[int]) -> Reference:
    """The view with its dimensions in another order, as a tensor of its own; itself if nothing changes."""
    if list(perm) == sorted(perm):
        return reference
    axes = axes_of(reader, reference)
    if axes is None:
        reference = natural(reader, reference)
        axes = axes_of(reader, reference)
    shape = tuple(reference.shape[p] for p in perm)
    nhwc, places = placed(shape, "same")
    out = reader.tensor(reader.fresh_tensor(reference.tensor), shape, reader.of_tensor(reference.tensor), nhwc=nhwc, order="same",
                        invented=True)
    steps = tuple(Step(e, axes[p], place) for e, p, place in zip(shape, perm, places, strict=True))
    add_move(reader, "Transpose", (), [reference], out, [Piece(0, ORIGIN, ORIGIN, steps)])
    return out
