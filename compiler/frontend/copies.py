"""Copies of elements between tensors as the model sees them: what operators that move elements are made of."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tenon.compiler.frontend.build import Epilogue
from tenon.compiler.frontend.operands import dequantised
from tenon.compiler.frontend.quantisation import table_of
from tenon.compiler.frontend.reader import Reader, Refused
from tenon.compiler.frontend.realise import realises
from tenon.compiler.frontend.values import Expression, Quantised, Reference
from tenon.compiler.frontend.views import add_move, axes_of, natural, placed, seen_as
from tenon.compiler.ir import Lookup
from tenon.compiler.move import Piece, Step, affine_runs

__all__ = ["Part", "Plan", "copied", "emit", "gathering", "operand", "repeated", "requantised", "whole"]


@dataclass(frozen=True)
class Part:
    """A piece in the model's coordinates: ``loops`` are (extent, source dimension or None, its step, destination
    dimension, its step)."""

    source: int
    start: tuple[int, ...]  # in the source
    to: tuple[int, ...]  # in the destination
    loops: tuple[tuple[int, int | None, int, int, int], ...]


@dataclass(frozen=True)
class Plan:
    """Shape of the result, its pieces, and the real number that stands between them; ``seen``: the shape in which the model
    sees it, if it is another one."""

    op: str
    shape: tuple[int, ...]
    parts: tuple[Part, ...]
    fill: float | None = None
    seen: tuple[int, ...] | None = None


def whole(source: int, shape: Sequence[int], to: Sequence[int]) -> Part:
    """All of an operand, to coordinate ``to``."""
    return Part(source, (0,) * len(shape), tuple(to), tuple((e, d, 1, d, 1) for d, e in enumerate(shape)))


def operand(reader: Reader, index: int) -> Reference:
    """The quantised tensor that an input is, dequantised or not."""
    x = reader.value(index)
    return x.reference if isinstance(x, Quantised) else dequantised(reader, index)


def emit(reader: Reader, sources: Sequence[Reference], plan: Plan, output: int = 0) -> None:
    """The node's result: at once if its inputs are bytes, else once it is quantised."""
    name = reader.node.output[output]
    if any(isinstance(reader.value(i), Quantised) for i in range(len(reader.node.input) if reader.node.op_type == "Concat" else 1)):
        q = reader.of_tensor(sources[0].tensor)
        if any(reader.of_tensor(s.tensor) != q for s in sources):
            raise Refused("its 8-bit inputs must have one scale and zero-point")
        reader.values[name] = Quantised(copied(reader, name, sources, plan, Epilogue(q, (reader.node_name,))))
    else:
        reader.values[name] = Expression("move", tuple(sources), (reader.node_name,), (name,), plan)


@realises("move")
def _realise(reader: Reader, e: Expression, end: Epilogue) -> None:
    name = reader.node.output[0]
    reader.values[name] = Quantised(copied(reader, name, e.operands, e.attributes, end))


def repeated(reader: Reader, x: Reference, shape: tuple[int, ...]) -> Reference:
    """``x`` broadcast to ``shape``: a copy of it, unless it has that shape."""
    if x.shape == shape:
        return x
    full = (1,) * (len(shape) - len(x.shape)) + x.shape
    source = Reference(x.tensor, full, x.order)
    parts = gathering([range(e) if e == wanted else [0] * wanted for e, wanted in zip(full, shape, strict=True)])
    name = reader.fresh_tensor(x.tensor)
    return copied(reader, name, [source], Plan("Expand", shape, parts), Epilogue(reader.of_tensor(x.tensor), ()), invented=True)


def copied(reader: Reader, name: str, sources: Sequence[Reference], plan: Plan, end: Epilogue, *,
            invented: bool = False) -> Reference:
    """Adds the copy, after what gives its operands the parameters of the result."""
    sources = [requantised(reader, s, end) for s in sources]
    views = []
    for number, source in enumerate(sources):
        axes = axes_of(reader, source)
        if axes is None:
            sources[number] = source = natural(reader, source)
            axes = axes_of(reader, source)
        views.append(axes)
    order = "NCHW" if len(plan.shape) >= 4 and all(_is_image(reader, s, plan.shape) for s in sources) else "same"
    nhwc, places = placed(plan.shape, order)
    y = reader.tensor(name, plan.shape, end.y, nhwc=nhwc, order=order, invented=invented)
    pieces = []
    for part in plan.parts:
        axes = views[part.source]
        steps = tuple(Step(extent, _scaled([(axes[source], by)]) if source is not None else (0, 0, 0, 0),
                           _scaled([(places[to], step)])) for extent, source, by, to, step in part.loops)
        pieces.append(Piece(part.source, _scaled(zip(axes, part.start)), _scaled(zip(places, part.to)), steps))
    fill = None if plan.fill is None else int(end.y.quantise(np.float32(plan.fill)))
    add_move(reader, plan.op, end.nodes, sources, y, pieces, fill)
    return y if plan.seen is None else seen_as(reader, y, plan.seen)


def _is_image(reader: Reader, x: Reference, result: tuple[int, ...]) -> bool:
    """Whether a result is to have an image's order because this operand has: with more dimensions, if rows and columns stay
    what they are, so that only channels are split."""
    return x.order == "NCHW" and (len(result) == 4 or result[-2:] == reader.tensors[x.tensor].shape[1:3])


def _scaled(terms) -> tuple[int, int, int, int]:
    total = [0, 0, 0, 0]
    for vector, factor in terms:
        total = [a + factor * b for a, b in zip(total, vector)]
    return tuple(total)


def requantised(reader: Reader, x: Reference, end: Epilogue) -> Reference:
    """``x`` with the parameters of the result: by a table, if it has others."""
    q = reader.of_tensor(x.tensor)
    if q == end.y and end.clip is None:
        return x
    low, high = (np.float32(v) for v in end.clip or (-np.inf, np.inf))
    t = reader.tensors[x.tensor]
    name = reader.fresh_tensor(x.tensor)
    out = reader.tensor(name, x.shape, end.y, nhwc=t.shape, order=x.order, invented=True)
    table = table_of(lambda real: np.clip(real, low, high), q, end.y)
    reader.kernels.append(Lookup(reader.kernel_name((name,)), (), "Requantise", True, x.tensor, name, table))
    return out


def gathering(indices: Sequence[Sequence[int]]) -> tuple[Part, ...]:
    """The parts of a result that takes, along each dimension, the elements of these indices."""
    parts = []
    for runs in itertools.product(*(affine_runs(list(index)) for index in indices)):
        loops = tuple((extent, d, step, d, to) for d, (_, found) in enumerate(runs) for extent, step, to in found)
        start = tuple(indices[d][first] for d, (first, _) in enumerate(runs))
        parts.append(Part(0, start, tuple(first for first, _ in runs), loops))
    return tuple(parts)
