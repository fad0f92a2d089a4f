"""Tuners against a landscape whose best point is known."""

import pytest

from tenon.compiler.tune import TUNERS, make_tuner


@pytest.fixture(scope="module")
def landscape(space, start):
    """Cycles by how far each knob is from where it should be, one in nine impossible."""
    target = tuple((value + 1 + k) % size for k, (value, size) in enumerate(zip(start, space.sizes)))

    def cycles(point):
        if point != start and sum(point) % 9 == 4:
            return None
        return 1000 + sum(20 * abs(a - b) / size for a, b, size in zip(point, target, space.sizes))

    return cycles


def run(name, space, start, landscape, budget=200, seed=1):
    tuner, order = make_tuner(name, space, start, seed), []
    while len(order) < budget:
        points = tuner.ask()
        if not points:
            break
        tuner.tell(points, [landscape(p) for p in points])
        order += points
    return tuner, order


@pytest.mark.parametrize("name", TUNERS)
def test_tuners_descend(name, space, start, landscape):
    tuner, order = run(name, space, start, landscape)
    assert order[0] == start and len(set(order)) == len(order), "nothing is measured twice"
    assert all(space.fits(point) for point in order[1:])
    (best,) = tuner.best()
    assert landscape(best) == min(c for c in tuner.measured.values() if c is not None)
    assert tuner.best(5)[0] == best and len(tuner.best(5)) == 5
    if name != "random":
        assert landscape(best) - 1000 < 0.9 * (landscape(start) - 1000)


@pytest.mark.parametrize("name", TUNERS)
def test_seeds_decide(name, space, start, landscape):
    first, again, other = (run(name, space, start, landscape, budget=70, seed=seed)[1] for seed in (1, 1, 2))
    assert first == again != other


def test_learners_begin_alike(space, start, landscape):
    plans = {name: make_tuner(name, space, start, 7).ask() for name, kind in TUNERS.items() if kind.learns}
    assert len({tuple(plan) for plan in plans.values()}) == 1
