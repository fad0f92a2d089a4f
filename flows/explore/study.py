"""Explores: asks a sampler for points in batches, has them computed, and records them; the same in the end however often interrupted."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tenon.flows.energy_table import EnergyTable
from tenon.flows.errors import UserError
from tenon.flows.explore.engines import Engine, Job, WorkerDied
from tenon.flows.explore.front import hypervolume, on_front
from tenon.flows.explore.objectives import scorer
from tenon.flows.explore.point import Effort, Point, Workload, evaluate
from tenon.flows.explore.samplers import make_sampler
from tenon.flows.explore.space import Choice, DesignSpace
from tenon.flows.explore.storage import Record, Result

__all__ = ["BATCH", "Explored", "Found", "explore"]

BATCH = 8  # points that are proposed at once, from all results before them: it does not depend on workers, so neither does the front
_POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Found:
    """A point of a study; no ``values`` where nothing runs on it."""

    number: int
    choice: Choice
    point: Point
    values: tuple[float, ...] | None


@dataclass(frozen=True)
class Explored:
    """All points of a study, in the order of their numbers."""

    objectives: tuple[str, ...]
    found: tuple[Found, ...]

    @property
    def good(self) -> list[Found]:
        return [f for f in self.found if f.values is not None]

    def front(self) -> list[Found]:
        """The points that no other dominates, by their first objective."""
        good = self.good
        keep = on_front(np.array([f.values for f in good])) if good else []
        return sorted((f for f, k in zip(good, keep) if k), key=lambda f: f.values)

    def volumes(self) -> list[float]:
        """The share of the volume in the box of all points, of logarithms, that is dominated after each point."""
        logs = [np.log(f.values) if f.values is not None else None for f in self.found]
        known = np.array([v for v in logs if v is not None])
        if not len(known):
            return [0.0] * len(logs)
        low, high = known.min(axis=0), known.max(axis=0)
        spread = np.where(high > low, high - low, 1.0)
        found, front = [], np.empty((0, len(self.objectives)))
        volume = 0.0
        for value in logs:
            if value is not None:
                scaled = (value - low) / spread
                if not len(front) or not (front <= scaled).all(axis=1).any():
                    front = np.vstack([front, scaled])
                    front = front[on_front(front)]
                    volume = hypervolume(front, np.ones(len(self.objectives)) + 1e-9)
            found.append(volume)
        return found


def explore(space: DesignSpace, workloads: Sequence[Workload], objectives: Sequence[str], *, sampler: str = "guided", budget: int = 500,
            seed: int = 1, effort: Effort, table: EnergyTable, record: Record, engine: Engine,
            progress: Callable[[str], None] = lambda _: None) -> Explored:
    """Computes the first ``budget`` points that ``sampler`` proposes, or all that the space has.

    Points are proposed in batches, each from the results of all batches before; other drivers on the same record share the batches.

    Raises
    ------
    UserError
        If no point can run the networks, or the record fails.
    """
    proposals = make_sampler(sampler, space, len(objectives), seed)
    score = scorer(space, objectives)
    found: list[Found] = []
    line = _Line(budget, progress)

    def task(choice: Choice) -> tuple:
        return space.params(choice), workloads, effort, table

    while len(found) < budget:
        choices = proposals.ask(BATCH)
        some = choices[:budget - len(found)]
        if not some:
            break
        record.propose(len(found), some)
        line.begin(Explored(tuple(objectives), tuple(found)))
        results = _computed(task, score, record, engine, line.say)
        found += [Found(len(found) + k, choice, point, values) for k, (choice, (point, values)) in enumerate(zip(some, results))]
        proposals.tell(some, [values for _, values in results])
    if found and all(f.values is None for f in found):
        raise UserError(_nothing(found))
    return Explored(tuple(objectives), tuple(found))


def _computed(task: Callable[[Choice], tuple], score: Callable[[Point], tuple[float, ...]], record: Record, engine: Engine,
              say: Callable[[int, int], None]) -> list[Result]:
    """The results of the batch that was proposed: by this driver, and by others that took some of it."""
    jobs: dict[Job, tuple[int, Choice]] = {}
    computed = 0

    def begin(number: int, choice: Choice) -> None:
        jobs[engine.submit(evaluate, *task(choice))] = number, choice

    while True:
        results = record.results()
        say(sum(r is not None for r in results), computed)
        if all(r is not None for r in results):
            return results
        while len(jobs) < engine.workers and (claimed := record.claim()) is not None:
            begin(*claimed)
        if not jobs:
            for abandoned in record.abandoned():
                begin(*abandoned)
        if not jobs:
            time.sleep(_POLL_SECONDS)  # another driver has all that is left
        for job in engine.finished(jobs, _POLL_SECONDS):
            number, choice = jobs.pop(job)
            try:
                point = engine.result(job)
            except WorkerDied as error:
                point = Point(task(choice)[0], {}, {}, str(error))
            record.tell(number, point, None if point.reason else score(point))
            computed += 1
        record.beat([number for number, _ in jobs.values()])


class _Line:
    """Says how far an exploration is, and when it will be done."""

    def __init__(self, budget: int, progress: Callable[[str], None]):
        self._budget, self._progress = budget, progress
        self._began, self._computed = time.monotonic(), 0
        self._first = self._before = self._front = 0

    def begin(self, explored: Explored) -> None:
        """A batch, behind what is ``explored``."""
        self._first, self._before, self._front = len(explored.found), self._computed, len(explored.front())

    def say(self, done: int, new: int) -> None:
        """``done`` of the batch, ``new`` of them by this driver."""
        self._computed = self._before + new
        done += self._first
        text = f"{done} of {self._budget} points"
        if self._front:
            text += f", {self._front} on the front"
        if self._computed:
            seconds = (time.monotonic() - self._began) / self._computed * (self._budget - done)
            text += f", {math.ceil(seconds)} s left"
        self._progress(text)


def _nothing(found: Sequence[Found]) -> str:
    """Why no point runs the networks: how many for which reason."""
    reasons = Counter(f.point.reason for f in found)
    reason, count = reasons.most_common(1)[0]
    others = f"; {len(found) - count} for others" if count < len(found) else ""
    return f"none of {len(found)} points can run the networks, {count} of them since {reason}{others}"
