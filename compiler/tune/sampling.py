"""Adaptive sampling: of many proposals the few that stand for all (ReLeASE, Ahn et al. 2019; Chameleon, ICLR 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.cluster import KMeans

from tenon.compiler.tune.space import NetworkSpace, Point

__all__ = ["representatives"]

_FIRST, _STEP, _MOST, _KNEE = 8, 8, 64, 2.5


def representatives(space: NetworkSpace, points: Sequence[Point], seen, rng: np.random.Generator, *, synthesis: bool) -> list[Point]:
    """Of each cluster of ``points`` the member nearest to its centroid.

    Clusters are as many as still lower the loss quickly. A representative that is in ``seen`` is replaced: by one that is synthesised
    of the most common option of each knob among its cluster's members (``synthesis``, Chameleon's), or by another member.
    """
    if len(points) <= _FIRST:
        return [p for p in points if p not in seen]
    scaled = np.array(points, float) / np.maximum(np.array(space.sizes) - 1, 1)
    distinct = len(np.unique(scaled, axis=0))
    model, last = None, np.inf
    for count in range(_FIRST, min(_MOST, distinct) + 1, _STEP):
        model = KMeans(count, n_init=1, random_state=int(rng.integers(1 << 31))).fit(scaled)
        if model.inertia_ >= last / _KNEE:
            break
        last = model.inertia_
    if model is None:
        return [p for p in dict.fromkeys(points) if p not in seen]
    chosen: dict[Point, None] = {}
    for cluster, centre in enumerate(model.cluster_centers_):
        members = np.flatnonzero(model.labels_ == cluster)
        if not len(members):
            continue
        nearest = points[members[np.argmin(((scaled[members] - centre) ** 2).sum(axis=1))]]
        if nearest in seen or nearest in chosen:
            others = [points[i] for i in members]
            nearest = _mode(others) if synthesis else others[int(rng.integers(len(others)))]
        if nearest not in seen and space.fits(nearest):
            chosen[nearest] = None
    return list(chosen)


def _mode(points: Sequence[Point]) -> Point:
    return tuple(int(np.bincount(column).argmax()) for column in np.array(points).T)
