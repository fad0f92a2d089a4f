"""Tensors that stay in the scratchpad while they are needed: blocks of channels, a margin for their readers' padding, addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenon.compiler.errors import CompileError
from tenon.compiler.layout import Layout, dense

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
    """An address for each: the largest first, where it fits beside those that there are at the same time.

    Raises
    ------
    CompileError
        If one finds no room.
    """
    found: dict[str, tuple[int, Demand]] = {}
    for d in sorted(demands, key=lambda d: -d.size):
        beside = sorted((at, at + -(-other.size // alignment) * alignment) for at, other in found.values()
                        if other.first <= d.last and d.first <= other.last)
        at = 0
        for low, high in beside:
            if at + d.size <= low:
                break
            at = max(at, high)
        if at + d.size > room:
            raise CompileError(f"{d.what} of {d.size} bytes does not fit beside what is there at the same time: {room} bytes of scratchpad")
        found[d.what] = at, d
    return {what: at for what, (at, _) in found.items()}
