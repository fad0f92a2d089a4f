"""Reads from a VCD what registers held in the cycles that were recorded."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["Recorded", "read_recorded"]

_BIT = re.compile(r"(.*)\[(\d+)\]")


@dataclass(frozen=True)
class Recorded:
    """``cycles`` that were recorded, and signals of these as integers by bit: bit n is that of the n-th cycle.

    ``follows`` has a 1 for each cycle whose predecessor was recorded, too; ``samples`` are ranges of cycles without a gap.
    """

    cycles: int
    follows: int
    samples: tuple[range, ...]
    bits: dict[str, int]

    @property
    def mask(self) -> int:
        return (1 << self.cycles) - 1


def read_recorded(path: Path, top: str, names: Iterable[str]) -> Recorded:
    """The signals ``names`` under the scope ``top`` of a VCD, single bits as ``a.b[3]``, in the middle of each cycle of ``top.clk``.

    A time of more than one period without a falling edge is a gap. Unknown bits are 0.

    Raises
    ------
    KeyError
        With the name that the VCD does not have.
    """
    with path.open(encoding="utf-8") as stream:
        known = _declared(stream, f"{top}.")
        wanted = {name: _place(name, known) for name in {*names}}
        clock = known["clk"][0]
        codes = {code for code, _ in wanted.values()}
        times, changes = _changes(stream, clock, codes)
    widths = {code: width for code, width in known.values() if code in codes}
    columns = {code: _columns(found, widths[code], len(times)) for code, found in changes.items()}
    period = min((b - a for a, b in zip(times, times[1:])), default=0)
    starts = [n for n, time in enumerate(times) if not n or time - times[n - 1] > period]
    follows = ((1 << len(times)) - 1) & ~sum(1 << n for n in starts)
    samples = tuple(range(a, b) for a, b in zip(starts, [*starts[1:], len(times)]))
    return Recorded(len(times), follows, samples, {name: columns[code][bit] for name, (code, bit) in wanted.items()})


def _declared(stream, prefix: str) -> dict[str, tuple[str, int]]:
    """Code and width of each signal, by its path without ``prefix``."""
    scopes: list[str] = []
    known = {}
    for line in stream:
        words = line.split()
        if words[:1] == ["$scope"]:
            scopes.append(words[2])
        elif words[:1] == ["$upscope"]:
            scopes.pop()
        elif words[:1] == ["$var"]:
            path = ".".join([*scopes, words[4]])
            if path.startswith(prefix):
                known[path.removeprefix(prefix)] = (words[3], int(words[2]))
        elif words[:1] == ["$enddefinitions"]:
            break
    return known


def _place(name: str, known: dict[str, tuple[str, int]]) -> tuple[str, int]:
    # Bit 3 of ``x`` comes before a signal called "x[3]", which may be an element of it that is wider than a bit.
    match = _BIT.fullmatch(name)
    if match is not None and match[1] in known and int(match[2]) < known[match[1]][1]:
        return known[match[1]][0], int(match[2])
    if name not in known:
        raise KeyError(name)
    return known[name][0], 0


def _changes(stream, clock: str, codes: set[str]) -> tuple[list[int], dict[str, list[tuple[int, int]]]]:
    """Times of the clock's falling edges, and (number of the edge that sees it first, value) of each change of a signal."""
    times: list[int] = []
    changes: dict[str, list[tuple[int, int]]] = {code: [] for code in codes}
    high, time = False, 0
    for line in stream:
        mark = line[0]
        if mark == "b":
            value, _, code = line[1:].rstrip("\n").partition(" ")
            if code in changes:
                changes[code].append((len(times), int(value.translate(_KNOWN), 2)))
        elif mark == "#":
            time = int(line[1:])
        elif mark in "01xz":
            code = line[1:].rstrip("\n")
            if code in changes:
                changes[code].append((len(times), mark == "1"))
            if code == clock:
                if high and mark == "0":
                    times.append(time)
                high = mark == "1"
    return times, changes


_KNOWN = str.maketrans("xzXZ", "0000")


def _columns(changes: list[tuple[int, int]], width: int, cycles: int) -> list[int]:
    """One integer for each bit of a signal."""
    size = -(-width // 8)
    numbers = [number for number, _ in changes]
    rows = np.frombuffer(b"".join([bytes(size), *(int(value).to_bytes(size, "little") for _, value in changes)]), np.uint8)
    latest = [bisect_right(numbers, cycle) for cycle in range(cycles)]  # row 0 is before the first change
    bits = np.unpackbits(rows.reshape(-1, size)[latest], axis=1, bitorder="little")[:, :width]
    packed = np.packbits(bits, axis=0, bitorder="little")
    return [int.from_bytes(packed[:, bit].tobytes(), "little") for bit in range(width)]
