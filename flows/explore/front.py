"""Pareto fronts and the volume that they dominate. All objectives are to be small."""

from __future__ import annotations

import numpy as np

__all__ = ["dominated_by", "hypervolume", "on_front"]


def on_front(values: np.ndarray) -> np.ndarray:
    """Which rows of ``values`` (points, objectives) no other row dominates; of equal rows the first."""
    keep = np.ones(len(values), bool)
    for k, row in enumerate(values):
        if not np.isfinite(row).all():
            keep[k] = False
            continue
        better = (values <= row).all(axis=1) & (values < row).any(axis=1)
        keep[k] = not better.any() and not (values[:k] == row).all(axis=1).any()
    return keep


def dominated_by(values: np.ndarray, number: int) -> list[int]:
    """The rows that are nowhere larger than row ``number``, and somewhere smaller."""
    row = values[number]
    return np.flatnonzero((values <= row).all(axis=1) & (values < row).any(axis=1)).tolist()


def hypervolume(values: np.ndarray, reference: np.ndarray) -> float:
    """The volume between ``reference`` and the rows of ``values`` that lie within it: slices along the last objective, each the volume
    of the objectives before (While et al., IEEE TEC 10(1), 2006)."""
    inside = values[(values < reference).all(axis=1)] if len(values) else values
    if not len(inside):
        return 0.0
    if inside.shape[1] == 1:
        return float(reference[0] - inside.min())
    inside = inside[np.argsort(inside[:, -1], kind="stable")]
    total = 0.0
    for k, row in enumerate(inside):
        above = inside[k + 1, -1] if k + 1 < len(inside) else reference[-1]
        if above > row[-1]:
            slab = inside[:k + 1, :-1]
            total += float(above - row[-1]) * hypervolume(slab[on_front(slab)], reference[:-1])
    return total
