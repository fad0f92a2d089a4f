"""Tensors that stay in the scratchpad while they are needed: blocks of channels, a margin for their readers' padding, addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenon.compiler.errors import CompileError
from tenon.compiler.layout import Layout, dense
from tenon.compiler.schedule.blocks import Block, greedy_by_size

__all__ = ["Demand", "Place", "Surround", "addresses", "resident"]


@dataclass(frozen=True)
class Surround:
    """Rows above, columns left, rows below and columns right that a tensor's readers need, and what is in them (None: anything)."""

    sides: tuple[int, int, int, int] = (0, 0, 0, 0)
    fill: int | None = None


@dataclass(frozen=True)
class Place:
    """A tensor of ``shape`` (NHWC) at a byte ``address``: ``layout`` is that of it with its margin, in blocks of ``block`` channels."""

    shape: tuple[int, int, int, int]
    block: int
    layout: Layout
    surround: Surround
    address: int = 0

    @property
    def rows(self) -> int:
        return self.shape[1] + self.surround.sides[0] + self.surround.sides[2]

    @property
    def columns(self) -> int:
        return self.shape[2] + self.surround.sides[1] + self.surround.sides[3]

    @property
    def blocks(self) -> int:
        return -(-self.shape[3] // self.block)

    def base(self, above: int = 0, left: int = 0) -> int:
        """Where it begins, or so many rows above and columns left of that."""
        return self.address + self.layout.offset(h=self.surround.sides[0] - above, w=self.surround.sides[1] - left)


def resident(shape: Sequence[int], block: int, surround: Surround) -> Place:
    """A place without an address yet. CompileError for several images."""
    if shape[0] != 1:
        raise CompileError(f"{shape[0]} images at a time are not compiled to packets yet")
    top, left, bottom, right = surround.sides
    layout = dense([("n", 1, 1), ("c", -(-shape[3] // block), block), ("h", shape[1] + top + bottom, 1), ("w", shape[2] + left + right, 1),
                    ("c", block, 1)])
    return Place(tuple(shape), block, layout, surround)


@dataclass(frozen=True)
class Demand:
    """``size`` bytes from step ``first`` to step ``last``."""

    what: str
    size: int
    first: int
    last: int


def addresses(demands: Sequence[Demand], room: int, alignment: int) -> dict[str, int]:
    """An address for each.

    Raises
    ------
    CompileError
        If one finds no room.
    """
    offsets = greedy_by_size([Block(((d.first, d.last + 1, d.size),)).aligned(alignment) for d in demands])
    for d, at in sorted(zip(demands, offsets, strict=True), key=lambda pair: -pair[0].size):
        if at + d.size > room:
            raise CompileError(f"{d.what} of {d.size} bytes does not fit beside what is there at the same time: {room} bytes of scratchpad")
    return {d.what: at for d, at in zip(demands, offsets, strict=True)}
