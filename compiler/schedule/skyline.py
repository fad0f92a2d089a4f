"""Offsets by filling an arena from the bottom, with a beam of partial fillings.

In a filling without waste, the left end of the lowest segment of the skyline is covered by a block that begins exactly
there, since the times of blocks are given: few blocks come into question. If none fits, the left part of the segment is
given up. What matters of waste is only how far it drives a step's need, its height plus what has yet to be placed over
it, beyond the arena that is hoped for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tenon.compiler.schedule.blocks import Block

__all__ = ["Filler"]

_WALL = 1 << 60  # higher than anything: the sides of the arena


class _State(NamedTuple):
    """A partial filling.

    over : need beyond the hoped-for size, summed over columns and their steps
    line : the skyline, segments (left column, right column, height)
    left : blocks not placed, a bit set
    need : for each column, height plus what is left to be placed over it
    way : (way before, block, offset)
    """

    over: int
    line: tuple[tuple[int, int, int], ...]
    left: int
    need: np.ndarray
    way: tuple | None


class Filler:
    """Fills an arena with ``blocks``. Columns are the steps between changes."""

    def __init__(self, blocks: Sequence[Block]):
        self.blocks, self._hope = blocks, 0
        times = sorted({t for block in blocks for piece in block.pieces for t in piece[:2]})
        column = {t: i for i, t in enumerate(times)}
        self._columns = len(times) - 1
        self._width = np.diff(times)
        self._pieces = [tuple((column[a], column[z], size) for a, z, size in block.pieces) for block in blocks]
        self._end = [pieces[-1][1] for pieces in self._pieces]
        self._beginning: list[list[int]] = [[] for _ in range(self._columns + 1)]
        for b, pieces in enumerate(self._pieces):
            self._beginning[pieces[0][0]].append(b)
        self._need = np.zeros(self._columns, np.int64)
        for pieces in self._pieces:
            for a, z, size in pieces:
                self._need[a:z] += size

    def fill(self, width: int, hope: int, below: int, until: float, *, skips: bool) -> list[int] | None:
        """Offsets of an arena smaller than ``below``, from a beam of ``width`` fillings; None if there was none in time.

        ``hope``: the size that it should have. ``skips``: a segment may also be given up while some block fits.
        """
        self._hope = hope
        beam = [_State(0, ((0, self._columns, 0),), (1 << len(self.blocks)) - 1, self._need, None)]
        for _ in self.blocks:
            if time.process_time() > until:
                return None
            found: dict[tuple, _State] = {}
            for state in beam:
                for child in self._children(state, below, skips):
                    found.setdefault((child.left, child.line), child)
            beam = sorted(found.values(), key=lambda s: (s.over, len(s.line)))[:width]
            if not beam:
                return None
        offsets = [0] * len(self.blocks)
        way = min(beam, key=lambda s: s.need.max()).way
        while way:
            way, b, offset = way
            offsets[b] = offset
        return offsets

    def _children(self, state: _State, below: int, skips: bool) -> list[_State]:
        """Fillings with one more block, on the lowest segment."""
        line = state.line
        while True:
            lowest = min(range(len(line)), key=lambda i: line[i][2])
            left, right, height = line[lowest]
            fitting = self._fitting(left, right, state.left)
            if fitting:
                break
            stop = left + 1
            while stop < right and not self._fitting(stop, right, state.left):
                stop += 1
            state = self._given_up(state, lowest, stop, below)
            if state is None:
                return []
            line = state.line
        children = []
        for b in fitting:
            middle = [(a, z, height + size) for a, z, size in self._pieces[b]]
            if self._end[b] < right:
                middle.append((self._end[b], right, height))
            children.append(_State(state.over, _joined(line, lowest, middle), state.left & ~(1 << b), state.need, (state.way, b, height)))
        if skips:
            other = self._given_up(state, lowest, right, below)
            if other is not None:
                children += self._children(other, below, False)
        return children

    def _fitting(self, left: int, right: int, remaining: int) -> list[int]:
        """Blocks that begin at ``left`` and end by ``right``, one of each shape."""
        shapes = {self._pieces[b]: b for b in self._beginning[left] if remaining >> b & 1 and self._end[b] <= right}
        return list(shapes.values())

    def _given_up(self, state: _State, lowest: int, stop: int, below: int) -> _State | None:
        """The lowest segment raised to the lower of its neighbours, up to column ``stop``."""
        line = state.line
        left, right, height = line[lowest]
        before = line[lowest - 1][2] if lowest else _WALL
        after = line[lowest + 1][2] if lowest + 1 < len(line) else _WALL
        to = min(before, after)
        need = state.need.copy()
        part = need[left:stop]
        open_ = part > height  # columns over which something has yet to be placed
        part[open_] += to - height
        if (part[open_] >= below).any():
            return None
        more = np.minimum(np.maximum(part - self._hope, 0), to - height) * self._width[left:stop]
        middle = [(left, stop, to)] + ([(stop, right, height)] if stop < right else [])
        return _State(state.over + int(more[open_].sum()), _joined(line, lowest, middle), state.left, need, state.way)


def _joined(line: tuple, at: int, middle: list) -> tuple:
    """``line`` with segment ``at`` replaced by ``middle``, equal neighbours made one."""
    joined: list[tuple[int, int, int]] = list(line[:max(at - 1, 0)])
    for segment in (*line[max(at - 1, 0):at], *middle, *line[at + 1:at + 2]):
        if joined and joined[-1][2] == segment[2]:
            joined[-1] = (joined[-1][0], segment[1], segment[2])
        else:
            joined.append(segment)
    return (*joined, *line[at + 2:])
