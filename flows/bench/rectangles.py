"""Random placement problems whose optimum is known: a rectangle of time and address, cut into blocks."""

from __future__ import annotations

import random

from tenon.compiler.schedule.blocks import Block

__all__ = ["cut_rectangle"]

_STEPS, _BYTES = 400, 1 << 20


def cut_rectangle(count: int, seed: int) -> list[Block]:
    """``count`` blocks or up to four more, shuffled, that fill an arena of 2**20 bytes during 400 steps without a gap.

    Pieces are cut in two, across or along, and one in eight into five around a middle, which no sequence of straight cuts
    gives. Seeds take turns: any piece is cut, or the largest of three, which gives blocks of like sizes.
    """
    rng = random.Random(f"rectangle {seed}")
    pieces = [(0, _STEPS, _BYTES)]
    while len(pieces) < count:
        chosen = rng.sample(range(len(pieces)), min(3 if seed % 2 else 1, len(pieces)))
        at = max(chosen, key=lambda i: (pieces[i][1] - pieces[i][0]) * pieces[i][2])
        pieces[at:at + 1] = _cut(rng, *pieces[at])
    rng.shuffle(pieces)
    return [Block((piece,)) for piece in pieces]


def _cut(rng: random.Random, first: int, end: int, size: int) -> list[tuple[int, int, int]]:
    if rng.random() < 1 / 8 and end - first > 2 and size > 2:
        a, b = sorted(rng.sample(range(first + 1, end), 2))
        low, high = sorted(rng.sample(range(1, size), 2))
        return [(first, b, low), (b, end, high), (a, end, size - high), (first, a, size - low), (a, b, high - low)]
    if rng.random() < 0.5 and end - first > 1:
        middle = rng.randint(first + 1, end - 1)
        return [(first, middle, size), (middle, end, size)]
    if size > 1:
        part = rng.randint(1, size - 1)
        return [(first, end, part), (first, end, size - part)]
    return [(first, end, size)]
