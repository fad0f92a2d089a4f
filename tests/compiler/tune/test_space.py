"""Spaces of networks, and what their points take."""

from functools import partial

import numpy as np
import pytest

from tenon.compiler.errors import CompileError
from tenon.compiler.estimate import UNESTIMATED
from tenon.compiler.mapping import NetworkMapping
from tenon.compiler.tune import Measure
from tenon.compiler.tune import space as tuned_space
from tenon.compiler.tune.sampling import representatives


def test_points_are_mappings(space, start):
    rng = np.random.default_rng(0)
    points = [start, *(space.random(rng) for _ in range(20))]
    there = [space.mapping(p) for p in points]
    assert [space.mapping(space.point(m)) for m in there] == there and space.point(there[0]) == start
    assert len(start) == len(space.knobs) and all(size > 1 for size in space.sizes)
    with pytest.raises(CompileError, match="there is no mapping of layer "):
        space.point(NetworkMapping())


def test_mutations(space, start, monkeypatch):
    """One to three knobs change, of one layer or of two neighbours; every knob comes to its turn, and every option."""
    monkeypatch.setattr(tuned_space, "_REPLACED", 0.0)
    rng = np.random.default_rng(1)
    counts, pairs, options = set(), set(), [set() for _ in start]
    for _ in range(4000):
        new = space.mutated(start, rng)
        changed = [k for k, (a, b) in enumerate(zip(start, new)) if a != b]
        layers = sorted({space.knobs[k].layer for k in changed})
        assert len(layers) <= 2
        counts.add(len(changed))
        pairs.add(len(layers))
        for k in changed:
            options[k].add(new[k])
        assert all(0 <= value < size for value, size in zip(new, space.sizes))
    assert counts == {1, 2, 3} and pairs == {1, 2}
    assert [len(found) for found in options] == [size - 1 for size in space.sizes]


def test_a_layer_becomes_one_of_its_most_promising(space, start, monkeypatch):
    monkeypatch.setattr(tuned_space, "_REPLACED", 1.0)
    rng, found = np.random.default_rng(6), set()
    for _ in range(300):
        new = space.mutated(start, rng)
        changed = [knob for knob, a, b in zip(space.knobs, start, new) if a != b]
        if len({knob.layer for knob in changed}) == 1 and not any(knob.choice.name in UNESTIMATED for knob in changed):
            number = changed[0].layer  # else there was nothing that is not so already: any other mutation
            found.add(number)
            assert len(changed) <= 3 or number == tuned_space.TENSORS or any(
                all(new[k] == option for k, option in zip(range(part.start, part.stop), promising)
                    if space.knobs[k].choice.name not in UNESTIMATED)
                for part in [space.slices[number]] for promising in space.promising(number))
    assert found >= {n for n in range(len(space.network.layers)) if len(space.promising(n)) > 4}


def test_layers_are_lowered_once(space, start):
    measure, count = Measure(space), len(space.network.layers)
    assert measure(start) == measure(start) and measure.lowered == count
    last = space.slices[count - 1].stop - 1
    measure((*start[:last], (start[last] + 1) % space.sizes[last], *start[last + 1:]))
    assert measure.lowered == count + 1


def test_layers_add_up(space, start):
    """Also where a copy is made that is not there by default."""
    measure, rng, copied = Measure(space), np.random.default_rng(7), 0
    for point in (start, *(space.mutated(start, rng) for _ in range(100))):
        try:
            found = measure(point)
        except CompileError:
            continue
        assert sum(found.layers) == found.cycles and len(found.layers) == len(space.network.layers) and min(found.layers) >= 0
        copied += len(space.laid_out(point).numbers) > len(found.layers)
    assert copied


def test_points_without_room_are_known_beforehand(space):
    """No estimate rejects what can be lowered, but for a layer's whole that two halves of a buffer would hold."""
    measure, rng = Measure(space), np.random.default_rng(3)
    wrong = lowered = 0
    for _ in range(150):
        point = space.random(rng)
        try:
            measure(point)
        except CompileError:
            continue
        lowered += 1
        wrong += not space.fits(point)
    assert lowered >= 10 and wrong <= 0.1 * lowered


def test_features(space, start):
    rng = np.random.default_rng(4)
    rows = space.features([start, start, *(space.mutated(start, rng) for _ in range(30))])
    assert np.isfinite(rows).all() and (rows[0] == rows[1]).all()
    assert len(np.unique(rows[1:], axis=0)) == len({tuple(r) for r in rows[1:].tolist()}) > 20


@pytest.mark.parametrize("synthesis", [False, True])
def test_representatives(space, start, synthesis):
    """Three clouds around three points: each is represented, and nothing that was measured is proposed again."""
    rng = np.random.default_rng(5)
    chosen = partial(representatives, space, rng=rng, synthesis=synthesis)
    points = list({space.mutated(start, rng) for _ in range(400)})
    points = [p for p in points if space.fits(p)]
    found = chosen(points, set())
    assert 4 <= len(found) <= 64 and len(set(found)) == len(found)
    again = chosen(points, set(points))
    assert not set(again) & set(points) and all(space.fits(p) for p in again)
    assert synthesis or not again, "only synthesis has something new to say"
    assert chosen(points[:5], {points[0]}) == points[1:5]
