"""What surrounds a tensor, or a tile, that is made on chip: its readers take it for padding."""

from __future__ import annotations

import math

from tenon.compiler.home import Home
from tenon.compiler.layout import Layout
from tenon.compiler.lower.emitter import Emitter
from tenon.compiler.lower.tiles import Walk

__all__ = ["fill_rows", "frame", "surround"]


def surround(out: Emitter, home: Home, fill: int) -> None:
    """Writes ``fill`` to the margin of a tensor. Nothing is read for it."""
    top, left, bottom, right = home.margin
    _, h, w, _ = home.shape
    whole = left + w + right
    _fill(out, (home.segment, home.offset), home.layout, fill, (
        ("above", -top, -left, top, whole), ("below", h, -left, bottom, whole), ("left", 0, -left, h, left), ("right", 0, w, h, right)))


def frame(out: Emitter, near: tuple[str, int], tile: Layout, left: int, right: int, fill: int) -> None:
    """Writes ``fill`` to the outermost columns of a tile."""
    h, w = (math.prod(a.extent for a in tile.digits(dim)) for dim in "hw")
    _fill(out, near, tile, fill, (("left", 0, 0, h, left), ("right", 0, w - right, h, right)))


def fill_rows(out: Emitter, near: tuple[str, int], tile: Layout, first: int, rows: int, fill: int) -> None:
    """Writes ``fill`` to whole rows of a tile."""
    _fill(out, near, tile, fill, (("rows", first, 0, rows, math.prod(a.extent for a in tile.digits("w"))),))


def _fill(out: Emitter, near: tuple[str, int], layout: Layout, fill: int, sides: tuple[tuple[str, int, int, int, int], ...]) -> None:
    """Each side: its name, first row and column, rows and columns."""
    axes = {a.dim: a for a in layout.axes if a.dim != "c"}
    block, *blocks = layout.digits("c")
    outer = [Walk(axes["n"].extent, 0, axes["n"].stride), *(Walk(a.extent, 0, a.stride) for a in blocks)]
    for name, row, column, rows, columns in sides:
        if rows * columns:
            walks = [*outer, Walk(rows, 0, axes["h"].stride), Walk(columns * block.extent, 1, 1)]
            place = near[0], near[1] + layout.offset(h=row, w=column)
            out.load(walks, (out.fixed, 0), place, ("margin %s", name), fill=fill, rows=(0, 0))
