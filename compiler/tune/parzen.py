"""Tree-structured Parzen estimators (Bergstra et al., NeurIPS 2011) as Optuna has them, all knobs together."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping

from tenon.compiler.tune.space import NetworkSpace, Point

__all__ = ["Parzen"]


class Parzen:
    """Proposes points from what it was told; nothing random of its own before that."""

    def __init__(self, space: NetworkSpace, seed: int):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space = space
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # several parameters together are called experimental
            sampler = optuna.samplers.TPESampler(multivariate=True, constant_liar=True, n_startup_trials=1, seed=seed)
        self._study = optuna.create_study(sampler=sampler)
        self._axes: Mapping[str, object] = {
            str(k): optuna.distributions.IntDistribution(0, size - 1) if knob.choice.ordered
            else optuna.distributions.CategoricalDistribution(range(size)) for k, (knob, size) in enumerate(zip(space.knobs, space.sizes))}
        self._make = optuna.trial.create_trial
        self._pruned = optuna.trial.TrialState.PRUNED

    def tell(self, point: Point, cycles: int | None) -> None:
        """``cycles``: None for what cannot be lowered."""
        params = {str(k): option for k, option in enumerate(point)}
        if cycles is None:
            trial = self._make(state=self._pruned, params=params, distributions=self._axes)
        else:
            trial = self._make(value=math.log(cycles), params=params, distributions=self._axes)
        self._study.add_trial(trial)

    def propose(self) -> Point:
        """A point, which counts as poor until more is told of it."""
        trial = self._study.ask(self._axes)
        return tuple(trial.params[str(k)] for k in range(len(self._axes)))
