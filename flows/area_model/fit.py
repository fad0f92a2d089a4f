"""Fits the cells of each kind of module to few numbers made of the parameters, chosen by leave-one-out error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tenon.flows.area_model.features import CONSTANT, features
from tenon.flows.area_model.memories import memory_cells
from tenon.flows.area_model.sample import KINDS, Sample

__all__ = ["Terms", "fit"]

#: Factors by the names of features.
Terms = dict[str, float]

_MOST_TERMS = 4  # beside the constant
#: A further term must bring the squares of the errors below so much of what they were. Of a hundred features that mean nothing the best
#: takes 2 ln(100) / 30, a third, off those of thirty samples.
_GAIN = 0.65
_EXACT = 1e-9  # relative to the whole configuration: errors below are none
_DETERMINED = 0.999  # leverage of a sample that alone determines a factor: without it there is none


def fit(samples: Sequence[Sample]) -> dict[str, dict[str, Terms]]:
    """For each kind of module, its ``instances`` and, for one of them, the number of each kind of cells, but for ``memory_cells``.

    Squares of errors weigh as parts of the configuration's whole.

    Raises
    ------
    ValueError
        If instances of a kind of module are no sum of a constant and a multiple of one number.
    """
    rows, known = [features(sample.params) for sample in samples], [memory_cells(sample.params) for sample in samples]
    names = list(rows[0])
    table = np.array([[row[name] for name in names] for row in rows])
    fitted = {}
    for group in sorted({name for sample in samples for name in sample.groups}):
        instances = np.array([sample.groups[group].instances if group in sample.groups else 0 for sample in samples])
        fitted[group] = {"instances": _exact(group, table, instances, names)}
        here = np.flatnonzero(instances)
        for kind in KINDS:
            counts = np.array([samples[n].groups[group].counts[kind] - known[n].get(group, {}).get(kind, 0) for n in here])
            if counts.any():
                weights = instances[here] / np.array([samples[n].total[kind] for n in here])
                fitted[group][kind] = _fitted(table[here], counts / instances[here], weights, names)
    return fitted


def _exact(group: str, table: np.ndarray, numbers: np.ndarray, names: Sequence[str]) -> Terms:
    """A multiple of one feature, or a constant and such a multiple, that is equal to all ``numbers``."""
    for constant in (False, True):
        for column in range(len(names)):
            chosen = sorted({names.index(CONSTANT), column} if constant else {column})
            factors = np.linalg.lstsq(table[:, chosen], numbers, rcond=None)[0].round(6)
            if np.array_equal(table[:, chosen] @ factors, numbers):
                return {names[c]: float(f) for c, f in zip(chosen, factors) if f}
    raise ValueError(f"instances of {group} must follow from one number, not be {numbers.tolist()}")


def _fitted(table: np.ndarray, counts: np.ndarray, weights: np.ndarray, names: Sequence[str]) -> Terms:
    """The constant, and features one by one: each the one with which the leave-one-out error is least, as long as it falls.

    All candidates are made orthogonal to what was chosen, so that each needs no more than a product to be judged.
    """
    left, error = table * weights[:, None], counts * weights
    scale = np.linalg.norm(left, axis=0)
    leverage = np.zeros(len(counts))
    chosen: list[int] = []
    best = np.inf
    while len(chosen) <= _MOST_TERMS:
        size = np.linalg.norm(left, axis=0)
        units = left / np.where(size > 1e-6 * scale, size, np.inf)
        leverages = leverage[:, None] + units**2
        errors = error[:, None] - units * (units.T @ error)
        left_out = errors / np.maximum(1 - leverages, 1 - _DETERMINED)
        squares = np.where((size > 1e-6 * scale) & (leverages.max(axis=0) < _DETERMINED), (left_out**2).mean(axis=0), np.inf)
        squares[np.sqrt(squares) < _EXACT] = 0
        column = names.index(CONSTANT) if not chosen else int(squares.argmin())
        if chosen and not squares[column] < _GAIN * best:
            break
        best = squares[column]
        chosen.append(column)
        unit = units[:, column]
        leverage, error = leverages[:, column], errors[:, column]
        left = left - np.outer(unit, unit @ left)
    factors = np.linalg.lstsq(table[:, chosen] * weights[:, None], counts * weights, rcond=None)[0]
    return {names[c]: float(f) for c, f in zip(chosen, factors)}
