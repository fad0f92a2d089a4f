"""A small perceptron in numpy: forward, backward, Adam (Kingma and Ba, ICLR 2015)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["Perceptron"]

_RATE, _BETAS, _TINY = 1e-3, (0.9, 0.999), 1e-5


class Perceptron:
    """Layers of ``widths``, tanh between them and nothing behind the last.

    Parameters
    ----------
    widths : sequence of int
        Of the input, the hidden layers and the output.
    """

    def __init__(self, widths: Sequence[int], rng: np.random.Generator):
        self.parameters = []
        for fan_in, fan_out in zip(widths, widths[1:]):
            self.parameters += [rng.normal(0, 1 / np.sqrt(fan_in), (fan_in, fan_out)), np.zeros(fan_out)]
        self._moments = [(np.zeros_like(p), np.zeros_like(p)) for p in self.parameters]
        self._steps = 0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Outputs (batch, widths[-1]) of ``x`` (batch, widths[0])."""
        return self._activations(x)[-1]

    def _activations(self, x: np.ndarray) -> list[np.ndarray]:
        found = [x]
        last = len(self.parameters) - 2
        for k in range(0, len(self.parameters), 2):
            z = found[-1] @ self.parameters[k] + self.parameters[k + 1]
            found.append(z if k == last else np.tanh(z))
        return found

    def gradients(self, x: np.ndarray, slope: np.ndarray) -> list[np.ndarray]:
        """Of each parameter, for a loss with the gradient ``slope`` (batch, widths[-1]) at the outputs of ``x``."""
        activations = self._activations(x)
        found: list[np.ndarray] = []
        for k in range(len(self.parameters) - 2, -1, -2):
            below = activations[k // 2]
            found = [below.T @ slope, slope.sum(axis=0), *found]
            slope = slope @ self.parameters[k].T
            if k:
                slope *= 1 - below ** 2
        return found

    def step(self, gradients: Sequence[np.ndarray]) -> None:
        """One step of Adam against ``gradients``."""
        self._steps += 1
        scale = _RATE * np.sqrt(1 - _BETAS[1] ** self._steps) / (1 - _BETAS[0] ** self._steps)
        for parameter, gradient, (mean, square) in zip(self.parameters, gradients, self._moments, strict=True):
            mean += (1 - _BETAS[0]) * (gradient - mean)
            square += (1 - _BETAS[1]) * (gradient ** 2 - square)
            parameter -= scale * mean / (np.sqrt(square) + _TINY)
