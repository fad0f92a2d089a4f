"""The record of an exploration: an Optuna study whose trials are numbered points, in SQLite or PostgreSQL, for one driver or several."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from tenon.flows.errors import UserError
from tenon.flows.explore.point import Point
from tenon.flows.explore.space import Choice, DesignSpace

__all__ = ["Record", "Result", "open_record"]

Result = tuple[Point, tuple[float, ...] | None]  # no values: nothing runs on it

_FORMAT = 1
_ABOUT, _POINT, _DRIVER, _ALIVE = "tenon exploration", "point", "driver", "alive"
_BEAT_SECONDS = 10
_DEAD_SECONDS = 60  # without a sign of life, a driver elsewhere is taken to be gone
_LOCK_SECONDS = 20  # SQLite waits so long for another program


class _Proposed(optuna.samplers.BaseSampler):
    """Gives trial ``first + k`` the ``k``-th of ``choices``: whichever driver takes a number, it stands for the same point."""

    def __init__(self) -> None:
        self.first, self.choices, self.axes = 0, [], []

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def sample_independent(self, study, trial, param_name, param_distribution):
        return self.choices[trial.number - self.first][self.axes.index(param_name)]


class Record:
    """Trials by number. Each is claimed by one driver, told once, and claimed again if its driver is gone.

    Raises
    ------
    UserError
        In one line, if the storage is locked, full, or gone; what is in it stays whole.
    """

    def __init__(self, study: optuna.Study, sampler: _Proposed, space: DesignSpace, where: str):
        self._study, self._sampler, self._space, self._where = study, sampler, space, where
        self._me = f"{socket.gethostname()}:{os.getpid()}"
        self._held: dict[int, optuna.Trial] = {}  # numbers beyond the batch they were taken for
        self._beaten = 0.0
        sampler.axes = [a.name for a in space.axes]

    def propose(self, first: int, choices: Sequence[Choice]) -> None:
        """What numbers from ``first`` on stand for."""
        self._sampler.first, self._sampler.choices = first, list(choices)

    def claim(self) -> tuple[int, Choice] | None:
        """The next number of the batch that nobody has, and its point; None if all are taken."""
        first, end = self._sampler.first, self._sampler.first + len(self._sampler.choices)
        number = next((n for n in self._held if first <= n < end), None)
        if number is None:
            with self._guarded():
                if len(self._study.get_trials(deepcopy=False)) >= end:
                    return None
                trial = self._study.ask()
            self._held[number := trial.number] = trial
            if number >= end:  # another driver took the last one meanwhile: this one is of the next batch
                return None
        with self._guarded():
            return number, self._taken(self._held.pop(number))

    def abandoned(self) -> list[tuple[int, Choice]]:
        """Points of the batch whose drivers are gone; they are this one's now."""
        found = []
        for trial in self._batch():
            if trial.state == TrialState.RUNNING and trial.number not in self._held and self._gone(trial):
                with self._guarded():
                    found.append((trial.number, self._taken(optuna.trial.Trial(self._study, trial._trial_id))))
        return found

    def _taken(self, trial: optuna.Trial) -> Choice:
        """What a trial stands for; it is this driver's now."""
        choice = tuple(trial.suggest_int(a.name, 0, len(a.options) - 1) for a in self._space.axes)
        trial.set_user_attr(_DRIVER, self._me)
        trial.set_user_attr(_ALIVE, time.time())
        return choice

    def tell(self, number: int, point: Point, values: Sequence[float] | None) -> None:
        """The result of a number; None: nothing runs on it."""
        with self._guarded():
            trial = self._study.get_trials(deepcopy=False)[number]
            self._study._storage.set_trial_user_attr(trial._trial_id, _POINT, json.dumps(point.to_fields()))
            self._study.tell(number, values, state=TrialState.FAIL if values is None else None, skip_if_finished=True)

    def results(self) -> list[Result | None]:
        """Of each number of the batch, its result, or None while there is none."""
        found: list = [None] * len(self._sampler.choices)
        for trial in self._batch():
            if trial.state.is_finished():
                point = Point.from_fields(json.loads(trial.user_attrs[_POINT]))
                values = tuple(trial.values) if trial.state == TrialState.COMPLETE else None
                found[trial.number - self._sampler.first] = point, values
        return found

    def beat(self, numbers: Sequence[int]) -> None:
        """Says that this driver is alive, now and then."""
        if time.monotonic() - self._beaten < _BEAT_SECONDS:
            return
        self._beaten = time.monotonic()
        with self._guarded():
            trials = self._study.get_trials(deepcopy=False)
            for number in numbers:
                self._study._storage.set_trial_user_attr(trials[number]._trial_id, _ALIVE, time.time())

    def _batch(self) -> list[FrozenTrial]:
        first = self._sampler.first
        with self._guarded():
            return self._study.get_trials(deepcopy=False)[first:first + len(self._sampler.choices)]

    def _gone(self, trial: FrozenTrial) -> bool:
        driver = trial.user_attrs.get(_DRIVER)
        if driver == self._me:
            return False
        if driver is not None:
            host, _, process = driver.rpartition(":")
            if host == socket.gethostname():
                return not Path("/proc").is_dir() or not Path(f"/proc/{process}").exists()
        began = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
        return time.time() - max(trial.user_attrs.get(_ALIVE, 0.0), began) > _DEAD_SECONDS

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (optuna.exceptions.StorageInternalError, SQLAlchemyError, OSError) as error:
            raise UserError(f"{self._where}: {_cause(error)}; what is in it is whole, and --resume goes on") from None


def open_record(storage: str, about: dict, space: DesignSpace, objectives: Sequence[str], *, resume: bool) -> Record:
    """The study ``about`` something in ``storage``: a file of SQLite, or the address of a database.

    Raises
    ------
    UserError
        If it cannot be opened, if there is one already and it is not to be gone on with, or if that is about something else.
    """
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    where = storage if "://" not in storage else storage.rpartition("@")[2]  # without a password
    try:
        if "://" not in storage:
            Path(storage).absolute().parent.mkdir(parents=True, exist_ok=True)
            backend = optuna.storages.RDBStorage(f"sqlite:///{storage}", engine_kwargs={"connect_args": {"timeout": _LOCK_SECONDS}})
        else:
            backend = optuna.storages.RDBStorage(storage)
        sampler = _Proposed()
        study = optuna.create_study(study_name="tenon", storage=backend, sampler=sampler, load_if_exists=True,
                                    directions=["minimize"] * len(objectives))
        known = study.user_attrs.get(_ABOUT)
        if known is None:
            study.set_user_attr(_ABOUT, {"format": _FORMAT, **about})
    except ModuleNotFoundError as error:
        raise UserError(f"{where}: needs the driver {error.name}: pip install {error.name}") from None
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError, ImportError, OSError, ValueError) as error:
        raise UserError(f"{where}: {_cause(error)}") from None
    if known is not None:
        if not resume:
            raise UserError(f"{where}: holds an exploration; go on with it by --resume, or name another --storage")
        for name, value in {"format": _FORMAT, **about}.items():
            if known.get(name) != value:
                raise UserError(f"{where}: is of another {name}: {known.get(name)}, not {value}")
    return Record(study, sampler, space, where)


def _cause(error: BaseException) -> str:
    """One line about what a database said."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(getattr(error, "orig", None) or error).strip().splitlines()
    return text[0] if text else type(error).__name__
