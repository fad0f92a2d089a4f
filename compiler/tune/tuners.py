"""Tuners: they are asked for points to measure and told what those took."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from tenon.compiler.tune.annealing import Annealing
from tenon.compiler.tune.listed import estimated_order
from tenon.compiler.tune.measure import Measured
from tenon.compiler.tune.parzen import Parzen
from tenon.compiler.tune.policy import Policy
from tenon.compiler.tune.processes import LayerProcesses
from tenon.compiler.tune.space import NetworkSpace, Point

__all__ = ["TUNERS", "Tuner", "make_tuner"]

_ROUND = 32  # points, after those that a model first learns of
_RANDOM_SHARE = 0.05  # of a round, so that a model that is wrong about a region hears of it
_ELITE = 4  # best points that proposals start from
_CROWD = 4  # proposals for each that is to represent them
_POOL = 150  # points of which Gaussian processes choose: of more, more are promising by their mistakes
_FEW, _SHARE = 6, 32  # points that they choose at a time, or such a part of all that were measured
_WARMTH, _HALVED = 0.002, 2500  # such a part of all cycles longer is gone to at times; half of it after so many measurements
_DRAWS = 1000  # mutations, until one was not measured
_CREDIBLE = 1.3  # what takes so much longer than the best says nothing about what is better


class Tuner:
    """Remembers what was measured. Subclasses propose.

    Parameters
    ----------
    start : Point
        The first point that is measured: what the compiler chooses by itself.
    first : sequence of Point, optional
        What is measured before anything is proposed, instead of ``start`` and its mutations.

    Attributes
    ----------
    plan : how many points are measured before it proposes; mutations of the first one, the same for every tuner.
    needs : libraries that not everybody has.
    queries : how often a model was asked about a point.
    """

    plan = 1
    needs: tuple[str, ...] = ()

    def __init__(self, space: NetworkSpace, start: Point, seed: int, first: Sequence[Point] = ()):
        self.space, self.start, self.rng = space, start, np.random.default_rng(seed)
        self.measured: dict[Point, Measured | None] = {}  # None for what cannot be lowered
        self._plan = list(first) or [start, *self._around(start, np.random.default_rng(seed), self.plan - 1)]
        self._asked: set[Point] = set()

    @property
    def queries(self) -> int:
        return 0

    def ask(self) -> list[Point]:
        """The points of the next round, which nobody has measured; none if the tuner has no more."""
        found = self.propose(_ROUND) if self._asked else self._plan
        found = [point for point in dict.fromkeys(found) if point not in self._asked]
        self._asked |= set(found)
        return found

    def tell(self, points: Sequence[Point], measured: Sequence[Measured | None]) -> None:
        """What ``points`` took."""
        self.measured |= dict(zip(points, measured, strict=True))

    def best(self, count: int = 1) -> list[Point]:
        """The quickest points that were measured, the quickest first."""
        known = [(found.cycles, k, point) for k, (point, found) in enumerate(self.measured.items()) if found is not None]
        return [point for _, _, point in sorted(known)[:count]]

    def propose(self, count: int) -> list[Point]:
        raise NotImplementedError

    def _unasked(self, order: Iterator[Point], count: int) -> list[Point]:
        """The next ones of ``order`` that nobody asked for."""
        return list(itertools.islice((point for point in order if point not in self._asked), count))

    def _around(self, point: Point, rng: np.random.Generator, count: int) -> list[Point]:
        """Mutations of ``point`` that fit."""
        found: dict[Point, None] = {}
        for _ in range(50 * count):
            new = self.space.mutated(point, rng)
            if new != point and self.space.fits(new):
                found[new] = None
                if len(found) == count:
                    break
        return list(found)


class Random(Tuner):
    """Any point that fits, each layer's own choices drawn by themselves."""

    def propose(self, count: int) -> list[Point]:
        return [self.space.random_fitting(self.rng) for _ in range(count)]


class Ranked(Tuner):
    """What is estimated to be best, without learning anything."""

    def __init__(self, space: NetworkSpace, start: Point, seed: int, first: Sequence[Point] = ()):
        super().__init__(space, start, seed, first)
        self._order = estimated_order(space, start)

    def propose(self, count: int) -> list[Point]:
        return self._unasked(self._order, count)


class Descent(Tuner):
    """Neighbours of the best point, one knob changed by one or two options, or to any other name; then mutations of it."""

    def propose(self, count: int) -> list[Point]:
        (best,) = self.best() or [self._plan[0]]
        near = [(*best[:k], option, *best[k + 1:]) for k, knob in enumerate(self.space.knobs) for option in knob.choice.near(best[k])]
        self.rng.shuffle(near)
        new = next((p for p in map(tuple, near) if p not in self._asked and self.space.fits(p)), None)
        return [new] if new is not None else self._around(best, self.rng, count)


class Metropolis(Tuner):
    """A walk by mutations. What takes longer is gone to as well, the less often the longer it takes, and the more has been measured
    (Metropolis et al. 1953; Kirkpatrick et al. 1983)."""

    def __init__(self, space: NetworkSpace, start: Point, seed: int, first: Sequence[Point] = ()):
        super().__init__(space, start, seed, first)
        self._at = self._plan[0]

    def tell(self, points: Sequence[Point], measured: Sequence[Measured | None]) -> None:
        super().tell(points, measured)
        for point in points:
            self._visit(point)

    def propose(self, count: int) -> list[Point]:
        for _ in range(_DRAWS):
            point = self.space.mutated(self._at, self.rng)
            if point in self.measured:
                self._visit(point)
            elif self.space.fits(point):
                return [point]
        return []

    def _visit(self, point: Point) -> None:
        found, here = self.measured[point], self.measured[self._at]
        if found is None:
            return
        warmth = _WARMTH * found.cycles * 0.5 ** (len(self.measured) / _HALVED)
        if here is None or found.cycles <= here.cycles or self.rng.random() < np.exp((here.cycles - found.cycles) / warmth):
            self._at = point


class _Learning(Tuner):
    """A cost model learns from all that was measured; ``proposer`` searches it, and some of what that finds is measured.

    Attributes
    ----------
    proposer : what is made of the space and the generator of random numbers: its ``propose`` finds points that the model predicts well.
    sampled, synthesis : whether representatives of those are measured, and not the best; ``representatives`` has the other.
    estimated : whether what is estimated to be best is measured before the model is asked.
    """

    plan = 64
    needs = ("xgboost",)
    proposer: type[Annealing] | type[Policy]
    sampled = synthesis = estimated = False

    def __init__(self, space: NetworkSpace, start: Point, seed: int, first: Sequence[Point] = ()):
        from tenon.compiler.tune.boosted import Boosted  # not everybody has its library

        super().__init__(space, start, seed, first)
        self.model = Boosted(seed)
        self.proposals = self.proposer(space, self.rng)
        self._order = estimated_order(space, start) if self.estimated else iter(())

    def propose(self, count: int) -> list[Point]:
        found, self._order = self._unasked(self._order, count), iter(())
        if found:
            return found
        elite = self.best(_ELITE)
        if not elite:
            return [self.space.random(self.rng) for _ in range(count)]
        points = list(self.measured)
        self.model.fit(self.features(points), _scores(list(self.measured.values())))
        left_out = () if self.synthesis else self._asked  # a representative that was measured tells where to synthesise one
        found = self.proposals.propose(self.predict, elite, left_out, _CROWD * count if self.sampled else count)
        if self.sampled:
            found = self._sampled(found)
        extra = max(1, round(_RANDOM_SHARE * count))
        return [*found[:count - extra], *self._around(elite[0], self.rng, extra)]

    def _sampled(self, points: list[Point]) -> list[Point]:
        """Representatives of ``points``, the best by prediction first."""
        from tenon.compiler.tune.sampling import representatives  # scikit-learn takes a second to load

        chosen = representatives(self.space, points, self._asked, self.rng, synthesis=self.synthesis)
        return [chosen[k] for k in np.argsort(-self.predict(chosen), kind="stable")] if chosen else []

    @property
    def queries(self) -> int:
        return self.model.queries

    def predict(self, points: Sequence[Point]) -> np.ndarray:
        return self.model(self.features(points))

    def features(self, points: Sequence[Point]) -> np.ndarray:
        """What the model sees of points."""
        return self.space.features(points)


def _scores(measured: Sequence[Measured | None]) -> np.ndarray:
    """1 for the quickest, a half for what takes as much more as half of all do, 0 for what cannot be lowered.

    Whole networks differ by so little that shares of the least would all be 1 to a model.
    """
    cycles = np.array([np.inf if found is None else found.cycles for found in measured])
    excess = cycles - cycles.min()
    worse = excess[np.isfinite(excess) & (excess > 0)]
    return 1 / (1 + excess / (np.median(worse) if len(worse) else 1.0))


class Anneal(_Learning):
    """Simulated annealing on the model: AutoTVM's tuner."""

    proposer = Annealing


class SampledAnneal(Anneal):
    """The same, of whose proposals representatives are measured."""

    sampled = True


class Release(_Learning):
    """A learned policy walks on the model; representatives of the points that it came by are measured: ReLeASE."""

    proposer = Policy
    sampled = estimated = True


class Chameleon(Release):
    """The same; where a representative was measured before, one is synthesised."""

    synthesis = True


class Gaussian(Tuner):
    """Of mutations of the best points those with the largest expected improvement, by Gaussian processes of all layers."""

    plan = 40

    def __init__(self, space: NetworkSpace, start: Point, seed: int, first: Sequence[Point] = ()):
        super().__init__(space, start, seed, first)
        self.processes, self._queries = LayerProcesses(space), 0

    @property
    def queries(self) -> int:
        return self._queries

    def propose(self, count: int) -> list[Point]:
        known = {p: found for p, found in self.measured.items() if found is not None}
        if not known:
            return [self.space.random_fitting(self.rng) for _ in range(count)]
        least = min(found.cycles for found in known.values())
        near = [p for p, found in known.items() if found.cycles <= _CREDIBLE * least]
        self.processes.fit(near, np.array([known[p].layers for p in near], float))
        pool = self._pool()
        self._queries += len(pool)
        improvement = _expected(least, *self.processes(pool)) if pool else np.zeros(0)
        chosen: list[Point] = []
        for k in np.argsort(-improvement, kind="stable"):
            if all(sum(a != b for a, b in zip(pool[k], other)) > 1 for other in chosen):
                chosen.append(pool[k])
            if len(chosen) == max(_FEW, len(known) // _SHARE):
                break
        return chosen

    def _pool(self) -> list[Point]:
        """New points that fit: one to three mutations of one of the best."""
        elite, pool = self.best(_ELITE), {}
        for _ in range(10 * _POOL):
            point = elite[int(self.rng.integers(len(elite)))] if self.rng.random() < 0.5 else elite[0]
            for _ in range(1 + int(self.rng.integers(3))):
                point = self.space.mutated(point, self.rng)
            if point not in self._asked and self.space.fits(point):
                pool[point] = None
                if len(pool) == _POOL:
                    break
        return list(pool)


def _expected(least: float, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """The expected improvement over ``least`` (Jones et al. 1998)."""
    from scipy.stats import norm

    deviation = np.maximum(deviation, 1e-9)
    z = (least - mean) / deviation
    return deviation * (z * norm.cdf(z) + norm.pdf(z))


class TPE(Tuner):
    """Optuna's estimators."""

    plan = 64
    needs = ("optuna",)

    def __init__(self, space: NetworkSpace, start: Point, seed: int, first: Sequence[Point] = ()):
        super().__init__(space, start, seed, first)
        self._parzen = Parzen(space, seed)

    def tell(self, points: Sequence[Point], measured: Sequence[Measured | None]) -> None:
        super().tell(points, measured)
        for point, found in zip(points, measured):
            self._parzen.tell(point, None if found is None else found.cycles)

    def propose(self, count: int) -> list[Point]:
        found: dict[Point, None] = {}
        for _ in range(50 * count):
            point = self._parzen.propose()
            if point in self._asked or point in found:
                continue
            if self.space.fits(point):
                found[point] = None
                if len(found) == count:
                    break
            else:
                self._parzen.tell(point, None)
        return list(found)


TUNERS: dict[str, type[Tuner]] = {
    "gaussian": Gaussian, "release": Release, "chameleon": Chameleon, "anneal": Anneal, "anneal+sampling": SampledAnneal, "tpe": TPE,
    "descent": Descent, "metropolis": Metropolis, "ranked": Ranked, "random": Random}


def make_tuner(name: str, space: NetworkSpace, start: Point, seed: int, first: Sequence[Point] = ()) -> Tuner:
    """One of ``TUNERS``."""
    return TUNERS[name](space, start, seed, first)
