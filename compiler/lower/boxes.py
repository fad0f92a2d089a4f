"""Transfers of boxes of tensors. Boxes of one shape that leave their tensor alike differ in their addresses alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from tenon.compiler.code import Note
from tenon.compiler.home import Home
from tenon.compiler.layout import Layout
from tenon.compiler.lower.emitter import Emitter, Transfer
from tenon.compiler.lower.tiles import Box, BoxWalks, box_parts, box_start, box_walks

__all__ = ["Boxes"]


class Boxes:
    """Appends transfers to ``out``."""

    def __init__(self, out: Emitter):
        self.out = out
        self._known: dict[Hashable, tuple[Transfer, Home, Layout]] = {}

    def load(self, home: Home, box: Box, tile: Layout, near: tuple[str, int], note: Note, *, fill: int = 0,
             walks: Callable[[Home, Box, Layout], BoxWalks] = box_walks) -> None:
        """Brings in a box of a tensor, wherever its parts live. ``walks``: how; the same for all boxes of a tensor."""
        for part, piece, offset in box_parts(home, box, tile):
            key = near[0], fill, *self._key(part, piece, tile)
            if key not in self._known:
                loops, rows, columns = walks(part, piece, tile)
                self._known[key] = self.out.inward(loops, part.segment, near[0], fill=fill, rows=rows, columns=columns), part, tile
            self.out.move(self._known[key][0], box_start(part, piece), near[1] + offset, note)

    def store(self, home: Home, box: Box, tile: Layout, near: tuple[str, int], note: Note) -> None:
        """Takes a box to its tensor."""
        key = near[0], None, *self._key(home, box, tile)
        if key not in self._known:
            self._known[key] = self.out.outward(box_walks(home, box, tile)[0], near[0], home.segment), home, tile
        self.out.move(self._known[key][0], box_start(home, box), near[1], note)

    def _key(self, home: Home, box: Box, tile: Layout) -> tuple:
        """What a transfer's instructions depend on, apart from what it does. Homes and tiles go by identity: what is known keeps them."""
        (_, n), (h0, h), (w0, w), (c0, c) = box
        _, height, width, channels = home.shape
        rows = None if 0 <= h0 <= height - h else h0
        columns = None if 0 <= w0 <= width - w else w0
        run = None if home.block else (min(c, channels - c0), columns is not None and c0)
        return id(home), id(tile), n, h, w, c, rows, columns, run
