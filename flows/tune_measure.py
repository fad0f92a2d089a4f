"""What points take: a batch of them by the compiled event loop, or in RTL, all in one simulation."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence

from tenon.compiler.errors import CompileError
from tenon.compiler.program import Program
from tenon.compiler.tune import Measure, Measured, NetworkSpace, Point
from tenon.compiler.tune.measure import by_layer
from tenon.flows.execution import time_programs
from tenon.hw.params import SystolicParams

__all__ = ["BATCH", "By", "Found", "measure_by"]

BATCH = 16  # programs of one simulation: what they need of DRAM is simulated too, and all are lost if it is interrupted

#: What a point takes, or why there is no program.
Found = Measured | str


class By(enum.StrEnum):
    """What measures."""

    MODEL = "model"
    RTL = "rtl"


def measure_by(by: By, space: NetworkSpace, params: SystolicParams | None) -> Callable[[Sequence[Point]], Iterator[Found]]:
    """Measures points in their order. ``params``: the hardware, for RTL."""
    if by is By.MODEL:
        return _by_model(space)
    if params is None:
        raise ValueError("RTL needs its parameters")
    return _in_rtl(space, params)


def _by_model(space: NetworkSpace) -> Callable[[Sequence[Point]], Iterator[Found]]:
    measure = Measure(space)

    def found(point: Point) -> Found:
        try:
            return measure(point)
        except CompileError as error:
            return str(error)

    return lambda points: map(found, points)


def _in_rtl(space: NetworkSpace, params: SystolicParams) -> Callable[[Sequence[Point]], Iterator[Found]]:
    def program(point: Point) -> Program | str:
        try:
            return space.laid_out(point).network.program(space.mapping(point).layers)
        except CompileError as error:
            return str(error)

    def measured(points: Sequence[Point]) -> Iterator[Found]:
        for first in range(0, len(points), BATCH):
            batch = points[first:first + BATCH]
            programs = [program(p) for p in batch]
            times = iter(time_programs([p for p in programs if not isinstance(p, str)], params))
            for point, made in zip(batch, programs):
                if isinstance(made, str):
                    yield made
                    continue
                cycles, stamps = next(times)
                at = {s.mark: s.cycle for s in stamps}
                ends, before = [], 0
                for layer in made.layers:
                    before = max(before, at.get(layer.mark, before))
                    ends.append(before)
                yield by_layer(space.laid_out(point), ends, cycles)

    return measured
