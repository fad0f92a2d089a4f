"""Executes nests with numpy: the functional meaning of instructions, and of operators.

A value is (axes, array): only the loops that it depends on, extent-1 loops dropped. A load is a strided view of
the memory, so numpy itself refuses to leave it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tenon.acg.expr import Aff, Choose, Expr, Load, Lookup, Nest, Op, Reduce, Val
from tenon.acg.ops import OPS

__all__ = ["guarded", "run"]

_DTYPES = {"u8": np.uint8, "i8": np.int8, "i32": np.int32, "f32": np.float32}

#: Integer products are summed in binary32 (binary64) when no partial sum can reach this.
_EXACT_F32, _EXACT_F64 = 2**24, 2**53

Value = tuple[tuple[str, ...], np.ndarray]


def run(nest: Nest, env: Mapping[str, object], memories: Mapping[str, np.ndarray]) -> None:
    """Executes ``nest`` with its fields bound by ``env``.

    Parameters
    ----------
    memories : mapping of str to ndarray of uint8
        Bytes of each memory; written in place. All reads happen before the writes.

    Raises
    ------
    IndexError
        If an access leaves its memory.
    """
    evaluation = _Evaluation(env, memories)
    evaluation.extents.update({l.name: l.count(env) for l in nest.loops})
    axes, value = evaluation.value(nest.expr)
    destination = nest.destination
    while isinstance(destination, Choose):
        destination = destination.alternatives[int(env[destination.field])]
    loops = tuple(l.name for l in nest.loops if evaluation.extents[l.name] > 1)
    target = evaluation.view(destination, loops)
    target[...] = _aligned((axes, value), loops).astype(target.dtype, copy=False)


def guarded(nest: Nest, env: Mapping[str, object]) -> int:
    """How many elements ``nest``, a copy, reads: those inside its guard, or all if it has none."""
    evaluation = _Evaluation(env, {})
    evaluation.extents.update({l.name: l.count(env) for l in nest.loops})
    total = math.prod(evaluation.extents.values())
    expr = nest.expr
    if not isinstance(expr, Op) or expr.name != "select":
        return total
    axes, inside = evaluation.value(expr.args[0])
    return int(np.count_nonzero(inside)) * (total // max(np.asarray(inside).size, 1))


def _aligned(value: Value, loops: tuple[str, ...]) -> np.ndarray:
    """The array with its axes in the order of ``loops``, and an axis of length 1 for each loop it lacks."""
    axes, array = value
    if axes == loops:
        return array
    order = [axes.index(l) for l in loops if l in axes]
    shape = [array.shape[axes.index(l)] if l in axes else 1 for l in loops]
    return np.transpose(array, order).reshape(shape)


def _summed(value: Value, loops: list[str]) -> Value:
    axes, array = value
    if not loops:
        return value
    return tuple(l for l in axes if l not in loops), array.sum(tuple(axes.index(l) for l in loops), dtype=np.int64)


class _Evaluation:
    """One execution of a nest: bound fields, extents, and values already computed."""

    def __init__(self, env: Mapping[str, object], memories: Mapping[str, np.ndarray]):
        self.env, self.memories = env, memories
        self.extents: dict[str, int] = {}
        self._known: dict[int, Value] = {}

    def value(self, expr: Expr) -> Value:
        while isinstance(expr, Choose):
            expr = expr.alternatives[int(self.env[expr.field])]
        known = self._known.get(id(expr))
        if known is None:
            known = self._known[id(expr)] = self._compute(expr)
        return known

    def _compute(self, expr: Expr) -> Value:
        if isinstance(expr, Val):
            return self._scalar(expr)
        if isinstance(expr, Load):
            loops = self._used(expr.address)
            return loops, self.view(expr, loops)
        if isinstance(expr, Lookup):
            axes, index = self.value(expr.index)
            base = expr.base.bind(self.env).get("", 0)
            return axes, self._bytes(expr.table.name, base, 256)[index]
        if isinstance(expr, Reduce):
            return self._reduce(expr)
        if expr.name == "select":
            return self._select(expr)
        return self._apply(expr.name, [self.value(a) for a in expr.args])

    def _apply(self, name: str, values: list[Value]) -> Value:
        axes = tuple(dict.fromkeys(l for v in values for l in v[0]))
        arrays = [_aligned(v, axes) if v[0] else v[1] for v in values]
        arrays = [a.astype(np.int32) if a.dtype in (np.uint8, np.int8) and name != "f32" else a for a in arrays]
        return axes, np.asarray(OPS[name].meaning(*arrays))

    def _scalar(self, expr: Val) -> Value:
        value = expr.value
        if isinstance(value, Aff) and expr.element == "f32":
            ((_, name), _), = value.terms
            return (), np.float32(self.env[name])
        if not isinstance(value, Aff):
            return (), np.asarray(value, _DTYPES[expr.element])
        bound = value.bind(self.env)
        loops = self._used(value)
        total = np.asarray(bound.get("", 0), np.int64)
        for k, l in enumerate(loops):
            steps = np.arange(self.extents[l], dtype=np.int64) * bound[l]
            total = total + steps.reshape([-1 if j == k else 1 for j in range(len(loops))])
        return loops, total if loops else total.astype(np.int32)

    def _used(self, address: Aff) -> tuple[str, ...]:
        bound = address.bind(self.env)
        return tuple(l for l in self.extents if self.extents[l] > 1 and bound.get(l, 0) != 0)

    def _bytes(self, memory: str, first: int, count: int) -> np.ndarray:
        held = self.memories[memory]
        if first < 0 or first + count > held.size:
            raise IndexError(f"bytes {first}..{first + count - 1} are outside {memory} of {held.size} bytes")
        return held[first:first + count]

    def view(self, load: Load, loops: tuple[str, ...]) -> np.ndarray:
        """Strided view of the load's memory along ``loops``."""
        bound = load.address.bind(self.env)
        dtype = np.dtype(_DTYPES[load.operand.element])
        shape = [self.extents[l] for l in loops]
        strides = [bound.get(l, 0) for l in loops]
        low = bound.get("", 0) + sum(min(0, s * (n - 1)) for s, n in zip(strides, shape, strict=True))
        high = bound.get("", 0) + sum(max(0, s * (n - 1)) for s, n in zip(strides, shape, strict=True))
        held = self._bytes(load.operand.name, low, high - low + dtype.itemsize)
        return np.ndarray(shape, dtype, held, bound.get("", 0) - low, strides)

    def _select(self, expr: Op) -> Value:
        """``select(inside, load, fill)`` where the load may lie outside its memory: only what is inside is read."""
        condition, source, other = expr.args
        inside_axes, inside = self.value(condition)
        if inside.all():
            return self.value(source)
        while isinstance(source, Choose):
            source = source.alternatives[int(self.env[source.field])]
        axes, address = self._scalar(Val(source.address))
        loops = tuple(l for l in self.extents if l in axes or l in inside_axes)
        shape = [self.extents[l] for l in loops]
        mask = np.broadcast_to(_aligned((inside_axes, inside), loops), shape)
        result = np.full(shape, self.value(other)[1], np.uint8)
        wanted = np.broadcast_to(_aligned((axes, address), loops), shape)[mask]
        if wanted.size:
            held = self.memories[source.operand.name]
            if wanted.min() < 0 or wanted.max() >= held.size:
                raise IndexError(f"bytes {wanted.min()}..{wanted.max()} are outside {source.operand.name} "
                                 f"of {held.size} bytes")
            result[mask] = held[wanted]
        return loops, result

    def _reduce(self, expr: Reduce) -> Value:
        counts = {l.name: l.count(self.env) for l in expr.loops}
        self.extents = {**self.extents, **counts}
        reduced = tuple(l for l, n in counts.items() if n > 1)
        body = expr.body
        if expr.op == "add" and isinstance(body, Op) and body.name == "mul":
            left, right = (self.value(a) for a in body.args)
            if left[1].dtype == np.int32 and right[1].dtype == np.int32:
                return self._product(left, right, counts)
        axes, array = self.value(body)
        if array.dtype == np.float32:
            return self._ordered(expr.op, axes, array, counts, reduced)
        keep = tuple(l for l in axes if l not in reduced)
        dims = tuple(axes.index(l) for l in axes if l in reduced)
        missing = int(np.prod([n for l, n in counts.items() if l not in axes], dtype=np.int64))
        if expr.op == "add":
            return keep, (array.sum(dims, dtype=np.int64) * missing).astype(np.int32)
        return keep, getattr(np, expr.op)(array, axis=dims)

    def _ordered(self, op: str, axes, array: np.ndarray, counts: dict[str, int], reduced) -> Value:
        """binary32: term after term in the order of the loops, vectorised over everything else."""
        keep = tuple(l for l in axes if l not in reduced)
        terms = _aligned((axes, array), (*(l for l in reduced if l in axes), *keep))
        lacking = [l not in axes for l in reduced]
        if any(lacking):  # a body that does not depend on a reduced loop still counts that often
            front = [1 if lack else counts[l] for l, lack in zip(reduced, lacking, strict=True)]
            shape = [counts[l] for l in reduced]
            terms = terms.reshape([*front, *terms.shape[len(reduced) - sum(lacking):]])
            terms = np.broadcast_to(terms, [*shape, *terms.shape[len(reduced):]])
        terms = terms.reshape([-1, *(self.extents[l] for l in keep)])
        total = terms[0]
        for term in terms[1:]:
            total = OPS[op].meaning(total, term)
        return keep, np.asarray(total)

    def _product(self, left: Value, right: Value, counts: dict[str, int]) -> Value:
        """Sum of integer products as one matrix product per step of what is in both and kept."""
        shared = [l for l in left[0] if l in right[0]]
        batch = tuple(l for l in shared if l not in counts)
        inner = tuple(l for l in shared if l in counts)
        times = int(np.prod([n for l, n in counts.items() if l not in left[0] and l not in right[0]], dtype=np.int64))
        # A reduced loop of one side only is summed there first.
        left, right = (_summed(v, [l for l in v[0] if l in counts and l not in shared]) for v in (left, right))
        rows = tuple(l for l in left[0] if l not in shared)
        cols = tuple(l for l in right[0] if l not in shared)
        a = _aligned(left, (*batch, *rows, *inner))
        b = _aligned(right, (*batch, *inner, *cols))
        size = self.extents

        def flat(*groups):
            return [int(np.prod([size[l] for l in g], dtype=np.int64)) for g in groups]

        nb, nm, nk, nn = flat(batch, rows, inner, cols)
        a, b = a.reshape(nb, nm, nk), b.reshape(nb, nk, nn)
        a32, b32 = a.astype(np.float32), b.astype(np.float32)  # exact: factors have few bits
        reach = float(np.abs(a32).max(initial=0)) * float(np.abs(b32).sum(1).max(initial=0))
        if reach < _EXACT_F32:
            total = np.matmul(a32, b32).astype(np.int32)
        elif reach < _EXACT_F64:
            total = np.matmul(a.astype(np.float64), b.astype(np.float64)).astype(np.int64)
        else:
            total = np.matmul(a.astype(np.int64), b.astype(np.int64))
        total = (total if times == 1 else total.astype(np.int64) * times).astype(np.int32)
        axes = (*batch, *rows, *cols)
        return axes, total.reshape([size[l] for l in axes])
