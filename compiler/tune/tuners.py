"""Tuners: they are asked for points to measure and told what those took."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tenon.compiler.tune.annealing import Annealing
from tenon.compiler.tune.policy import Policy
from tenon.compiler.tune.space import NetworkSpace, Point

__all__ = ["TUNERS", "Tuner", "make_tuner"]

_PLAN = 64  # points that are measured before a model learns, and of each round after that
_ROUND = 32
_RANDOM_SHARE = 0.05  # of a round, so that a model that is wrong about a region hears of it
_ELITE = 8  # best points that proposals start from
_CROWD = 4  # proposals for each that is to represent them


class Tuner:
    """Remembers what was measured. Subclasses propose.

    Parameters
    ----------
    start : Point
        The first point that is measured: what the compiler chooses by itself.
    """

    learns = False

    def __init__(self, space: NetworkSpace, start: Point, seed: int):
        self.space, self.rng = space, np.random.default_rng(seed)
        self.measured: dict[Point, int | None] = {}  # cycles; None for what cannot be lowered
        self._plan = [start, *self._around(start, np.random.default_rng(seed), _PLAN - 1)]  # the same for every tuner
        self._asked: set[Point] = set()

    def ask(self) -> list[Point]:
        """The points of the next round, which nobody has measured; none if the tuner has no more."""
        if not self._asked:
            found = self._plan if self.learns else self._plan[:1]
        else:
            found = self.propose(_ROUND)
        found = [point for point in dict.fromkeys(found) if point not in self._asked]
        self._asked |= set(found)
        return found

    def tell(self, points: Sequence[Point], cycles: Sequence[int | None]) -> None:
        """What ``points`` took."""
        self.measured |= dict(zip(points, cycles, strict=True))

    def best(self, count: int = 1) -> list[Point]:
        """The quickest points that were measured, the quickest first."""
        known = [(cycles, k, point) for k, (point, cycles) in enumerate(self.measured.items()) if cycles is not None]
        return [point for _, _, point in sorted(known)[:count]]

    def propose(self, count: int) -> list[Point]:
        raise NotImplementedError

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
        found = []
        for _ in range(count):
            point: list[int] = []
            for number, part in enumerate(self.space.slices):
                sizes = self.space.sizes[part]
                own = tuple(int(self.rng.integers(s)) for s in sizes)
                for _ in range(1000):
                    if np.isfinite(self.space.layer_estimate(number, own)):
                        break
                    own = tuple(int(self.rng.integers(s)) for s in sizes)
                point += own
            found.append(tuple(point))
        return found


class Descent(Tuner):
    """Neighbours of the best point, one knob changed by one or two options, or to any other name; then mutations of it."""

    def propose(self, count: int) -> list[Point]:
        (best,) = self.best() or [self._plan[0]]
        near = [(*best[:k], option, *best[k + 1:]) for k, knob in enumerate(self.space.knobs) for option in knob.choice.near(best[k])]
        self.rng.shuffle(near)
        new = [p for p in map(tuple, near) if p not in self._asked and self.space.fits(p)]
        return new[:1] or self._around(best, self.rng, count)


class _Learning(Tuner):
    """A cost model learns from all that was measured; ``proposer`` searches it, and some of what that finds is measured.

    Attributes
    ----------
    proposer : what is made of the space and the generator of random numbers: its ``propose`` finds points that the model predicts well.
    sampled, synthesis : whether representatives of those are measured, and not the best; ``representatives`` has the other.
    """

    learns = True
    proposer: type[Annealing] | type[Policy]
    sampled = synthesis = False

    def __init__(self, space: NetworkSpace, start: Point, seed: int):
        from tenon.compiler.tune.boosted import Boosted  # not everybody has its library

        super().__init__(space, start, seed)
        self.model = Boosted(seed)
        self.proposals = self.proposer(space, self.rng)

    def propose(self, count: int) -> list[Point]:
        elite = self.best(_ELITE)
        if not elite:
            return [self.space.random(self.rng) for _ in range(count)]
        points = list(self.measured)
        self.model.fit(self.space.features(points), _scores([self.measured[p] for p in points]))
        found = self.proposals.propose(self.predict, elite, self._asked, _CROWD * count if self.sampled else count)
        if self.sampled:
            found = self._sampled(found)
        extra = max(1, round(_RANDOM_SHARE * count))
        return [*found[:count - extra], *self._around(elite[0], self.rng, extra)]

    def _sampled(self, points: list[Point]) -> list[Point]:
        """Representatives of ``points``, the best by prediction first."""
        from tenon.compiler.tune.sampling import representatives  # scikit-learn takes a second to load

        chosen = representatives(self.space, points, self._asked, self.rng, synthesis=self.synthesis)
        return [chosen[k] for k in np.argsort(-self.predict(chosen), kind="stable")] if chosen else []

    def predict(self, points: Sequence[Point]) -> np.ndarray:
        return self.model(self.space.features(list(points)))


def _scores(cycles: Sequence[int | None]) -> np.ndarray:
    """1 for the quickest, a half for what takes as much more as half of all do, 0 for what cannot be lowered.

    Whole networks differ by so little that shares of the least would all be 1 to a model.
    """
    least = min(c for c in cycles if c is not None)
    excess = np.array([np.inf if c is None else c - least for c in cycles], float)
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
    sampled = True


class Chameleon(Release):
    """The same; where a representative was measured before, one is synthesised."""

    synthesis = True


TUNERS: dict[str, type[Tuner]] = {"random": Random, "descent": Descent, "anneal": Anneal, "anneal+sampling": SampledAnneal,
                                  "release": Release, "chameleon": Chameleon}


def make_tuner(name: str, space: NetworkSpace, start: Point, seed: int) -> Tuner:
    """One of ``TUNERS``."""
    return TUNERS[name](space, start, seed)
