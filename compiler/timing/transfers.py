"""What LOADs and STOREs move, as events.cpp wants it: levels, addresses and guards of many at once, read off the effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from tenon.acg.expr import Choose, Expr, Op, Val, walk
from tenon.acg.mnemonic import Access, Mnemonic, accesses
from tenon.compiler.errors import CompileError
from tenon.compiler.timing.columns import Columns, affine, chosen
from tenon.compiler.timing.native import GUARDS, LEVELS

__all__ = ["TRANSFER_COLUMNS", "bus_words", "moves", "transfers", "transfer_fields"]

_AFFINE = 1 + LEVELS
_GUARD = _AFFINE + 2
TRANSFER_COLUMNS = 1 + LEVELS + 1 + 2 * _AFFINE + GUARDS * _GUARD


def moves(mnemonic: Mnemonic, on_chip: frozenset[str]) -> bool:
    """Whether it goes to DRAM."""
    return any(a.memory not in on_chip for a in accesses(mnemonic))


def transfer_fields(mnemonic: Mnemonic) -> frozenset[str]:
    """Fields that ``transfers`` looks at."""
    names = {l.extent for l in mnemonic.effect.loops if isinstance(l.extent, str)}.union(*(a.fields for a in accesses(mnemonic)))
    for node in walk(mnemonic.effect.expr):
        if isinstance(node, Choose):
            names.add(node.field)
        if isinstance(node, Val):
            names |= {field for (_, field), _ in node.value.terms if field}
    return frozenset(names)


def transfers(mnemonic: Mnemonic, columns: Columns, count: int, on_chip: frozenset[str]) -> np.ndarray:
    """A row of events.cpp's ``Transfer`` for each of ``count`` instructions.

    Raises
    ------
    CompileError
        If the effect is more than runs of bytes in a few levels.
    """
    *levels, run = mnemonic.effect.loops
    guards = [node for node in walk(mnemonic.effect.expr) if isinstance(node, Op) and node.name == "within"]
    if len(levels) > LEVELS or len(guards) > GUARDS:
        raise CompileError(f"{mnemonic.name} moves runs in {len(levels)} levels with {len(guards)} guards; transfers are timed "
                           f"of at most {LEVELS} and {GUARDS}")
    padding = LEVELS - len(levels)
    rows = np.zeros((count, TRANSFER_COLUMNS), np.int64)
    rows[:, 1:1 + LEVELS] = 1
    for k, level in enumerate(levels):
        rows[:, 1 + padding + k] = _extent(level, columns)
    rows[:, 1 + LEVELS] = _extent(run, columns)

    def addresses(access: Access) -> np.ndarray:
        """Base and steps of each instruction."""
        found = np.zeros((count, _AFFINE), np.int64)
        found[:, 0] = columns[access.base]
        by_extent = {level.extent: k for k, level in enumerate(levels)}
        for step, extent in access.terms:
            if extent in by_extent:
                found[:, 1 + padding + by_extent[extent]] = columns[step] if isinstance(step, str) else step
        return found * access.unit

    outside = slice(2 + LEVELS, 2 + LEVELS + _AFFINE)
    inside = slice(outside.stop, outside.stop + _AFFINE)
    for access in accesses(mnemonic):
        mask = chosen(access, columns, count)
        rows[mask, inside if access.memory in on_chip else outside] = addresses(access)[mask]
        if access.memory not in on_chip:
            rows[mask, 0] = access.write
    for number in range(GUARDS):
        at = inside.stop + number * _GUARD
        rows[:, at + _AFFINE + 1] = 1  # 0 is inside
        if number < len(guards):
            coordinate, limit = guards[number].args
            for mask, value in _alternatives(coordinate, columns, np.ones(count, bool)):
                rows[mask, at] = affine(value.value, "", columns, count)[mask]
                for k, level in enumerate(levels):
                    rows[mask, at + 1 + padding + k] = affine(value.value, level.name, columns, count)[mask]
                rows[mask, at + _AFFINE] = affine(value.value, run.name, columns, count)[mask]
            for mask, value in _alternatives(limit, columns, np.ones(count, bool)):
                rows[mask, at + _AFFINE + 1] = affine(value.value, "", columns, count)[mask]
    return rows


def bus_words(rows: np.ndarray, bus_bytes: int) -> tuple[int, int]:
    """Words of the bus that all of ``transfers``' rows read from DRAM, and write there. Segments begin at whole words.

    Transfers that differ in where they are, not in how, are looked at once.
    """
    rows = rows.copy()
    rows[:, 2 + LEVELS] %= bus_bytes
    rows[:, 2 + LEVELS + _AFFINE:2 + LEVELS + 2 * _AFFINE] = 0  # on chip
    alike = Counter(map(bytes, rows))
    rows, times = np.frombuffer(b"".join(alike), np.int64).reshape(-1, TRANSFER_COLUMNS), np.fromiter(alike.values(), np.int64)
    runs = rows[:, 1:1 + LEVELS].prod(1)
    each = np.repeat(np.arange(len(rows)), runs)
    steps, left = np.ones((len(each), _AFFINE), np.int64), np.arange(len(each)) - np.repeat(np.cumsum(runs) - runs, runs)
    for level in reversed(range(LEVELS)):
        left, steps[:, 1 + level] = np.divmod(left, rows[each, 1 + level])

    def at(first: int) -> np.ndarray:
        """The address, or coordinate, whose base and steps begin in this column; of each run."""
        return (rows[:, first:first + _AFFINE][each] * steps).sum(1)

    low, high = np.zeros(len(each), np.int64), rows[each, 1 + LEVELS]
    for number in range(GUARDS):
        first = 2 + LEVELS + 2 * _AFFINE + number * _GUARD
        place, along, limit = at(first), rows[each, first + _AFFINE], rows[each, first + _AFFINE + 1]
        low = np.where(along == 1, np.maximum(low, -place), low)
        high = np.where(along == 1, np.minimum(high, limit - place), np.where((place >= 0) & (place < limit), high, 0))
    source = at(2 + LEVELS)
    words = np.where(high > low, (source + high - 1) // bus_bytes - (source + low) // bus_bytes + 1, 0) * times[each]
    write = rows[each, 0] == 1
    return int(words[~write].sum()), int(words[write].sum())


def _extent(loop, columns: Columns) -> np.ndarray | int:
    return columns[loop.extent] if isinstance(loop.extent, str) else loop.extent


def _alternatives(expr: Expr, columns: Columns, mask: np.ndarray) -> Iterator[tuple[np.ndarray, Val]]:
    """What ``expr`` is for which instructions, by their choices."""
    if isinstance(expr, Choose):
        for number, alternative in enumerate(expr.alternatives):
            yield from _alternatives(alternative, columns, mask & (columns[expr.field] == number))
    else:
        yield mask, expr
