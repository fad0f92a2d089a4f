"""Layouts: where each element of a tensor, or of a tile of one, lies.

A layout is a list of axes, outermost first; each is one digit of a dimension's index. Between layers channels come
in blocks, outermost, so that a tile is a few long runs and both widths of on-chip words fit without repacking.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from tenon.acg.expr import Aff, Loop

__all__ = ["NHWC", "Axis", "Layout", "blocked", "column_layout", "dense", "row_major"]

NHWC = ("n", "h", "w", "c")


@dataclass(frozen=True)
class Axis:
    """One digit of dimension ``dim``: ``extent`` values, ``stride`` bytes apart, worth ``weight`` of the index each."""

    dim: str
    extent: int
    stride: int
    weight: int = 1


@dataclass(frozen=True)
class Layout:
    """Axes from the outermost in; ``bytes`` is the room they take.

    Raises
    ------
    ValueError
        If two elements would share a byte, or one lies outside.
    """

    axes: tuple[Axis, ...]
    bytes: int

    def __post_init__(self) -> None:
        reach = 0
        for axis in sorted((a for a in self.axes if a.extent > 1), key=lambda a: abs(a.stride)):
            if abs(axis.stride) <= reach:
                raise ValueError(f"layout {self.axes} puts two elements into one byte")
            reach += abs(axis.stride) * (axis.extent - 1)
        if reach >= self.bytes:
            raise ValueError(f"layout {self.axes} reaches beyond its {self.bytes} bytes")

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.axes, self.bytes))

    @cached_property
    def _digits(self) -> dict[str, list[Axis]]:
        digits: dict[str, list[Axis]] = {}
        for axis in sorted(self.axes, key=lambda a: a.weight):
            digits.setdefault(axis.dim, []).append(axis)
        return digits

    def digits(self, dim: str) -> list[Axis]:
        """Digits of a dimension, lowest first."""
        return self._digits.get(dim, [])

    def offset(self, **index: int) -> int:
        """Byte offset of an element; coordinates may lie outside where a dimension has one digit."""
        total = 0
        for dim, value in index.items():
            for axis in reversed(self.digits(dim)):
                digit, value = divmod(value, axis.weight)
                total += digit * axis.stride
        return total

    def address(self, dim: str, form: Aff, extents: Mapping[str, int]) -> Aff:
        """Byte offset of an index form along ``dim``.

        Raises
        ------
        ValueError
            If a term crosses from one digit into the next.
        """
        total = Aff()
        digits = self.digits(dim)
        for loop, factor in form.bind({}).items():
            for axis, above in zip(reversed(digits), [None, *reversed(digits)]):
                steps, rest = divmod(abs(factor), axis.weight)
                if rest == 0:
                    reach = abs(factor) * (extents[loop] - 1 if loop else 1)
                    if above is not None and reach >= above.weight:
                        raise ValueError(f"index {form} along {dim} crosses a digit of {axis}")
                    signed = steps * axis.stride * (1 if factor > 0 else -1)
                    total = total + (Loop(loop, 0) * signed if loop else signed)
                    break
            else:
                raise ValueError(f"index {form} has no digit along {dim}")
        return total

    def _view(self, data: np.ndarray) -> np.ndarray:
        """Elements of ``data`` (bytes) by digits, dimension after dimension, highest digit first."""
        axes = [a for dim in NHWC for a in reversed(self.digits(dim))]
        return np.ndarray([a.extent for a in axes], np.uint8, data, 0, [a.stride for a in axes])

    def _extents(self) -> list[int]:
        """Elements along each dimension, what pads the last digit included."""
        return [math.prod(a.extent for a in self.digits(dim)) for dim in NHWC]

    def gather(self, data: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """The NHWC tensor of ``shape`` out of its bytes."""
        whole = self._view(np.ascontiguousarray(data[:self.bytes])).reshape(self._extents())
        return np.ascontiguousarray(whole[tuple(slice(0, e) for e in shape)])

    def scatter(self, tensor: np.ndarray) -> np.ndarray:
        """The bytes of an NHWC tensor; what pads it is 0."""
        whole = np.zeros(self._extents(), np.uint8)
        whole[tuple(slice(0, e) for e in tensor.shape)] = tensor.view(np.uint8)
        data = np.zeros(self.bytes, np.uint8)
        view = self._view(data)
        view[...] = whole.reshape(view.shape)
        return data

    def to_json(self) -> list[list]:
        return [[a.dim, a.extent, a.stride, a.weight] for a in self.axes]

    @staticmethod
    def from_json(axes: Sequence[Sequence], size: int) -> Layout:
        return Layout(tuple(Axis(*a) for a in axes), size)


def dense(order: Sequence[tuple[str, int, int]], element: int = 1) -> Layout:
    """A layout without gaps: (dimension, extent, weight) outermost first."""
    return _dense(tuple(order), element)


@lru_cache(maxsize=1 << 14)  # lowering asks for the same few with every tile
def _dense(order: tuple[tuple[str, int, int], ...], element: int) -> Layout:
    stride, axes = element, []
    for dim, extent, weight in reversed(order):
        twins = [a for a in order if a[0] == dim and a[2] == weight]
        if extent > 1 or len(twins) == 1:  # a digit of one value beside the one that is worth the same says nothing
            axes.append(Axis(dim, extent, stride, weight))
        stride *= extent
    return Layout(tuple(reversed(axes)), stride)


def row_major(shape: Sequence[int]) -> Layout:
    """NHWC without padding: network inputs and outputs."""
    return dense([(d, e, 1) for d, e in zip(NHWC, shape, strict=True)])


def blocked(shape: Sequence[int], block: int) -> Layout:
    """[N][channel block][H][W][block]: tensors between layers."""
    n, h, w, c = shape
    return dense([("n", n, 1), ("c", math.ceil(c / block), block), ("h", h, 1), ("w", w, 1), ("c", block, 1)])


@lru_cache(maxsize=1 << 10)
def column_layout(blocks: int, granule: int, channels: int, lanes_in: int, lanes_out: int) -> Layout:
    """Weights of a product by columns: a word of ``lanes_out`` bytes holds what one output channel takes of ``lanes_in`` others."""
    tile, words = lanes_out * lanes_out, granule // lanes_in
    block = channels // lanes_out * words * tile
    axes = (Axis("ic", blocks, block, granule), Axis("oc", channels // lanes_out, words * tile, lanes_out),
            Axis("ic", words, tile, lanes_in), Axis("oc", lanes_out, lanes_out), Axis("ic", lanes_in, 1), Axis("kh", 1, 1),
            Axis("kw", 1, 1))
    return Layout(tuple(a for a in axes if a.extent > 1 or a.weight == 1), blocks * block)
