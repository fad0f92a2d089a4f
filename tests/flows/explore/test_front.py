# amaranth: UnusedElaboratable=no
"""Fronts and hypervolumes against what they are by definition."""

import numpy as np
import pytest

from tenon.flows.explore.front import dominated_by, hypervolume, on_front


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_a_front_is_what_nothing_dominates(objectives):
    rng = np.random.default_rng(objectives)
    ties = 0
    for _ in range(60):
        values = rng.integers(0, 6, (int(rng.integers(1, 30)), objectives)).astype(float)
        keep = on_front(values)
        for k, row in enumerate(values):
            beaten = any((other <= row).all() and (other < row).any() for other in values)
            again = any((other == row).all() for other in values[:k])
            assert keep[k] == (not beaten and not again)
            assert dominated_by(values, k) == [j for j, o in enumerate(values) if (o <= row).all() and (o < row).any()]
            ties += again
    assert ties


def test_what_has_no_value_is_not_on_the_front():
    assert on_front(np.array([[1.0, np.inf], [2.0, 3.0], [np.nan, 1.0]])).tolist() == [False, True, False]


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_a_hypervolume_counts_the_cells_that_are_dominated(objectives):
    rng = np.random.default_rng(10 + objectives)
    side = 5
    cells = np.stack(np.meshgrid(*[np.arange(side)] * objectives, indexing="ij"), axis=-1).reshape(-1, objectives)
    beyond = 0
    for _ in range(40):
        values = rng.integers(0, side + 2, (int(rng.integers(1, 9)), objectives)).astype(float)
        expected = sum(any((row <= cell).all() for row in values) for cell in cells)
        assert hypervolume(values, np.full(objectives, float(side))) == expected
        beyond += (values >= side).any()
    assert beyond


def test_nothing_dominates_nothing():
    assert hypervolume(np.empty((0, 2)), np.ones(2)) == 0.0
