"""Tuning in RTL: what a measurement takes, and whole runs of tuners."""

from __future__ import annotations

import resource
from dataclasses import dataclass

import numpy as np

from tenon.compiler.errors import CompileError
from tenon.compiler.program import Program
from tenon.compiler.tune import NetworkSpace, Point, make_tuner
from tenon.flows.bench.tuning import Step, Task, followed
from tenon.flows.execution import time_programs
from tenon.flows.tune_measure import By, measure_by
from tenon.hw.presets import preset

__all__ = ["Rates", "RealRun", "rates_of", "real_run", "virtual_seconds"]

_PROGRAMS = 8


@dataclass(frozen=True)
class Rates:
    """CPU seconds of making a program and of starting a simulation, and cycles that one simulates in a second."""

    program: float
    start: float
    cycles_per_second: float


@dataclass(frozen=True)
class RealRun:
    """A run of a tuner whose measurements were made in RTL: CPU seconds that it took, and what they should have been."""

    tuner: str
    measurements: int
    first: int
    best: int
    seconds: float
    virtual: float


def rates_of(task: Task) -> Rates:
    """Of a task, from some of its programs."""
    rng, programs, start = np.random.default_rng(9), [], task.start
    began = _processor_seconds()
    while len(programs) < _PROGRAMS:
        try:
            programs.append(_program(task.space, task.space.mutated(start, rng)))
        except CompileError:
            continue
    made = (_processor_seconds() - began) / _PROGRAMS
    params = preset(task.configuration)
    time_programs(programs[:1], params)  # builds the simulator, if it is not there
    took, cycles = [], []
    for count in (1, _PROGRAMS):
        began = _processor_seconds()
        cycles.append(sum(c for c, _ in time_programs((programs * count)[:count * count], params)))
        took.append(_processor_seconds() - began)
    rate = (cycles[1] - cycles[0]) / max(took[1] - took[0], 1e-3)
    return Rates(made, max(0.0, took[0] - cycles[0] / rate), rate)


def virtual_seconds(step: Step, rates: Rates) -> float:
    """What a run would have taken in RTL until then, proposing included."""
    return step.seconds + step.measured * rates.program + step.simulations * rates.start + step.cycles / rates.cycles_per_second


def real_run(task: Task, tuner: str, rates: Rates, budget: int, seed: int = 1) -> RealRun:
    """From the compiler's own choice on."""
    space, params = NetworkSpace(task.space.network), preset(task.configuration)
    proposals, measure = make_tuner(tuner, space, task.start, seed), measure_by(By.RTL, space, params)
    began = _processor_seconds()
    found = followed(proposals, lambda points: (None if isinstance(m, str) else m for m in measure(points)), budget)
    return RealRun(tuner, found.end.measured, found.steps[0].best, found.end.best, _processor_seconds() - began,
                   virtual_seconds(found.end, rates))


def _program(space: NetworkSpace, point: Point) -> Program:
    return space.laid_out(point).network.program(space.mapping(point).layers)


def _processor_seconds() -> float:
    """Of this process and of those that have ended."""
    mine, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in (mine, others))
