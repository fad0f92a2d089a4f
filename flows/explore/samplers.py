"""What proposes points: each sampler sees every result in the order of its proposals, and so proposes the same again for the same seed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from tenon.flows.explore.space import Choice, DesignSpace

__all__ = ["SAMPLERS", "Sampler", "make_sampler"]

SAMPLERS = ("guided", "nsga2", "tpe", "random", "grid")

_REDRAWS = 20  # of what was proposed before
_IN_VAIN = 16  # draws of Optuna's in a row that bring nothing new: the rest of a batch is random


class Sampler:
    """Proposes points of ``space`` that were not proposed before."""

    def __init__(self, space: DesignSpace, objectives: int, seed: int):
        self.space, self.objectives = space, objectives
        self.rng = np.random.default_rng(seed)
        self.proposed: set[Choice] = set()

    def ask(self, count: int) -> list[Choice]:
        """At most ``count`` new points; fewer where the space has no more, or none was found."""
        found = self._ask(count)
        self.proposed.update(found)
        return found

    def tell(self, choices: Sequence[Choice], values: Sequence[Sequence[float] | None]) -> None:
        """The objectives of what was asked last; None for what nothing can be run on."""

    def _ask(self, count: int) -> list[Choice]:
        raise NotImplementedError

    def fresh(self, count: int, among: set[Choice] = frozenset()) -> list[Choice]:
        """Valid points at random that are neither proposed nor ``among``."""
        used = self.proposed | among
        if self.space.listed is not None:
            left = [c for c in self.space.listed if c not in used]
            return [left[k] for k in self.rng.permutation(len(left))[:count]]
        found: dict[Choice, None] = {}
        for _ in range(_REDRAWS * count):
            choice = self.space.draw(self.rng)
            if choice not in used:
                found[choice] = None
            if len(found) == count:
                break
        return list(found)


class Random(Sampler):
    """Valid points, all as likely."""

    def _ask(self, count: int) -> list[Choice]:
        return self.fresh(count)


class Grid(Sampler):
    """All valid points, in order."""

    def __init__(self, space: DesignSpace, objectives: int, seed: int):
        super().__init__(space, objectives, seed)
        self._left = space.choices()

    def _ask(self, count: int) -> list[Choice]:
        return list(itertools.islice(self._left, count))


class OptunaSampler(Sampler):
    """One of Optuna's samplers, on the numbers of options. What it draws is drawn again while it is invalid or not new: of a space with
    such holes it would otherwise learn little but the holes.

    Parameters
    ----------
    kind : str
        "nsga2" (what Optuna takes for several objectives by default) or "tpe".
    """

    def __init__(self, space: DesignSpace, objectives: int, seed: int, kind: str):
        import optuna

        super().__init__(space, objectives, seed)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = {"nsga2": lambda: optuna.samplers.NSGAIISampler(seed=seed),
                   "tpe": lambda: optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)}[kind]()
        self._study = optuna.create_study(directions=["minimize"] * objectives, sampler=sampler)
        self._trials: list = []
        self._failed = optuna.trial.TrialState.FAIL
        self._distributions = {a.name: optuna.distributions.IntDistribution(0, len(a.options) - 1) for a in space.axes}

    def _ask(self, count: int) -> list[Choice]:
        self._trials = []
        found: list[Choice] = []
        in_vain = 0
        while len(found) < count and in_vain < _IN_VAIN:
            trial = self._study.ask(self._distributions)
            choice = tuple(trial.params[a.name] for a in self.space.axes)
            if choice in self.proposed or choice in found or not self.space.valid(choice):
                self._study.tell(trial, state=self._failed)
                in_vain += 1
                continue
            in_vain = 0
            found.append(choice)
            self._trials.append(trial)
        for choice in self.fresh(count - len(found), set(found)):  # it draws nothing new any more
            found.append(choice)
            self._trials.append(None)
        return found

    def tell(self, choices: Sequence[Choice], values: Sequence[Sequence[float] | None]) -> None:
        for trial, value in zip(self._trials, values):
            if trial is not None:
                self._study.tell(trial, value, state=self._failed if value is None else None)


def make_sampler(name: str, space: DesignSpace, objectives: int, seed: int) -> Sampler:
    """The sampler called ``name``, one of SAMPLERS."""
    if name == "guided":
        from tenon.flows.explore.guided import Guided

        return Guided(space, objectives, seed)
    if name in ("random", "grid"):
        return {"random": Random, "grid": Grid}[name](space, objectives, seed)
    return OptunaSampler(space, objectives, seed, name)
