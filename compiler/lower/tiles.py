"""Boxes of tensors as tiles on chip: their layout there, and the loops of the transfer between both."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tenon.compiler.home import Home
from tenon.compiler.layout import Layout, dense

__all__ = ["Box", "BoxWalks", "Walk", "binary32", "box_parts", "box_start", "box_walks", "cut", "element", "padded_walks", "tile_layout"]


class Box(NamedTuple):
    """A part of a tensor: first coordinate and extent of each dimension. Rows and columns may lie outside."""

    n: tuple[int, int]
    h: tuple[int, int]
    w: tuple[int, int]
    c: tuple[int, int]


class Walk(NamedTuple):
    """One loop of a transfer: steps, and what each adds to the far address (DRAM), the near address (on chip), and
    the guard's two coordinates."""

    extent: int
    far: int
    near: int
    y: int = 0
    x: int = 0


#: Loops of a transfer, and its guards: first coordinate and limit along rows and along columns.
BoxWalks = tuple[list[Walk], tuple[int, int] | None, tuple[int, int] | None]


def binary32(value: float) -> float:
    """The nearest binary32 number, as Python holds it."""
    return float(np.float32(value))


def cut(total: int, size: int) -> list[tuple[int, int]]:
    """First coordinate and extent of each piece of ``total``."""
    return [(i, min(size, total - i)) for i in range(0, total, size)]


def element(dtype: str) -> str:
    """A tensor's type as codelets call it."""
    return {"int8": "i8", "uint8": "u8"}[dtype]


def tile_layout(home: Home, box: Box, granule: int) -> Layout:
    """The tensor's own layout, cut down to ``box`` and made dense; channels are rounded up to ``granule``."""
    (_, n), (_, h), (_, w), (_, c) = box
    return _tile_layout(home.block, granule, n, h, w, c)


@lru_cache(maxsize=1 << 14)  # lowering asks for the same few with every tile
def _tile_layout(block: int, granule: int, n: int, h: int, w: int, c: int) -> Layout:
    if block:
        return dense([("n", n, 1), ("c", math.ceil(c / block), block), ("h", h, 1), ("w", w, 1), ("c", block, 1)])
    return dense([("n", n, 1), ("h", h, 1), ("w", w, 1), ("c", math.ceil(c / granule) * granule, 1)])


def box_parts(home: Home, box: Box, tile: Layout) -> Iterator[tuple[Home, Box, int]]:
    """The box in the parts in which the tensor lives: home, box in its own channels, and offset in the tile."""
    if not home.pieces:
        yield home, box, 0
        return
    for start, first, extent, part in home.parts(*box.c):
        yield part, box._replace(c=(first, extent)), tile.offset(c=start + first - box.c[0])


def box_start(home: Home, box: Box) -> int:
    """The DRAM offset at which a box begins; it may lie before the tensor."""
    (n0, _), (h0, _), (w0, _), (c0, _) = box
    n, h, w, lane, block = home.strides
    return home.offset + n * n0 + h * h0 + w * w0 + (c0 // home.block * block if home.block else c0 * lane)


def box_walks(home: Home, box: Box, tile: Layout) -> BoxWalks:
    """Loops that move ``box``, and the guards.

    A guard is first coordinate and limit: rows, and bytes along a row; None where the box does not leave the tensor.
    Of a row-major tensor only the channels that there are move; blocks move whole.
    """
    (_, n), (h0, h), (w0, w), (c0, c) = box
    _, height, width, channels = home.shape
    image, row, pixel, _, block = home.strides
    near = {a.dim: a for a in tile.axes if a.dim != "c"}
    rows = None if 0 <= h0 and h0 + h <= height else (h0, height)
    columns = None if 0 <= w0 and w0 + w <= width else (w0 * pixel, width * pixel)
    y, x = int(rows is not None), int(columns is not None)
    walks = [Walk(n, image, near["n"].stride)]
    if home.block:
        walks.append(Walk(math.ceil(c / home.block), block, tile.digits("c")[1].stride))
        run = home.block
    else:
        columns = columns and (columns[0] + c0, columns[1])
        run = min(c, channels - c0)
    walks += [Walk(h, row, near["h"].stride, y=y), Walk(w, pixel, near["w"].stride, x=pixel * x), Walk(run, 1, 1, x=x)]
    return walks, rows, columns


def padded_walks(home: Home, box: Box, tile: Layout) -> BoxWalks:
    """``box_walks``, but what the tile holds beyond the channels that there are is filled, if the box is inside its tensor."""
    walks, rows, columns = box_walks(home, box, tile)
    given, room = walks[-1].extent, tile.digits("c")[0].extent
    if given < room and columns is None:
        walks[-1], columns = Walk(room, 1, 1, x=1), (0, given)
    return walks, rows, columns
