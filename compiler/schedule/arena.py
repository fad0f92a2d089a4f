"""Offsets of all tensors of an ordered problem in one arena, as small as can be found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tenon.compiler.schedule.blocks import Block, greedy_by_size, least_bytes, top_of
from tenon.compiler.schedule.joints import Joined, joined
from tenon.compiler.schedule.problem import Problem
from tenon.compiler.schedule.skyline import Filler
from tenon.compiler.schedule.tightest import tightest

__all__ = ["Arena", "arena", "blocks_of", "place"]

#: Width of the beam, whether segments may be given up early, and what is hoped for, over the least. A beam that hopes for a
#: little more than the least ends somewhat above it where one that hopes for the least often ends far above.
_ROUNDS = ((1, False, 1.0), (4, True, 1.0), (4, True, 1.02), (4, True, 1.04), (16, False, 1.0), (16, True, 1.02), (16, True, 1.0),
           (64, False, 1.0), (64, True, 1.02), (64, True, 1.0), (256, False, 1.0), (1024, False, 1.0))
_STAGES = 5  # of joining, that are filled
_FEW = 24  # blocks, of which all ways may be tried


@dataclass(frozen=True)
class Arena:
    """``offsets`` of tensors in an arena of ``bytes``. ``least``: no arena for this order is smaller; its peak, aligned."""

    offsets: dict[str, int]
    bytes: int
    least: int


def arena(problem: Problem, order: Sequence[str], *, alignment: int = 1, seconds: float = 10.0, plain: bool = False) -> Arena:
    """Places the tensors of ``problem``, executed in ``order``.

    An operator that may take over an input's bytes does so wherever the order lets the input die there. ``plain``: greedy by
    size and nothing else, for comparison.
    """
    groups, blocks = blocks_of(problem, order)
    rounded = [block.aligned(alignment) for block in blocks]
    offsets = greedy_by_size(rounded) if plain else place(rounded, seconds=seconds)
    return Arena({t: offset for group, offset in zip(groups, offsets) for t in group}, top_of(blocks, offsets), least_bytes(rounded))


def place(blocks: Sequence[Block], *, seconds: float = 10.0) -> list[int]:
    """Offsets of blocks: the best of greedy by size, fillings with ever wider beams, and for few blocks all ways there are.

    All of them are also tried on blocks that were joined because they fit. The search ends when nothing can be smaller, or
    after about ``seconds`` of a core: load of the machine changes no plan much.
    """
    until = time.process_time() + seconds
    least = least_bytes(blocks)
    best = greedy_by_size(blocks)
    if top_of(blocks, best) == least:
        return best
    if len(blocks) <= _FEW:
        best = tightest(blocks, best, least)
    stages = []
    for stage in joined(blocks):
        best = min(best, stage.offsets(greedy_by_size(stage.blocks)), key=lambda found: top_of(blocks, found))
        stages.append(stage)
        if top_of(blocks, best) == least or time.process_time() > until:
            return best
    few = [stages[i] for i in sorted({round(i * (len(stages) - 1) / (_STAGES - 1)) for i in range(_STAGES)})] + [Joined.of(blocks)]
    few.sort(key=lambda stage: len(stage.blocks))  # the quick ones first
    fillers = [(stage, Filler(way)) for stage in few for way in (stage.blocks, [b.backwards() for b in stage.blocks])]
    for width, skips, slack in _ROUNDS:
        hope = int(least * slack)
        for stage, filler in list(fillers):
            if slack > 1 and top_of(blocks, best) <= hope:
                break
            found = filler.fill(width, hope, top_of(blocks, best), until, skips=skips)
            if found is not None:
                best = min(best, stage.offsets(found), key=lambda found: top_of(blocks, found))
                fillers.sort(key=lambda pair, lucky=filler: pair[1] is not lucky)  # it comes first in the next round
            if top_of(blocks, best) == least or time.process_time() > until:
                return best
    return best


def blocks_of(problem: Problem, order: Sequence[str]) -> tuple[list[tuple[str, ...]], list[Block]]:
    """Tensors that share an offset, and their blocks: what takes over bytes is in the block of what had them."""
    spans = problem.lifetimes(order)
    follower: dict[str, str] = {}
    for step, name in enumerate(order):
        op = problem.operators[problem.position(name)]
        taken = problem.taken_over(op, lambda t, step=step: spans[t][1] == step)
        if taken is not None:
            follower[taken] = op.outputs[0]
    groups, blocks = [], []
    taken_over = set(follower.values())
    for first in (t for t in spans if t not in taken_over):
        group = [first]
        pieces = [(spans[first][0], spans[first][1] + 1, problem.sizes[first])]
        while group[-1] in follower:
            group.append(follower[group[-1]])
            if spans[group[-1]][1] + 1 > pieces[-1][1]:
                pieces.append((pieces[-1][1], spans[group[-1]][1] + 1, problem.sizes[group[-1]]))
        groups.append(tuple(group))
        blocks.append(Block(tuple(pieces)))
    return groups, blocks
