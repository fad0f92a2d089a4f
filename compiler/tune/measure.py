"""What a point takes: the cycles of the network's whole program by the compiled event loop."""

from __future__ import annotations

from tenon.compiler.code import Code
from tenon.compiler.errors import CompileError
from tenon.compiler.join import joined
from tenon.compiler.timing import time_program
from tenon.compiler.tokens import token_masks
from tenon.compiler.tune.space import NetworkSpace, Point

__all__ = ["Measure"]


class Measure:
    """Cycles of points of ``space``. A layer is lowered once for each of its own parts of a point.

    ``lowered`` counts how often that was.
    """

    def __init__(self, space: NetworkSpace):
        self.space, self.lowered = space, 0
        self._codes: dict[tuple[int, Point], Code | CompileError] = {}

    def __call__(self, point: Point) -> int:
        """Cycles of the whole network.

        Raises
        ------
        CompileError
            If a layer cannot be mapped so.
        """
        covenant = self.space.network.covenant
        codes = [self._code(number, point[part]) for number, part in enumerate(self.space.slices)]
        instructions, _ = joined(codes)
        return time_program(covenant, instructions, masks=token_masks(covenant, instructions)).cycles

    def _code(self, number: int, part: Point) -> Code:
        key = number, part
        if key not in self._codes:
            self.lowered += 1
            try:
                self._codes[key] = self.space.network.lower(number, self.space.layer_mapping(number, part), self.space.network.constants())
            except CompileError as error:
                self._codes[key] = error
        found = self._codes[key]
        if isinstance(found, CompileError):
            raise found
        return found
