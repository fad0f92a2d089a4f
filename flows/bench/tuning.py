"""Tuners from the same random beginnings: what each measurement of each run came to, and what it cost to propose."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from tenon.compiler.errors import CompileError
from tenon.compiler.network import Network
from tenon.compiler.tune import TUNERS, Measure, Measured, NetworkSpace, Point, Tuner
from tenon.compiler.tune.tuners import Release
from tenon.flows.compile import read_source
from tenon.flows.explore.point import version_of
from tenon.flows.hardware.kept import kept
from tenon.flows.source import open_source
from tenon.hw.presets import preset
from tenon.tb.gateware import graph_of

__all__ = ["BUDGET", "COMPETITORS", "CONFIGURATIONS", "FIRST", "NETWORKS", "Course", "Task", "course", "followed", "sources"]

NETWORKS = ("digits", "dscnn", "resnet8", "swiftnet_cell_c", "swiftnet_cell_b", "swiftnet_cell_a")
CONFIGURATIONS = ("edge8", "edge16")
FIRST = 64  # random points that all tuners of a seed begin with
BUDGET = 512
_SOURCES = ("acg", "compiler", "hw")


class _Alone(Release):
    """A policy without sampling: of what it came by, the best by prediction."""

    sampled = False


class _Unordered(Release):
    """ReLeASE that does not begin with what is estimated to be best."""

    estimated = False


class _Values(_Unordered):
    """And whose model sees values of knobs and no estimates."""

    def features(self, points: Sequence[Point]) -> np.ndarray:
        return self.space.features(points, estimates=False)


#: Tuners that are compared, and parts of one of them.
COMPETITORS: dict[str, type[Tuner]] = TUNERS | {
    "release without sampling": _Alone, "release without order": _Unordered, "release without estimates": _Values}


@dataclass(frozen=True)
class Task:
    """A network on a configuration, its tensors on chip."""

    network: str
    configuration: str

    @functools.cached_property
    def space(self) -> NetworkSpace:
        graph, _ = read_source(open_source(f"zoo:{self.network}"))
        return NetworkSpace(Network(graph, graph_of(preset(self.configuration)), schedule="optimal", on_chip=True))

    @functools.cached_property
    def measure(self) -> _Known:
        return _Known(self.space)

    @functools.cached_property
    def start(self) -> Point:
        return self.space.start()


class _Known:
    """What points take, each of them measured once whoever asks."""

    def __init__(self, space: NetworkSpace):
        self._measure = Measure(space)
        self._found: dict[Point, Measured | None] = {}

    def __call__(self, point: Point) -> Measured | None:
        if point not in self._found:
            try:
                self._found[point] = self._measure(point)
            except CompileError:
                self._found[point] = None
        return self._found[point]


@dataclass(frozen=True)
class Course:
    """Of a run, for each measurement: its cycles (None: no program); CPU seconds of proposing and questions to a model until then; and
    which round it was of."""

    cycles: list[int | None]
    seconds: list[float]
    queries: list[int]
    rounds: list[int]

    def best(self, count: int) -> int | None:
        """The least of the first ``count``."""
        return min((c for c in self.cycles[:count] if c is not None), default=None)

    def reached(self, cycles: float) -> int | None:
        """How many measurements it took to come to no more than ``cycles``; None if it never did."""
        return next((n for n, c in enumerate(self.cycles, 1) if c is not None and c <= cycles), None)


def sources() -> str:
    """A hash of what decides courses."""
    return version_of(_SOURCES)


def course(task: Task, tuner: str, seed: int, budget: int = BUDGET) -> Course:
    """A run of ``tuner``, now or before with the same sources."""
    recipe = [sources(), task.network, task.configuration, tuner, seed, budget]
    return Course(**kept("tuned", recipe, lambda: _course(task, tuner, seed, budget)))


def _course(task: Task, tuner: str, seed: int, budget: int) -> dict:
    rng = np.random.default_rng([seed, 64])
    first = [task.space.random_fitting(rng) for _ in range(FIRST)]
    return asdict(followed(COMPETITORS[tuner](task.space, task.start, seed, first), lambda points: map(task.measure, points), budget))


def followed(proposals: Tuner, measure: Callable[[Sequence[Point]], Iterable[Measured | None]], budget: int) -> Course:
    """The course of a tuner until ``budget`` points are measured, or it has no more."""
    found, spent, number = Course([], [], [], []), 0.0, 0
    while len(found.cycles) < budget:
        began = time.process_time()
        points = proposals.ask()[:budget - len(found.cycles)]
        spent += time.process_time() - began
        if not points:
            break
        measured = list(measure(points))
        began = time.process_time()
        proposals.tell(points, measured)
        spent += time.process_time() - began
        found.cycles.extend(None if m is None else m.cycles for m in measured)
        for values, value in ((found.seconds, round(spent, 3)), (found.queries, proposals.queries), (found.rounds, number)):
            values.extend([value] * len(points))
        number += 1
    return found
