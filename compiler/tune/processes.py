"""What a whole network takes, as a sum over its layers: a Gaussian process for each says how much later it ends than those before it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from tenon.compiler.tune.space import TENSORS, NetworkSpace, Point

__all__ = ["LayerProcesses"]

_REFIT = 1.3  # length scales are fitted again when there are so many more points
_REACH = 1  # layers before and behind whose choices a layer's end may depend on


class LayerProcesses:
    """A layer's end depends on its own choices, on those of its neighbours, and on where tensors stay: far fewer than the whole network
    has, and each measurement says something about every layer."""

    def __init__(self, space: NetworkSpace):
        self.space = space
        count = len(space.network.layers)
        at = np.array([k.layer if k.layer < count else space.reader(k.layer) for k in space.knobs])
        self._own = [(np.abs(at - number) <= _REACH) | (at == TENSORS) for number in range(count)]
        self._kernels: list = [None] * count
        self._fitted = 0
        self._processes: list = []

    def fit(self, points: Sequence[Point], layers: np.ndarray) -> None:
        """``layers`` (points, layers): cycles of each."""
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        scaled = self._scaled(points)
        again = len(points) >= _REFIT * self._fitted
        self._processes = []
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")  # a length scale at its bound is an answer
            for number, (own, cycles) in enumerate(zip(self._own, layers.T, strict=True)):
                if cycles.min() == cycles.max():
                    self._processes.append(float(cycles[0]))
                    continue
                if again or self._kernels[number] is None:
                    kernel = ConstantKernel(1.0) * Matern(1.5, (0.3, 20.0), nu=2.5) + WhiteKernel(1e-3, (1e-6, 1.0))
                    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0).fit(scaled[:, own], cycles)
                    self._kernels[number] = process.kernel_
                else:
                    process = GaussianProcessRegressor(self._kernels[number], optimizer=None, normalize_y=True).fit(scaled[:, own], cycles)
                self._processes.append(process)
        if again:
            self._fitted = len(points)

    def __call__(self, points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
        """Cycles of whole networks, and their standard deviations."""
        scaled = self._scaled(points)
        total, variance = np.zeros(len(points)), np.zeros(len(points))
        with threadpool_limits(1):
            for own, process in zip(self._own, self._processes):
                if isinstance(process, float):
                    total += process
                    continue
                mean, deviation = process.predict(scaled[:, own], return_std=True)
                total, variance = total + mean, variance + deviation ** 2
        return total, np.sqrt(variance)

    def _scaled(self, points: Sequence[Point]) -> np.ndarray:
        return np.array(points) / np.maximum(np.array(self.space.sizes) - 1, 1)
