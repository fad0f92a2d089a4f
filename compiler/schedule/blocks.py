"""Blocks of an arena: how many bytes each needs during which steps; and the plain way to place them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

__all__ = ["Block", "greedy_by_size", "least_bytes", "top_of"]


@dataclass(frozen=True)
class Block:
    """Bytes at one offset: ``pieces`` are (first step, step after the last, bytes), each beginning where the one before ends.

    A tensor is one piece. Tensors that take over each other's bytes are one block of several pieces, none larger than
    the one before.
    """

    pieces: tuple[tuple[int, int, int], ...]

    first = property(lambda self: self.pieces[0][0])
    end = property(lambda self: self.pieces[-1][1])

    @cached_property
    def size(self) -> int:
        """Its largest piece."""
        return max(size for _, _, size in self.pieces)

    def aligned(self, alignment: int) -> Block:
        """The block with every size rounded up: what follows it can begin aligned."""
        return Block(tuple((a, z, -(-size // alignment) * alignment) for a, z, size in self.pieces))

    def backwards(self) -> Block:
        """The block when time runs the other way."""
        return Block(tuple((-z, -a, size) for a, z, size in reversed(self.pieces)))


def greedy_by_size(blocks: Sequence[Block]) -> list[int]:
    """Offsets as TensorFlow Lite finds them: the largest block first, each into the smallest gap that is large enough."""
    offsets = [0] * len(blocks)
    placed: list[tuple[int, int]] = []  # (offset, block), ascending
    for b in sorted(range(len(blocks)), key=lambda b: (-blocks[b].size, blocks[b].first)):
        block, size = blocks[b], blocks[b].size
        best, best_gap, floor = None, 0, 0
        for offset, other in placed:
            if blocks[other].first < block.end and block.first < blocks[other].end:
                gap = offset - floor
                if gap >= size and (best is None or gap < best_gap):
                    best, best_gap = floor, gap
                floor = max(floor, offset + blocks[other].size)
        offsets[b] = floor if best is None else best
        insort(placed, (offsets[b], b))
    return offsets


def least_bytes(blocks: Sequence[Block]) -> int:
    """The most bytes that are needed in one step: no arena is smaller."""
    times = sorted({t for block in blocks for piece in block.pieces for t in piece[:2]})
    load = [0] * (len(times) + 1)
    for block in blocks:
        for a, z, size in block.pieces:
            load[bisect_left(times, a)] += size
            load[bisect_left(times, z)] -= size
    most = now = 0
    for change in load:
        now += change
        most = max(most, now)
    return most


def top_of(blocks: Sequence[Block], offsets: Sequence[int]) -> int:
    """Bytes of an arena with these offsets."""
    return max((offset + block.size for block, offset in zip(blocks, offsets)), default=0)
