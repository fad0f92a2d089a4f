# amaranth: UnusedElaboratable=no
"""Samplers: valid new points, the same again for the same seed, all of a space in the end, and what learns finds the front sooner."""

import numpy as np
import pytest

from tenon.flows.explore.front import hypervolume
from tenon.flows.explore.samplers import SAMPLERS, make_sampler
from tenon.flows.explore.space import Axis, DesignSpace
from tenon.hw.presets import preset

KIB = 1024


@pytest.fixture(scope="module")
def space():
    axes = (Axis("rows", (4, 8, 16)), Axis("cols", (4, 8, 16)), Axis("bus_bits", (32, 64, 128)),
            Axis("activation_bytes", (8 * KIB, 32 * KIB, 128 * KIB)), Axis("lanes", (2, 4, 8)), Axis("weight_bytes", (8 * KIB, 32 * KIB)))
    return DesignSpace(preset("edge8"), {}, axes)


def worth(space, choice):
    """Products and transfers that hide each other, and cells; nothing runs where weights have little room beside a large array."""
    p = space.params(choice)
    if p.weight_bytes == 8 * KIB and p.rows * p.cols == 256:
        return None
    cycles = 1e7 / (p.rows * p.cols) + 4e6 / p.bus_bits * (1 + 3e4 / p.activation_bytes) + 3e5 / p.lanes
    area = 90 * p.rows * p.cols + 800 * p.lanes + 25 * p.bus_bits + (p.activation_bytes + p.weight_bytes) / 6
    return cycles, area


def walk(name, space, budget, seed=1, batch=8):
    sampler, found = make_sampler(name, space, 2, seed), []
    while len(found) < budget and (choices := sampler.ask(batch)):
        values = [worth(space, c) for c in choices]
        sampler.tell(choices, values)
        found += zip(choices, values)
    return found


@pytest.mark.parametrize("name", SAMPLERS)
def test_points_are_valid_new_and_the_same_again(space, name):
    found = walk(name, space, 64)
    choices = [c for c, _ in found]
    assert len(set(choices)) == len(choices) == 64 and all(space.valid(c) for c in choices)
    assert len(space.listed) < space.size
    assert name == "grid" or any(v is None for _, v in found)  # it met both kinds of holes
    assert [c for c, _ in walk(name, space, 64)] == choices
    if name != "grid":
        assert [c for c, _ in walk(name, space, 64, seed=2)] != choices


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_space_comes_to_its_end(space, name):
    small = DesignSpace(space.base, space.fixed, space.axes[1:5])
    found = walk(name, small, 10_000)
    assert sorted(c for c, _ in found) == sorted(small.listed) and 8 < len(found) < small.size


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_space_that_is_not_listed(space, name, monkeypatch):
    monkeypatch.setattr("tenon.flows.explore.space._LISTED", 10)
    large = DesignSpace(space.base, space.fixed, space.axes)
    choices = [c for c, _ in walk(name, large, 40)]
    assert large.listed is None and len(set(choices)) == 40 and all(large.valid(c) for c in choices)


def test_guided_finds_the_front_sooner_than_chance(space):
    everything = [v for c in space.listed if (v := worth(space, c)) is not None]
    reference = np.log(np.max(everything, axis=0))
    whole = hypervolume(np.log(everything), reference)

    def needed(name, seed):
        volumes = []
        found = walk(name, space, len(space.listed), seed)
        for end in range(8, len(found) + 1, 8):
            values = np.array([v for _, v in found[:end] if v is not None])
            volumes.append(hypervolume(np.log(values), reference) / whole)
            if volumes[-1] >= 0.98:
                return end
        raise AssertionError("never")

    guided = [needed("guided", seed) for seed in range(3)]
    chance = [needed("random", seed) for seed in range(9)]
    assert max(guided) <= 80 and np.median(chance) >= 2 * np.median(guided)
