"""The sampler that learns: Gaussian processes of all objectives, and of each batch what promises the largest gain of hypervolume."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from tenon.flows.explore.front import on_front
from tenon.flows.explore.samplers import Sampler
from tenon.flows.explore.space import Choice, DesignSpace

__all__ = ["Guided"]

_FIRST = 16  # points at random, before there is anything to learn from
_CANDIDATES = 2000  # points that are looked at for a batch, if the space has more
_SAMPLES = 4096  # points at which volumes are compared
_OPTIMISM = 1.0  # standard deviations below the mean that a point is given credit for
_REFIT = 1.3  # length scales are fitted again when there are so many more points
_MOST_FITTED = 200  # points that length scales are fitted to


class Guided(Sampler):
    """Objectives are learned in logarithms, over logarithms of parameters: cycles and area are near products of powers of them."""

    def __init__(self, space: DesignSpace, objectives: int, seed: int):
        super().__init__(space, objectives, seed)
        self._choices: list[Choice] = []
        self._values: list[np.ndarray | None] = []
        self._fitted = 0
        self._kernels: list = [None] * objectives
        self._features: dict[Choice, np.ndarray] = {}

    def tell(self, choices: Sequence[Choice], values: Sequence[Sequence[float] | None]) -> None:
        self._choices += choices
        self._values += [None if v is None else np.log(np.maximum(v, 1e-9)) for v in values]

    def _ask(self, count: int) -> list[Choice]:
        known = [v for v in self._values if v is not None]
        if len(self._choices) < _FIRST or len(known) < 4:
            return self.fresh(count)
        candidates = self._candidates()
        if not candidates:
            return []
        values = self._filled()
        mean, deviation = self._predicted(values, candidates)
        promised = mean - _OPTIMISM * deviation
        worst, best = values.max(axis=0), np.minimum(values.min(axis=0), promised.min(axis=0))
        reference = worst + 0.05 * (worst - best) + 1e-6
        samples = best + self.rng.random((_SAMPLES, self.objectives)) * (reference - best)
        free = ~_covered(samples, values[on_front(values)])
        found: list[int] = []
        for _ in range(min(count, len(candidates))):
            left = samples[free]
            gains = np.array([(left >= row).all(axis=1).sum() for row in promised], float)
            gains += 1e-3 * deviation.sum(axis=1)  # where nothing is gained, what is known least
            gains[found] = -1.0
            taken = int(gains.argmax())
            found.append(taken)
            free &= ~_covered(samples, mean[taken:taken + 1])  # as if it turned out as it should
        return [candidates[k] for k in found]

    def _filled(self) -> np.ndarray:
        """Logarithms of all objectives; what nothing runs on is as bad as the worst."""
        worst = np.max([v for v in self._values if v is not None], axis=0)
        return np.array([worst if v is None else v for v in self._values])

    def _candidates(self) -> list[Choice]:
        if self.space.listed is not None and len(self.space.listed) <= _CANDIDATES:
            return [c for c in self.space.listed if c not in self.proposed]
        values = self._filled()
        front = [self._choices[k] for k in np.flatnonzero(on_front(values))]
        around = dict.fromkeys(itertools.chain.from_iterable(self.space.near(c) for c in front))
        near = [c for c in around if c not in self.proposed]
        if len(near) > _CANDIDATES // 2:
            near = [near[k] for k in self.rng.permutation(len(near))[:_CANDIDATES // 2]]
        return near + self.fresh(_CANDIDATES - len(near), set(near))

    def _predicted(self, values: np.ndarray, candidates: list[Choice]) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations (candidates, objectives)."""
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        there = self._encoded(candidates)
        here = self._encoded(self._choices)
        low, high = here.min(axis=0), here.max(axis=0)
        vary = high > low
        scale = np.where(vary, high - low, 1.0)
        here, there = (here - low)[:, vary] / scale[vary], (there - low)[:, vary] / scale[vary]
        again = len(here) >= _REFIT * self._fitted
        some = self.rng.permutation(len(here))[:_MOST_FITTED] if len(here) > _MOST_FITTED else np.arange(len(here))
        means, deviations = [], []
        for k in range(values.shape[1]):
            y = values[:, k]
            centre, spread = y.mean(), y.std() or 1.0
            y = (y - centre) / spread
            with warnings.catch_warnings(), threadpool_limits(1):  # matrices are small, and workers want the processors
                warnings.simplefilter("ignore")  # a length scale at its bound is an answer
                if again:
                    kernel = (ConstantKernel(1.0, (1e-2, 1e3)) * Matern([1.0] * here.shape[1], (1e-1, 1e2), nu=2.5)
                              + WhiteKernel(1e-3, (1e-8, 1e-1)))
                    self._kernels[k] = GaussianProcessRegressor(kernel, random_state=0).fit(here[some], y[some]).kernel_
                process = GaussianProcessRegressor(self._kernels[k], optimizer=None).fit(here, y)
                mean, deviation = process.predict(there, return_std=True)
            means.append(mean * spread + centre)
            deviations.append(deviation * spread)
        if again:
            self._fitted = len(here)
        return np.stack(means, axis=1), np.stack(deviations, axis=1)

    def _encoded(self, choices: Sequence[Choice]) -> np.ndarray:
        names = [axis.name for axis in self.space.axes]
        for choice in choices:
            if choice not in self._features:
                params = self.space.params(choice)
                self._features[choice] = np.log2([1 + getattr(params, name) for name in names])
        return np.array([self._features[c] for c in choices])


def _covered(samples: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which samples some row dominates."""
    found = np.zeros(len(samples), bool)
    for row in rows:
        found |= (samples >= row).all(axis=1)
    return found
