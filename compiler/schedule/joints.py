"""Blocks that fit together exactly, made one: what has the same times goes in a stack, what has the same size side by side.

Sizes of tensors are rarely equal by accident: a block that begins when another of its size ends most likely belongs beside
it, and so does a stack whose sum is the size of its neighbour. Joining can be wrong, so whoever uses it compares results.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from tenon.compiler.schedule.blocks import Block

__all__ = ["Joined", "joined"]

_MOST_PAIRS, _MOST_TRIPLES = 40, 12  # blocks with the same times, beyond which their pairs or triples are not looked at


class _Piece(NamedTuple):
    """A rectangle: ``first`` step, step after the last, bytes, and (block, offset inside) of all that it is made of."""

    first: int
    end: int
    size: int
    members: tuple[tuple[int, int], ...]


class Joined:
    """Fewer, larger ``blocks``, and how to get back."""

    def __init__(self, blocks: Sequence[Block], pieces: Sequence[_Piece]):
        self._members = [piece.members for piece in pieces]
        self.blocks = [blocks[p.members[0][0]] if len(p.members) == 1 else Block(((p.first, p.end, p.size),)) for p in pieces]

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> Joined:
        """Nothing joined yet."""
        return cls(blocks, [_Piece(b.first, b.end, b.size, ((i, 0),)) for i, b in enumerate(blocks)])

    def offsets(self, offsets: Sequence[int]) -> list[int]:
        """Offsets of the blocks as they were, from those of the larger ones."""
        found = {b: offset + inside for members, offset in zip(self._members, offsets) for b, inside in members}
        return [found[b] for b in range(len(found))]


def joined(blocks: Sequence[Block]) -> Iterator[Joined]:
    """Ever larger blocks: what fits together by its sizes, then after each stack that was made by times alone, longest first."""
    fixed = [_Piece(b.first, b.end, b.size, ((i, 0),)) for i, b in enumerate(blocks) if len(b.pieces) > 1]
    pieces = [_Piece(b.first, b.end, b.size, ((i, 0),)) for i, b in enumerate(blocks) if len(b.pieces) == 1]
    while True:
        count = len(pieces) + 1
        while len(pieces) < count:
            count = len(pieces)
            pieces = _side_by_side(pieces)
            if len(pieces) == count:
                pieces = _stack_like_neighbour(pieces)
            if len(pieces) == count:
                pieces = _around_a_middle(pieces)
        yield Joined(blocks, [*pieces, *fixed])
        groups = [group for group in _groups(pieces).values() if len(group) > 1]
        if not groups:
            return
        # Long tensors share their times by accident the least, and two of them less than many.
        group = min(groups, key=lambda g: (len(g) > 2, g[0].first - g[0].end))
        pieces = _stacked(pieces, group)


def _side_by_side(pieces: list[_Piece]) -> list[_Piece]:
    """Each piece that ends where one of its size begins, and that one, made one."""
    begins: dict[tuple[int, int], list[_Piece]] = defaultdict(list)
    for piece in pieces:
        begins[piece.first, piece.size].append(piece)
    gone: set[tuple] = set()
    made: list[_Piece] = []
    for piece in sorted(pieces):
        after = begins[piece.end, piece.size]
        if piece.members in gone or not after or after[-1].members in gone:
            continue
        other = after.pop()
        gone |= {piece.members, other.members}
        made.append(_Piece(piece.first, other.end, piece.size, piece.members + other.members))
    return [p for p in pieces if p.members not in gone] + made


def _stack_like_neighbour(pieces: list[_Piece]) -> list[_Piece]:
    """The first stack found that is as high as what ends before it or begins after it, as a block or as another stack."""
    groups = _groups(pieces)
    ends, begins = (defaultdict(dict) for _ in range(2))
    stacks = []
    for group in groups.values():
        several = [(p,) for p in group]
        if len(group) <= _MOST_PAIRS:
            several += combinations(group, 2)
        if len(group) <= _MOST_TRIPLES:
            several += combinations(group, 3)
        if len(group) > 3:
            several.append(tuple(group))
        for stack in several:
            size = sum(p.size for p in stack)
            ends[stack[0].end].setdefault(size, stack)
            begins[stack[0].first].setdefault(size, stack)
            stacks.append((size, stack))
    for size, stack in stacks:
        other = ends[stack[0].first].get(size)
        if other is not None and len(stack) + len(other) > 2:
            return _stacked(_stacked(pieces, stack), other)
    return pieces


def _around_a_middle(pieces: list[_Piece]) -> list[_Piece]:
    """The first five found that make a rectangle with one of them in the middle, which no joining of two can do.

    A long piece lies below the middle from the left, one over it to the right; a short one over the former, one below the
    latter. Upside down it is the same.
    """
    begins, ends = (defaultdict(list) for _ in range(2))
    shapes = {}
    for piece in pieces:
        begins[piece.first].append(piece)
        ends[piece.end].append(piece)
        shapes[piece.first, piece.end, piece.size] = piece
    for middle in pieces:
        for below in (p for p in ends[middle.end] if p.first < middle.first):
            for above in (p for p in begins[middle.first] if p.end > middle.end):
                left = shapes.get((below.first, middle.first, above.size + middle.size))
                right = shapes.get((middle.end, above.end, below.size + middle.size))
                if left is not None and right is not None:
                    gone = {p.members for p in (middle, below, above, left, right)}
                    places = ((below, 0), (right, 0), (middle, below.size), (left, below.size), (above, right.size))
                    members = tuple((b, inside + offset) for p, offset in places for b, inside in p.members)
                    whole = _Piece(below.first, above.end, right.size + above.size, members)
                    return [p for p in pieces if p.members not in gone] + [whole]
    return pieces


def _groups(pieces: list[_Piece]) -> dict[tuple[int, int], list[_Piece]]:
    found: dict[tuple[int, int], list[_Piece]] = defaultdict(list)
    for piece in pieces:
        found[piece.first, piece.end].append(piece)
    return found


def _stacked(pieces: list[_Piece], stack: Sequence[_Piece]) -> list[_Piece]:
    if len(stack) == 1:
        return pieces
    gone = {p.members for p in stack}
    members, size = [], 0
    for piece in stack:
        members += [(b, inside + size) for b, inside in piece.members]
        size += piece.size
    return [p for p in pieces if p.members not in gone] + [_Piece(stack[0].first, stack[0].end, size, tuple(members))]
