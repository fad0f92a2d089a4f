"""Copies of copies: one that only permutes a tensor is left out where other copies read its result."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tenon.compiler.ir import Graph, Kernel
from tenon.compiler.move import ORIGIN, Move, Piece, Step, Vector, plus

__all__ = ["unchained"]


@dataclass(frozen=True)
class _Digit:
    """A digit of a coordinate of a permutation's result: ``extent`` values worth ``weight`` each, which are as many times
    ``x`` in its source."""

    extent: int
    weight: int
    x: Vector


@dataclass(frozen=True)
class _Permutation:
    """Where the result's first element comes from, and the digits of each of its coordinates, lowest first."""

    start: Vector
    digits: tuple[tuple[_Digit, ...], ...]


def unchained(graph: Graph) -> Graph:
    """The graph in which copies read the source of a permutation instead of its result, where nothing else reads that; of
    several copies only if the permutation keeps channels together, so that none moves smaller pieces than before."""
    readers: dict[str, list[Kernel]] = {}
    for kernel in graph.kernels:
        for name in kernel.inputs:
            readers.setdefault(name, []).append(kernel)
    maker = {kernel.y: kernel for kernel in graph.kernels}
    kernels: list[Kernel] = []
    gone: dict[str, tuple[str, ...]] = {}  # permutations that are left out, and nodes that no copy has taken over
    for kernel in graph.kernels:
        maker[kernel.y] = kernel = _from_sources(kernel, maker, gone)
        mine = readers.get(kernel.y, [])
        movers = bool(mine) and all(isinstance(k, Move) and k.xs.count(kernel.y) == 1 for k in mine) and kernel.y not in graph.outputs
        found = _permutation(kernel) if movers and isinstance(kernel, Move) else None
        if found is not None and (len(mine) == 1 or _together(kernel)) and all(
                _through(p, found) for k in mine for p in k.pieces if k.xs[p.source] == kernel.y):
            gone[kernel.y] = kernel.nodes
            continue
        kernels.append(kernel)
    return replace(graph, kernels=tuple(kernels))


def _from_sources(kernel: Kernel, maker: dict[str, Kernel], gone: dict[str, tuple[str, ...]]) -> Kernel:
    """The copy ``kernel`` out of what the permutations before it read that are ``gone``; whose nodes are the first copy's."""
    if not isinstance(kernel, Move):
        return kernel
    for place, name in enumerate(kernel.xs):
        if name in gone:
            found, first = _permutation(maker[name]), maker[name]
            pieces = tuple(_through(p, found) if p.source == place else p for p in kernel.pieces)
            xs = (*kernel.xs[:place], first.xs[0], *kernel.xs[place + 1:])
            kernel = replace(kernel, xs=xs, pieces=pieces, nodes=(*gone[name], *kernel.nodes))
            gone[name] = ()
    return kernel


def _together(move: Move) -> bool:
    """Whether what lies side by side in the result does so in the source."""
    return any(s.x == s.y == (0, 0, 0, 1) and s.extent > 1 for s in move.pieces[0].steps)


def _permutation(move: Move) -> _Permutation | None:
    """What a copy of one piece that writes all of its result does to coordinates."""
    if len(move.pieces) != 1 or move.fill is not None or move.pieces[0].y0 != ORIGIN:
        return None
    (piece,) = move.pieces
    digits = []
    for axis in range(4):
        mine = sorted((_Digit(s.extent, s.y[axis], s.x) for s in piece.steps if s.y[axis]), key=lambda d: d.weight)
        if any(s.y[axis] < 0 or sum(map(bool, s.y)) > 1 for s in piece.steps if s.y[axis]):
            return None
        weight = 1
        for digit in mine:
            if digit.weight != weight:
                return None
            weight *= digit.extent
        digits.append(tuple(mine))
    return _Permutation(piece.x0, tuple(digits))


def _through(piece: Piece, moved: _Permutation) -> Piece | None:
    """``piece`` out of what the permutation reads; None if a step crosses a digit unevenly."""
    x0, steps = moved.start, []
    reached: dict[tuple[int, int], int] = {}  # by axis and digit: the largest value so far
    for axis, rest in enumerate(piece.x0):
        for i, digit in reversed(list(enumerate(moved.digits[axis]))):
            value, rest = divmod(rest, digit.weight)
            reached[axis, i] = value
            x0 = plus(x0, digit.x, value)
        if rest:
            return None
    for step in piece.steps:
        parts = _digits(step, moved, reached)
        if parts is None:
            return None
        steps += parts
    return replace(piece, x0=x0, steps=tuple(steps))


def _digits(step: Step, moved: _Permutation, reached: dict[tuple[int, int], int]) -> list[Step] | None:
    """A loop over the result as loops over the source; notes how far each digit goes."""
    axes = [axis for axis in range(4) if step.x[axis]]
    if not axes:
        return [Step(step.extent, ORIGIN, step.y)]
    if len(axes) > 1 or step.x[axes[0]] < 0:
        return None
    (axis,), by = axes, step.x[axes[0]]
    found, left, y = [], step.extent, step.y
    for i, digit in enumerate(moved.digits[axis]):
        above = digit.weight * digit.extent
        if by >= above or left == 1:
            continue
        times, rest = divmod(by, digit.weight)
        if rest:
            return None
        taken = left if reached[axis, i] + times * (left - 1) < digit.extent else digit.extent if times == 1 and not reached[axis, i] else 0
        if not taken or left % taken:
            return None
        reached[axis, i] += times * (taken - 1)
        found.append(Step(taken, tuple(times * v for v in digit.x), y))
        left, y, by = left // taken, tuple(taken * v for v in y), above
    return found if left == 1 else None
