"""What an instruction moves over the bus, burst by burst, read off its effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tenon.acg.expr import Aff, Choose, Expr, Op, Val, walk
from tenon.acg.mnemonic import Access, accesses
from tenon.tb.functional import Instruction

__all__ = ["Transfer", "transfer_of"]


@dataclass(frozen=True)
class Transfer:
    """Bursts in order: ``beats`` on the bus (0: a run that needs none), ``cycles`` that the on-chip side takes."""

    write: bool  # towards DRAM
    beats: tuple[int, ...]
    cycles: tuple[int, ...]


def transfer_of(instruction: Instruction, on_chip: frozenset[str], bus_bytes: int, burst_beats: int) -> Transfer | None:
    """The bursts of an instruction, or None if it touches no DRAM.

    DRAM segments are taken to begin at multiples of a burst's bytes.
    """
    mnemonic, fields = instruction.mnemonic, instruction.fields
    chosen = [a for a in accesses(mnemonic) if a.chosen(fields)]
    outside = [a for a in chosen if a.memory not in on_chip]
    if not outside:
        return None
    far, = outside
    near, = (a for a in chosen if a.memory in on_chip)
    # Loops in the order of execution; the innermost, bytes of a run, is contiguous on both sides.
    *levels, run = mnemonic.effect.loops
    shape = [l.count(fields) for l in levels]
    n = run.count(fields)
    by_extent = {l.extent: i for i, l in enumerate(levels)}

    def addresses(access: Access) -> np.ndarray:
        steps = {by_extent[extent]: int(fields[s]) if isinstance(s, str) else s
                 for s, extent in access.terms if extent in by_extent}
        return _affine(int(fields[access.base]), steps, shape)

    low, high = _inside(mnemonic.effect.expr, fields, [l.name for l in levels], run.name, shape, n)
    source, target = addresses(far), addresses(near)
    sourced = high > low
    first = (source + low) // bus_bytes
    last = np.where(sourced, (source + high - 1) // bus_bytes, first)
    touched = (target + n - 1) // bus_bytes - target // bus_bytes + 1
    return Transfer(far.write, *_cut(first, last, sourced, touched, burst_beats))


def _affine(base: int, steps: Mapping[int, int], shape: list[int]) -> np.ndarray:
    total = np.full(shape, base, np.int64)
    for axis, step in steps.items():
        along = np.arange(shape[axis], dtype=np.int64) * step
        total += along.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return total.ravel()


def _inside(expr: Expr, fields: Mapping[str, object], levels: list[str], run: str, shape: list[int],
            n: int) -> tuple[np.ndarray, np.ndarray]:
    """First byte inside the effect's guards and the one after the last, for each run."""
    low = np.zeros(int(np.prod(shape)), np.int64)
    high = np.full_like(low, n)
    for node in walk(expr):
        if isinstance(node, Op) and node.name == "within":
            coordinate, limit = (_chosen(a, fields) for a in node.args)
            bound = Aff.of(coordinate.value).bind(fields)
            top = Aff.of(limit.value).bind(fields).get("", 0)
            at = _affine(bound.get("", 0), {i: bound[l] for i, l in enumerate(levels) if l in bound}, shape)
            if bound.get(run, 0):  # steps along the run, by 1
                low, high = np.maximum(low, -at), np.minimum(high, top - at)
            else:
                high = np.where((at >= 0) & (at < top), high, 0)
    return low, high


def _chosen(expr: Expr, fields: Mapping[str, object]) -> Val:
    while isinstance(expr, Choose):
        expr = expr.alternatives[int(fields[expr.field])]
    return expr


def _cut(first: np.ndarray, last: np.ndarray, sourced: np.ndarray, touched: np.ndarray,
         limit: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Bursts of runs of bus words ``first..last``, ended at multiples of ``limit`` words; and their on-chip cycles."""
    pieces = np.where(sourced, last // limit - first // limit + 1, 1)
    run = np.repeat(np.arange(first.size), pieces)
    piece = np.arange(run.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    page = first[run] // limit + piece
    begin, end = np.maximum(first[run], page * limit), np.minimum(last[run], page * limit + limit - 1)
    beats = np.where(sourced[run], end - begin + 1, 0)
    # Words touched on chip beyond the run's beats are written with its last burst.
    total = np.where(sourced, last - first + 1, 0)
    spare = np.maximum(touched - total, 0)
    cycles = beats + np.where(piece == pieces[run] - 1, spare[run], 0)
    return tuple(beats.tolist()), tuple(cycles.tolist())
