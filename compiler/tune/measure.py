"""What a point takes: the cycles of the network's whole program by the compiled event loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tenon.compiler.code import Code
from tenon.compiler.errors import CompileError
from tenon.compiler.join import joined
from tenon.compiler.timing import time_program
from tenon.compiler.tokens import token_masks
from tenon.compiler.tune.space import LaidOut, NetworkSpace, Point

__all__ = ["Measure", "Measured", "by_layer"]


@dataclass(frozen=True)
class Measured:
    """``cycles`` of the whole network; of them, by how many each layer ended later than all before it (``layers``, of the network as it is
    by default)."""

    cycles: int
    layers: tuple[int, ...]


class Measure:
    """Cycles of points of ``space``. A layer is lowered once for each of its own parts of a point, and each place of its operands.

    ``lowered`` counts how often that was.
    """

    def __init__(self, space: NetworkSpace):
        self.space, self.lowered = space, 0
        self._codes: dict[tuple[int, Point | None], Code | CompileError] = {}

    def __call__(self, point: Point) -> Measured:
        """
        Raises
        ------
        CompileError
            If a layer cannot be mapped so.
        """
        covenant, there = self.space.network.covenant, self.space.laid_out(point)
        instructions, ends = joined(covenant, [self._code(there, n, point) for n in range(len(there.numbers))])
        timed = time_program(covenant, instructions, masks=token_masks(covenant, instructions))
        return by_layer(there, np.maximum.accumulate(timed.moments[:, -1])[ends].tolist(), timed.cycles)

    def _code(self, there: LaidOut, n: int, point: Point) -> Code:
        number = there.numbers[n]
        part = None if number is None else point[self.space.slices[number]]
        key = there.places[n], part
        if key not in self._codes:
            self.lowered += 1
            try:
                mapping = there.mapping(n) if part is None else self.space.layer_mapping(number, part)
                there.network.space(n).point(mapping)
                self._codes[key] = there.network.lower(n, mapping, there.network.constants())
            except CompileError as error:
                self._codes[key] = error
        found = self._codes[key]
        if isinstance(found, CompileError):
            raise found
        return found


def by_layer(there: LaidOut, ends: Sequence[int], cycles: int) -> Measured:
    """Of a network of which each layer ``ends`` after so many cycles: what layers take that are not there by default is their
    successors'."""
    found, before = [0] * there.count, 0
    for number, end in zip(there.numbers, ends, strict=True):
        if number is not None and number < there.count:
            found[number], before = max(0, end - before), max(before, end)
    found[-1] += cycles - before
    return Measured(cycles, tuple(found))
