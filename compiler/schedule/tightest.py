"""The smallest arena for a few blocks, by trying everything that could matter."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.compiler.schedule.blocks import Block, top_of

__all__ = ["tightest"]

_MOST_STEPS = 50_000


def tightest(blocks: Sequence[Block], known: Sequence[int], least: int) -> list[int]:
    """Offsets better than ``known`` if there are any and few steps suffice; with up to a dozen blocks they mostly do.

    In some smallest arena every block rests on the floor or on another block: sorted by offset, each lies as low as the ones
    before let it. So blocks are placed in order of offset (of equal ones, by number), and a way is given up when a column
    needs as much as the best arena: what is left over it comes above the last offset.
    """
    times = sorted({t for block in blocks for piece in block.pieces for t in piece[:2]})
    column = {t: i for i, t in enumerate(times)}
    pieces = [[(column[a], column[z], size) for a, z, size in block.pieces] for block in blocks]
    left = [0] * len(times)
    for several in pieces:
        for a, z, size in several:
            for c in range(a, z):
                left[c] += size
    height = [0] * len(times)
    best, best_top, steps = list(known), top_of(blocks, known), 0
    offsets: dict[int, int] = {}

    def go(floor: int, last: int) -> None:
        nonlocal best, best_top, steps
        steps += 1
        if len(offsets) == len(blocks):
            best, best_top = [offsets[b] for b in range(len(blocks))], max(height)
            return
        if any(n and max(h, floor) + n >= best_top for h, n in zip(height, left)):
            return
        for b, several in enumerate(pieces):
            if b in offsets or best_top == least or steps > _MOST_STEPS:
                continue
            first, end = several[0][0], several[-1][1]
            offset = max(height[first:end])
            if (offset, b) < (floor, last):
                continue
            before = height[first:end]
            for a, z, size in several:
                for c in range(a, z):
                    height[c] = offset + size
                    left[c] -= size
            offsets[b] = offset
            go(offset, b)
            del offsets[b]
            height[first:end] = before
            for a, z, size in several:
                for c in range(a, z):
                    left[c] += size

    go(0, -1)
    return best
