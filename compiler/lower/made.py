"""Activations that another layer makes, tile by tile: where each tile goes, what pads it, and when there is room for it.

Where windows reach from one tile into the rows of the next, rows stay: a buffer of each chunk of channels takes one tile's new rows after
the other and begins again where it is full. So that windows see rows side by side, what they reach back to is then written a second time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from tenon.compiler.lower.conv_plan import ConvPlan, Spot
from tenon.compiler.lower.margin import fill_rows, frame
from tenon.compiler.placing import Tile

if TYPE_CHECKING:
    from tenon.compiler.lower.conv import ConvLowering

__all__ = ["Made", "Piece", "made_spots"]


class Piece(NamedTuple):
    """Rows of a tile, and where they go: first row and extent, layout there, and address."""

    first: int
    rows: int
    tile: Tile
    base: int


def made_spots(plan: ConvPlan) -> list[list[Spot]]:
    """What is made of the operand for each tile of a layer: what no tile before has had made, padding apart; in parts of as many rows as
    later tiles add, at most."""
    _, h, w, _ = plan.x.shape
    found: list[list[Spot]] = []
    for k, spot in enumerate(plan.spots):
        box = plan.x_box(spot, 0, 1)
        low, high = plan.new_rows(k)
        low, high = max(low, 0), min(high, h)
        first, end = max(box.w[0], 0), min(sum(box.w), w)
        most = plan.ring.new if plan.ring else max(high - low, 1)
        cuts = [*range(high, low, -most), low][::-1] if low < high and first < end else []
        found.append([Spot(box.n, (a, b - a), (first, end - first)) for a, b in zip(cuts, cuts[1:])])
    return found


class Made:
    """Of a layer's lowering, whose activations ``source`` makes."""

    def __init__(self, lowering: ConvLowering, source: ConvLowering):
        self.lowering, self.plan, self.source = lowering, lowering.plan, source
        self.ours = [tile for tile, spots in enumerate(made_spots(self.plan)) for _ in spots]  # of each of the source's tiles
        self.theirs: dict[int, list[int]] = {}
        for number, tile in enumerate(self.ours):
            self.theirs.setdefault(tile, []).append(number)
        self.over = {(step.spot, unit): k + 1 for k, (step, unit) in enumerate(zip(self.plan.steps, self.plan.x_units))}

    def room(self, unit: tuple[int, int], tile: int, done: int) -> bool:
        """Whether what tile ``tile`` adds to a buffer may go where it goes, when ``done`` steps are in the program."""
        ring = self.plan.ring
        return ring is None or self.over.get((tile - ring.bands + 2 * ring.reach - 1, unit), 0) <= done

    def make(self, unit: tuple[int, int], tile: int) -> None:
        """Appends what makes a chunk of a tile."""
        self._pad(unit, tile)
        for number in self.theirs.get(tile, ()):
            self.source.make(number, unit[1])

    def pieces(self, number: int, chunk: int) -> Iterator[Piece]:
        """Where the source's tile goes."""
        plan, tile, spot = self.plan, self.ours[number], self.source.plan.spots[number]
        unit = plan.x_unit(tile, chunk)
        for first, rows, row in self._rows(tile, spot.h[0], sum(spot.h)):
            yield Piece(first - spot.h[0], rows, *self._place(unit, row, spot.w[0] - plan.x_box(plan.spots[tile], 0, 1).w[0]))

    def _rows(self, tile: int, low: int, high: int) -> Iterator[tuple[int, int, int]]:
        """Rows ``low..high`` of the operand, which a tile adds: first one, how many, and the row of the buffer that they begin at."""
        plan, ring = self.plan, self.plan.ring
        first, _ = plan.x_box(plan.spots[tile], 0, 1).h
        yield low, high - low, low - first + (ring.start(tile) if ring else 0)
        again = (tile // ring.bands + 1) * ring.bands if ring else len(plan.spots)  # the tile that begins at the buffer's first row
        if again < len(plan.spots):
            back = plan.x_box(plan.spots[again], 0, 1).h[0]
            if max(low, back) < high:
                yield max(low, back), high - max(low, back), max(low, back) - back

    def _place(self, unit: tuple[int, int], row: int, column: int) -> tuple[Tile, int]:
        slots, layout = self.lowering.slots["x"], self.plan.x_layout(unit)
        return Tile(slots.memory, layout), slots.base(unit) + layout.offset(h=row, w=column)

    def _pad(self, unit: tuple[int, int], tile: int) -> None:
        plan, out, fill = self.plan, self.lowering.out, self.plan.fill
        _, height, width, _ = plan.x.shape
        box, layout, slots = plan.x_box(plan.spots[tile], 0, 1), plan.x_layout(unit), self.lowering.slots["x"]
        near = slots.memory, slots.base(unit)
        if plan.ring is None or tile == 0:
            left, right = max(-box.w[0], 0), max(sum(box.w) - width, 0)
            frame(out, near, layout, left, right, fill)
        low, high = plan.new_rows(tile)
        for first, end in ((low, min(high, 0)), (max(low, height), high)):
            if first < end:
                for _, rows, row in self._rows(tile, first, end):
                    fill_rows(out, near, layout, row, rows, fill)
