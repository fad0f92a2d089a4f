"""Resize in mode linear: what lies between elements is a mean of them with few different weights, which return periodically.

With a/b outputs for an input, every a-th output lies b inputs further and has the same weights. So each of the a phases
is a depthwise convolution of stride b, over the image with its border repeated, and the phases are put together by a copy.
Weights are fractions with small denominators: in 8 bits they are exact, and so is the sum before it is rounded.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from tenon.compiler.frontend.build import Epilogue, Window, build_conv
from tenon.compiler.frontend.copies import Part, Plan, copied, gathering
from tenon.compiler.frontend.reader import Reader, Refused
from tenon.compiler.frontend.realise import realises
from tenon.compiler.frontend.resize import positions
from tenon.compiler.frontend.values import Constant, Expression, Quantised, Reference
from tenon.compiler.frontend.views import as_lines, seen_as

__all__ = ["Phases", "interpolated", "phases_of"]

_MOST_PHASES = 16  # of an axis: programs grow with them
_LARGEST = 127  # weight in 8 bits


@dataclass(frozen=True)
class Phases:
    """An axis of ``wanted`` outputs, resized. Output ``period * m + r`` is the sum of ``taps[r]``, in units of
    1 / ``unit``, times inputs ``stride * m + first`` and those after it."""

    wanted: int
    stride: int
    first: int
    taps: tuple[tuple[int, ...], ...]
    unit: int

    @property
    def period(self) -> int:
        return len(self.taps)

    def count(self, phase: int) -> int:
        """Outputs of ``phase``."""
        return -(-(self.wanted - phase) // self.period)

    def inputs(self, size: int) -> list[int]:
        """Which of ``size`` elements the windows cover, with those at the border repeated."""
        covered = (self.count(0) - 1) * self.stride + len(self.taps[0])
        return [int(i) for i in np.clip(np.arange(covered) + self.first, 0, size - 1)]


def phases_of(size: int, wanted: int, scale: np.float32, mode: str) -> Phases | None:
    """``size`` elements resized to ``wanted`` in coordinates of ``mode``; None if weights do not return, or not soon."""
    if size == 1 or size == wanted and scale == 1:
        return Phases(wanted, 1, 0, ((1,),), 1)
    real = positions(size, wanted, scale, mode)
    if real is None:
        return None
    if mode == "align_corners":
        rate = Fraction(max(size - 1, 1), max(wanted - 1, 1))
    else:
        rate = 1 / Fraction(float(scale)).limit_denominator(4 * _MOST_PHASES)
    period, stride = min(rate.denominator, wanted), rate.numerator
    if period > _MOST_PHASES:
        return None
    parts = 2 * rate.denominator  # positions are multiples of half a phase
    halves = [Fraction(round(float(p) * parts), parts) for p in real]
    returning = all(p == halves[o % period] + o // period * stride for o, p in enumerate(halves))
    if not returning or max(abs(float(p) - float(r)) for p, r in zip(halves, real)) > 1e-3:
        return None
    starts = [math.floor(p) for p in halves[:period]]
    shares = [p - s for p, s in zip(halves, starts)]
    unit = math.lcm(*(s.denominator for s in shares))
    first, last = min(starts), max(s + (share > 0) for s, share in zip(starts, shares))
    taps = []
    for start, share in zip(starts, shares):
        row = [0] * (last - first + 1)
        row[start - first] = int((1 - share) * unit)
        if share:
            row[start - first + 1] = int(share * unit)
        taps.append(tuple(row))
    return Phases(wanted, stride, first, tuple(taps), unit)


def interpolated(reader: Reader, x: Reference, wanted: list[int], scales: list[np.float32], mode: str) -> None:
    """The node's value: ``x`` of shape [N, C, L] or [N, C, H, W] resized to ``wanted``.

    Raises
    ------
    Refused
        If another dimension is resized, or weights do not return soon or are not exact in 8 bits.
    """
    if len(x.shape) not in (3, 4) or list(x.shape[:2]) != wanted[:2]:
        raise Refused(f"mode linear is supported for height and width of an image, not for {list(x.shape)} to {wanted}")
    axes = [phases_of(*axis, mode) for axis in zip(x.shape[2:], wanted[2:], scales[2:], strict=True)]
    if None in axes:
        raise Refused(f"mode linear from {list(x.shape[2:])} to {wanted[2:]} in coordinates of mode {mode} has weights that do not "
                      f"return within {_MOST_PHASES} elements: use whole-numbered scales, or mode nearest")
    unit = math.prod(a.unit for a in axes)
    most = math.prod(max(max(row) for row in a.taps) for a in axes)
    if most > _LARGEST:
        raise Refused(f"its weights, up to {most} in units of 1/{unit}, are not exact in 8 bits: resize in two steps")
    name = reader.node.output[0]
    rows = [Phases(1, 1, 0, ((1,),), 1)] if len(axes) == 1 else []
    reader.values[name] = Expression("interpolated", (x,), (reader.node_name,), (name,), (*rows, *axes))


@realises("interpolated")
def _realise(reader: Reader, e: Expression, end: Epilogue) -> None:
    (x,), (rows, columns) = e.operands, e.attributes
    image, lines = as_lines(reader, x)
    q, name = reader.of_tensor(image.tensor), reader.node.output[0]
    n, channels, height, width = image.shape
    covered = [range(n), range(channels), rows.inputs(height), columns.inputs(width)]
    if [list(c) for c in covered] != [list(range(size)) for size in image.shape]:
        shape = tuple(map(len, covered))
        image = copied(reader, reader.fresh_tensor(image.tensor), [image], Plan("Pad", shape, gathering(covered)), Epilogue(q, ()),
                       invented=True)
    scale = np.full(channels, 1 / (rows.unit * columns.unit), np.float32)
    window = Window((len(rows.taps[0]), len(columns.taps[0])), (rows.stride, columns.stride), group=channels)
    phases, parts = [], []
    for r, c in itertools.product(range(rows.period), range(columns.period)):
        kernel = np.outer(rows.taps[r], columns.taps[c]).astype(np.int8)
        weight = Constant(np.tile(kernel, (channels, 1, 1, 1)), scale, np.zeros(channels, np.int8), 0)
        build_conv(reader, image, weight, None, q, replace(end, fused=False), window=window, name=reader.fresh_tensor(name))
        extents = (n, channels, rows.count(r), columns.count(c))
        steps = (1, 1, rows.period, columns.period)
        parts.append(Part(len(phases), (0,) * 4, (0, 0, r, c), tuple((e, d, 1, d, s) for d, (e, s) in enumerate(zip(extents, steps)))))
        phases.append(reader.values[name].reference)
    wanted = (n, channels, rows.wanted, columns.wanted)
    y = copied(reader, name, phases, Plan("Resize", wanted, tuple(parts)), replace(end, nodes=(), clip=None))
    reader.values[name] = Quantised(seen_as(reader, y, (n, channels, columns.wanted)) if lines else y)
