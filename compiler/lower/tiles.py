"""Boxes of tensors as tiles on chip: their layout there, and the loops of the transfer between both."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tenon.compiler.home import Home
from tenon.compiler.layout import Layout, dense

__all__ = ["Box", "Walk", "binary32", "box_parts", "box_walks", "cut", "element", "tile_layout"]


@dataclass(frozen=True)
class Box:
    """A part of a tensor: first coordinate and extent of each dimension. Rows and columns may lie outside."""

    n: tuple[int, int]
    h: tuple[int, int]
    w: tuple[int, int]
    c: tuple[int, int]


@dataclass(frozen=True)
class Walk:
    """One loop of a transfer: steps, and what each adds to the far address (DRAM), the near address (on chip), and
    the guard's two coordinates."""

    extent: int
    far: int
    near: int
    y: int = 0
    x: int = 0


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
    n, h, w, c = (extent for _, extent in (box.n, box.h, box.w, box.c))
    if home.block:
        return dense([("n", n, 1), ("c", math.ceil(c / home.block), home.block), ("h", h, 1), ("w", w, 1),
                      ("c", home.block, 1)])
    return dense([("n", n, 1), ("h", h, 1), ("w", w, 1), ("c", math.ceil(c / granule) * granule, 1)])


def box_parts(home: Home, box: Box, tile: Layout) -> Iterator[tuple[Home, Box, int]]:
    """The box in the parts in which the tensor lives: home, box in its own channels, and offset in the tile."""
    for start, first, extent, part in home.parts(*box.c):
        yield part, replace(box, c=(first, extent)), tile.offset(c=start + first - box.c[0])


def box_walks(home: Home, box: Box, tile: Layout) -> tuple[list[Walk], int, tuple[int, int] | None, tuple[int, int] | None]:
    """Loops that move ``box``, the DRAM offset they begin at (it may lie before the tensor), and the guards.

    A guard is first coordinate and limit: rows, and bytes along a row; None where the box does not leave the tensor.
    Of a row-major tensor only the channels that there are move; blocks move whole.
    """
    (n0, n), (h0, h), (w0, w), (c0, c) = box.n, box.h, box.w, box.c
    _, height, width, channels = home.shape
    far = {a.dim: a for a in home.layout.axes if a.dim != "c"}
    near = {a.dim: a for a in tile.axes if a.dim != "c"}
    rows = None if 0 <= h0 and h0 + h <= height else (h0, height)
    pixel = far["w"].stride
    columns = None if 0 <= w0 and w0 + w <= width else (w0 * pixel, width * pixel)
    y, x = int(rows is not None), int(columns is not None)
    start = home.offset + far["n"].stride * n0 + far["h"].stride * h0 + pixel * w0
    walks = [Walk(n, far["n"].stride, near["n"].stride)]
    if home.block:
        (_, far_block), (_, near_block) = home.layout.digits("c"), tile.digits("c")
        start += c0 // home.block * far_block.stride
        walks.append(Walk(math.ceil(c / home.block), far_block.stride, near_block.stride))
        run = home.block
    else:
        start += c0
        columns = columns and (columns[0] + c0, columns[1])
        run = min(c, channels - c0)
    walks += [Walk(h, far["h"].stride, near["h"].stride, y=y), Walk(w, pixel, near["w"].stride, x=pixel * x), Walk(run, 1, 1, x=x)]
    return walks, start, rows, columns
