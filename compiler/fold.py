"""Folding: a concatenation whose operands are whole channel blocks is no work, its readers read the operands instead."""

from __future__ import annotations

from dataclasses import replace

from tenon.compiler.ir import Add, Conv, Graph, Lookup, Pool
from tenon.compiler.move import Move
from tenon.compiler.pair import Largest, Multiply

__all__ = ["folded"]

_READERS = (Add, Conv, Largest, Lookup, Multiply, Pool)  # kernels that can take a tensor in parts


def folded(graph: Graph, block: int) -> tuple[Graph, dict[str, tuple[tuple[int, str], ...]]]:
    """The graph without such concatenations, and what each of their results consists of: (first channel, tensor).

    ``block`` is the number of channels in a block of the layout between layers. Results that the host reads stay.
    """
    rows: dict[str, list[tuple[int, str]]] = {}  # by the result, last first: readers are known before what they read
    for kernel in reversed(graph.kernels):
        readers = [k for k in graph.kernels if kernel.y in k.inputs]
        if all(isinstance(k, _READERS) or k.y in rows for k in readers):
            found = _parts(graph, kernel, block)
            if found is not None:
                rows[kernel.y] = found
    parts: dict[str, tuple[tuple[int, str], ...]] = {}
    kernels = []
    for kernel in graph.kernels:
        found = rows.get(kernel.y)
        if found is None:
            kernels.append(kernel)
        else:
            parts[kernel.y] = tuple((first + inner, name) for first, source in found
                                    for inner, name in parts.get(source, ((0, source),)))
    return replace(graph, kernels=tuple(kernels)), parts


def _parts(graph: Graph, kernel, block: int) -> list[tuple[int, str]] | None:
    """First channel and tensor of each operand, if ``kernel`` puts whole blocks side by side."""
    if not isinstance(kernel, Move) or kernel.fill is not None and not kernel.open or kernel.y in graph.outputs:
        return None
    found = []
    for piece in kernel.pieces:
        name = kernel.xs[piece.source]
        n, h, w, c = shape = graph.tensors[name].shape
        whole = {(e, axis): axis for axis, e in enumerate(shape) if e > 1}
        steps = {(s.extent, s.x.index(1)) for s in piece.steps if s.x == s.y and sorted(s.x) == [0, 0, 0, 1]}
        straight = piece.x0 == (0, 0, 0, 0) and piece.y0[:3] == (0, 0, 0) and steps == set(whole) and len(piece.steps) == len(whole)
        first = piece.y0[3]
        last = first + c == graph.tensors[kernel.y].shape[3]
        ragged = c % block and not last and not kernel.open
        if not straight or name in graph.inputs or name in graph.outputs or first % block or ragged:
            return None
        found.append((first, name))
    return sorted(found)
