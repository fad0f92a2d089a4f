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
_EQUAL = 1e-3  # cells
_NEW = 1e-6  # of a column's length: what must be left of it beside others
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
        exact = _exact(table, instances, names)
        if exact is None:
            raise ValueError(f"instances of {group} must follow from one number, not be {instances.tolist()}")
        fitted[group] = {"instances": exact}
        here = np.flatnonzero(instances)
        for kind in KINDS:
            counts = np.array([samples[n].groups[group].counts[kind] - known[n].get(group, {}).get(kind, 0) for n in here])
            if counts.any():
                weights = instances[here] / np.array([samples[n].total[kind] for n in here])
                each = counts / instances[here]
                fitted[group][kind] = _exact(table[here], each, names) or _fitted(table[here], each, weights, names)
    return fitted


def _exact(table: np.ndarray, numbers: np.ndarray, names: Sequence[str]) -> Terms | None:
    """A multiple of one feature, or a constant and such a multiple, that is equal to all ``numbers``; the first there is."""
    for middle, mean in ((np.zeros(len(names)), 0.0), (table.mean(axis=0), numbers.mean())):
        moved = table - middle
        lengths = (moved**2).sum(axis=0)
        factors = (moved.T @ (numbers - mean) / np.where(lengths > _EXACT, lengths, np.inf)).round(6)
        constants = (mean - factors * middle).round(6)
        equal = np.flatnonzero((np.abs(table * factors + constants - numbers[:, None]) < _EQUAL).all(axis=0))
        if len(equal):
            column = equal[0]
            return {name: float(value) for name, value in ((CONSTANT, constants[column]), (names[column], factors[column])) if value}
    return None


def _fitted(table: np.ndarray, counts: np.ndarray, weights: np.ndarray, names: Sequence[str]) -> Terms:
    """The constant, and features one by one: each the one with which the leave-one-out error is least, as long as it falls. With each
    that is taken, others may be exchanged for better ones."""
    weighted, target = table * weights[:, None], counts * weights
    chosen = [names.index(CONSTANT)]
    squares = _squares(weighted, target, [])[chosen[0]]
    while len(chosen) <= _MOST_TERMS and squares:
        larger, least = _with_best(weighted, target, chosen)
        position = 1
        while position < len(larger):
            other, found = _with_best(weighted, target, larger[:position] + larger[position + 1:])
            better = found < (1 - _EXACT) * least
            larger, least, position = (other, found, 1) if better else (larger, least, position + 1)
        if not least < _GAIN * squares:
            break
        chosen, squares = larger, least
    factors = np.linalg.lstsq(weighted[:, chosen], target, rcond=None)[0]
    return {names[c]: float(f) for c, f in zip(chosen, factors) if abs(f) * np.abs(table[:, c]).max() > _EQUAL}


def _with_best(table: np.ndarray, target: np.ndarray, chosen: list[int]) -> tuple[list[int], float]:
    """``chosen`` and one column more, and the mean square of the leave-one-out errors then."""
    squares = _squares(table, target, chosen)
    column = int(squares.argmin())
    return [*chosen, column], squares[column]


def _squares(table: np.ndarray, target: np.ndarray, chosen: list[int]) -> np.ndarray:
    """Mean squares of the leave-one-out errors of a fit to the ``chosen`` columns and one more, for each one more.

    All columns are made orthogonal to what was chosen, so that each adds but a product to errors and leverages.
    """
    basis = np.linalg.qr(table[:, chosen])[0]
    left, error = table - basis @ (basis.T @ table), target - basis @ (basis.T @ target)
    size, scale = np.linalg.norm(left, axis=0), np.linalg.norm(table, axis=0)
    new = size > _NEW * scale
    units = left / np.where(new, size, np.inf)
    leverages = (basis**2).sum(axis=1)[:, None] + units**2
    errors = error[:, None] - units * (units.T @ error)
    squares = ((errors / np.maximum(1 - leverages, 1 - _DETERMINED))**2).mean(axis=0)
    squares[np.sqrt(squares) < _EXACT] = 0
    return np.where(new & (leverages.max(axis=0) < _DETERMINED), squares, np.inf)
