"""What surrounds a tensor that stays on chip: its readers take it for padding."""

from __future__ import annotations

from tenon.compiler.home import Home
from tenon.compiler.lower.emitter import Emitter
from tenon.compiler.lower.tiles import Walk

__all__ = ["surround"]


def surround(out: Emitter, home: Home, fill: int) -> None:
    """Writes ``fill`` to the margin. Nothing is read for it."""
    top, left, bottom, right = home.margin
    n, h, w, c = home.shape
    axes = {a.dim: a.stride for a in home.layout.axes if a.dim != "c"}
    blocks = -(-c // home.block)
    outer = [Walk(n, 0, axes["n"]), Walk(blocks, 0, home.layout.digits("c")[-1].stride if blocks > 1 else 0)]
    whole = left + w + right
    for name, rows, columns, row, column in (("above", top, whole, -top, -left), ("below", bottom, whole, h, -left),
                                             ("left", h, left, 0, -left), ("right", h, right, 0, w)):
        if rows * columns:
            walks = [*outer, Walk(rows, 0, axes["h"]), Walk(columns * home.block, 1, 1)]
            near = home.segment, home.offset + home.layout.offset(h=row, w=column)
            out.load(walks, (out.fixed, 0), near, ("margin %s", name), fill=fill, rows=(0, 0))
