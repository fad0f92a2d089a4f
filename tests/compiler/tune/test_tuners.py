"""Tuners against a landscape whose best point is known."""

import numpy as np
import pytest

from tenon.compiler.tune import TUNERS, Measured, make_tuner


@pytest.fixture(scope="module")
def landscape(space, start):
    """Cycles by how far each knob is from where it should be, one in nine impossible."""
    count = len(space.network.layers)
    target = tuple((value + 1 + k) % size for k, (value, size) in enumerate(zip(start, space.sizes)))

    def cycles(point):
        if point != start and sum(point) % 9 == 4:
            return None
        layers = [1000] * count
        for a, b, size, knob in zip(point, target, space.sizes, space.knobs):
            layers[max(0, min(knob.layer, count - 1))] += round(2000 * abs(a - b) / size)
        return Measured(sum(layers), tuple(layers))

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
    assert landscape(best).cycles == min(c.cycles for c in tuner.measured.values() if c is not None)
    assert tuner.best(5)[0] == best and len(tuner.best(5)) == 5
    if name not in ("random", "ranked"):
        floor = 1000 * len(space.network.layers)
        assert landscape(best).cycles - floor < 0.9 * (landscape(start).cycles - floor)


@pytest.mark.parametrize("name", TUNERS)
def test_seeds_decide(name, space, start, landscape):
    first, again, other = (run(name, space, start, landscape, budget=70, seed=seed)[1] for seed in (1, 1, 2))
    assert first == again
    assert (first == other) == (name == "ranked"), "which is about estimates alone"


def test_first_points_are_given(space, start, landscape):
    rng = np.random.default_rng(8)
    first = [space.random_fitting(rng) for _ in range(20)]
    for name in TUNERS:
        tuner = make_tuner(name, space, start, 1, first)
        assert tuner.ask() == first
        tuner.tell(first, [landscape(p) for p in first])
        assert tuner.ask()


@pytest.mark.parametrize("name", ["release", "chameleon"])
def test_policies_begin_with_estimates(name, space, start, landscape):
    """And only then ask their model."""
    tuner, ranked = make_tuner(name, space, start, 1), make_tuner("ranked", space, start, 1)
    for which in (tuner, ranked):
        first = which.ask()
        which.tell(first, [landscape(p) for p in first])
    found = tuner.ask()
    assert found == [p for p in ranked.ask() if p in found] and len(found) > 20 and tuner.queries == 0
    tuner.tell(found, [landscape(p) for p in found])
    assert tuner.ask() and tuner.queries > 0


def test_synthesis_is_of_what_was_measured(space, start, landscape):
    """Chameleon's proposals hold points that were measured, and of their clusters come points that no agent visited."""
    made = []
    for name in ("release", "chameleon"):
        tuner = make_tuner(name, space, start, 1)
        propose, visited = tuner.proposals.propose, []
        tuner.proposals.propose = lambda *a, propose=propose, visited=visited: visited.append(propose(*a)) or visited[-1]
        fresh = again = 0
        while len(tuner.measured) < 300:
            points = tuner.ask()
            known = set(tuner.measured)
            tuner.tell(points, [landscape(p) for p in points])
            if visited:
                again += len(known & set(visited[-1]))
                fresh += len(set(points[:-2]) - set(visited[-1]))
        made.append((again, fresh))
    assert made[0] == (0, 0) and min(made[1]) > 0, made


def test_learners_begin_alike(space, start, landscape):
    plans = {name: make_tuner(name, space, start, 7).ask() for name, kind in TUNERS.items() if kind.plan > 1}
    assert len({tuple(plan[:40]) for plan in plans.values()}) == 1 and min(map(len, plans.values())) == 40
