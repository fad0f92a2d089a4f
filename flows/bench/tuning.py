"""Tuners from the same random beginnings: what each measurement of each run came to, and what it cost to propose."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from tenon.compiler.errors import CompileError
from tenon.compiler.network import Network
from tenon.compiler.tune import TUNERS, Measure, Measured, NetworkSpace, Point, Tuner
from tenon.compiler.tune.tuners import Release
from tenon.flows.bench.record import Record
from tenon.flows.compile import read_source
from tenon.flows.explore.point import version_of
from tenon.flows.source import open_source
from tenon.flows.tune_measure import BATCH
from tenon.hw.presets import preset
from tenon.tb.gateware import graph_of

__all__ = ["BUDGET", "COMPETITORS", "CONFIGURATIONS", "FIRST", "NETWORKS", "Course", "Step", "Task", "course", "followed", "sources"]

NETWORKS = ("digits", "dscnn", "resnet8")
CONFIGURATIONS = ("edge8", "edge16", "edge32", "edge16_small", "edge8_ecp5")
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
class Step:
    """Of a run, when it came to its best so far, or its end: how many measurements there were, the least cycles of those (None: none was a
    program), CPU seconds of proposing, questions to a model, simulations if ``BATCH`` programs go into one, cycles of all measurements."""

    measured: int
    best: int | None
    seconds: float
    queries: int
    simulations: int
    cycles: int


@dataclass(frozen=True)
class Course:
    """A run: a step for each improvement, and the end."""

    steps: tuple[Step, ...]

    @property
    def end(self) -> Step:
        return self.steps[-1]

    def best(self, count: int) -> int | None:
        """The least of the first ``count``."""
        return next((step.best for step in reversed(self.steps) if step.measured <= count), None)

    def reached(self, cycles: float) -> Step | None:
        """When it came to no more than ``cycles``; None if it never did."""
        return next((step for step in self.steps if step.best is not None and step.best <= cycles), None)

    def to_row(self) -> list[list]:
        return [list(astuple(step)) for step in self.steps]

    @classmethod
    def from_row(cls, row: list[list]) -> Course:
        return cls(tuple(Step(*step) for step in row))


def sources() -> str:
    """A hash of what decides courses."""
    return version_of(_SOURCES)


def course(task: Task, tuner: str, seed: int, record: Record, budget: int = BUDGET) -> Course:
    """A run of ``tuner``, now or before with the same sources."""
    key = (sources(), task.network, task.configuration, tuner, seed, budget)
    if key not in record:
        record.add(key, _course(task, tuner, seed, budget).to_row())
    return Course.from_row(record[key])


def _course(task: Task, tuner: str, seed: int, budget: int) -> Course:
    rng = np.random.default_rng([seed, 64])
    first = [task.space.random_fitting(rng) for _ in range(FIRST)]
    return followed(COMPETITORS[tuner](task.space, task.start, seed, first), lambda points: map(task.measure, points), budget)


def followed(proposals: Tuner, measure: Callable[[Sequence[Point]], Iterable[Measured | None]], budget: int) -> Course:
    """The course of a tuner until ``budget`` points are measured, or it has no more."""
    steps: list[Step] = []
    count, best, spent, queries, simulations, total = 0, None, 0.0, 0, 0, 0
    while count < budget:
        began = time.process_time()
        points = proposals.ask()[:budget - count]
        spent += time.process_time() - began
        if not points:
            break
        measured = list(measure(points))
        began = time.process_time()
        proposals.tell(points, measured)
        spent += time.process_time() - began
        queries = proposals.queries
        for number, found in enumerate(measured, 1):
            total += 0 if found is None else found.cycles
            if found is not None and (best is None or found.cycles < best):
                best = found.cycles
                steps.append(Step(count + number, best, round(spent, 3), queries, simulations + -(-number // BATCH), total))
        count += len(points)
        simulations += -(-len(points) // BATCH)
    if not steps or steps[-1].measured != count:
        steps.append(Step(count, best, round(spent, 3), queries, simulations, total))
    return Course(tuple(steps))
