"""The one allocator: where the buffers of a layer lie in each memory, however many of them share it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tenon.compiler.machine import Machine

__all__ = ["CONTENTS", "Demand", "TooSmall", "allocate"]

_BUFFERED = 2  # units of an operand that are worth room before any other operand's third

#: What kinds of units are called in messages.
CONTENTS = {"x": "the activations of a tile", "w": "the weights of a tile", "bias": "the constants of a tile",
            "acc": "the sums of a tile", "y": "the results of a tile", "r": "the residual operand of a tile"}


class TooSmall(Exception):
    """A memory cannot hold what a mapping wants it to."""


@dataclass(frozen=True)
class Demand:
    """Slots for units of an operand: at least ``least`` of ``size`` bytes, ``most`` at best. ``spread``: as far apart as can be, one, two
    or four of them, so that different engines use different banks; ``high``: from the top of their part of the memory on."""

    what: str
    memory: str
    size: int
    most: int
    least: int = 1
    spread: bool = False
    high: bool = False
    user: str = ""  # the unit that is not to wait for others' banks


def allocate(machine: Machine, demands: Sequence[Demand]) -> dict[str, tuple[str, list[int]]]:
    """The memory of each operand and the addresses of its slots. Operands that share a memory have parts of it, in their order: room for
    two units each if there is so much, and of the rest as much as those take.

    Raises
    ------
    TooSmall
        If a memory cannot hold one unit of each.
    """
    found = {}
    for memory in dict.fromkeys(d.memory for d in demands):
        mine = [d for d in demands if d.memory == memory]
        for low, high, some in _banks(machine, memory, mine):
            for d, (first, end) in zip(some, _parts(machine, memory, some, low, high), strict=True):
                found[d.what] = memory, _slots(machine, d, first, end)
    return found


def _banks(machine: Machine, memory: str, demands: Sequence[Demand]) -> list[tuple[int, int, list[Demand]]]:
    """Banks of a memory, for what different units use where both have room so: first and last address, exclusive, and whose it is."""
    low, high = machine.floor(memory), machine.size(memory)
    users = list(dict.fromkeys(d.user for d in demands))
    banks = machine.graph.memory(memory).banks
    if not 1 < len(users) <= banks:
        return [(low, high, list(demands))]
    size, shares = machine.graph.memory_bytes[memory] // banks, dict.fromkeys(users, 1)
    wanted = {user: sum(_aligned(machine, d.size) * _count(d, _BUFFERED) for d in demands if d.user == user) for user in users}
    for _ in range(banks - len(users)):
        shares[max(users, key=lambda user: wanted[user] / shares[user])] += 1
    parts, begin = [], 0
    for user in users:
        end = begin + shares[user] * size
        parts.append((max(low, begin), min(high, end), [d for d in demands if d.user == user]))
        begin = end
    fits = all(sum(_aligned(machine, d.size) * d.least for d in mine) <= end - first for first, end, mine in parts)
    return parts if fits else [(low, high, list(demands))]


def _aligned(machine: Machine, size: int) -> int:
    return math.ceil(size / machine.alignment) * machine.alignment


def _count(d: Demand, units: int) -> int:
    return max(d.least, min(units, d.most))


def _parts(machine: Machine, memory: str, demands: Sequence[Demand], low: int, high: int) -> list[tuple[int, int]]:
    """First and last address, exclusive, of each operand's part of ``low..high`` in a memory."""
    if len(demands) == 1:
        return [(low, high)]
    sizes = [_aligned(machine, d.size) for d in demands]
    for count in (_BUFFERED, 1):
        counts = [_count(d, count) for d in demands]
        wanted = [size * n for size, n in zip(sizes, counts)]
        if sum(wanted) <= high - low:
            break
    else:
        raise TooSmall(f"buffer {memory} too small for " + " and ".join(f"{n * d.size} bytes of {d.what}" for n, d in zip(counts, demands))
                       + f": {sum(wanted)} of {high - low} bytes")
    growing = [size if d.spread or d.most > n else 0 for d, n, size in zip(demands, counts, wanted)]
    spare, parts = high - low - sum(wanted), []
    for size, more in zip(wanted, growing):
        end = low + (size + (spare * more // sum(growing) if more else 0)) // machine.alignment * machine.alignment
        parts.append((low, end))
        low = end
    return parts


def _slots(machine: Machine, d: Demand, low: int, high: int) -> list[int]:
    size, room = _aligned(machine, d.size), high - low
    if size * d.least > room:
        times = f"{d.least} times " if d.least > 1 else ""
        raise TooSmall(f"buffer {d.memory} too small for {times}{CONTENTS.get(d.what, d.what)}: {size * d.least} of {room} bytes")
    if d.spread:
        count = next(c for c in (4, 2, 1) if c <= d.most and c * size <= room)
        apart = room // count // machine.alignment * machine.alignment
        return [low + i * apart for i in range(count)]
    count = min(room // size, d.most)
    return [high - (i + 1) * size if d.high else low + i * size for i in range(count)]
