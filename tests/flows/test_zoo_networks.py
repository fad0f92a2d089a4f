"""Networks of architecture search and random wiring: structure, seeds, and that small ones of each compute what the reference does."""

from collections import Counter

import numpy as np
import pytest

from tenon.compiler.errors import CompileError
from tenon.compiler.schedule import schedule
from tenon.compiler.schedule.model import problem_of
from tenon.compiler.schedule.rewrite import fold_concats
from tenon.flows.zoo import randwire, searched
from tenon.flows.zoo.irregular.graphs import random_wiring
from tenon.flows.zoo.resolve import resolve
from tenon.hw.presets import preset
from tenon.tb.random_layers import Case
from tenon.tb.random_runs import against_reference, prepare_case


def feeds(model):
    rng = np.random.default_rng(5)
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in model.graph.input}
    return {name: rng.normal(0, 2, shape).astype(np.float32) for name, shape in shapes.items()}


def operators(model):
    return Counter(node.op_type for node in model.graph.node if "Linear" not in node.op_type)


@pytest.mark.parametrize(("name", "blocks", "results"), [
    ("darts", 4, ([2, 3, 4, 5], [2, 3, 4, 5])), ("nasnet", 5, ([2, 3, 4, 5, 6], [4, 5, 6])), ("amoebanet", 5, ([3, 4, 6], [3, 5, 6])),
])
def test_cells_are_the_published_ones(name, blocks, results):
    """Blocks of each cell, and the states that its result is made of."""
    kind = searched.NETWORKS[name]
    assert len(kind.normal.blocks) == len(kind.reduction.blocks) == blocks
    assert (kind.normal.results, kind.reduction.results) == results
    for cell in (kind.normal, kind.reduction):
        for number, (_, a, _, b) in enumerate(cell.blocks):
            assert max(a, b) < 2 + number, "a block reads what comes after it"


def test_a_block_adds_two_results():
    found = operators(searched.model("darts", repeats=1, size=16, channels=4))
    assert found["Add"] == 5 * 4 and found["MaxPool"] == 2 * 5


@pytest.mark.parametrize("kind", ["ws", "er", "ba"])
def test_wirings_become_sums(kind):
    """A node with k inputs adds k - 1 times; each node convolves depthwise and pointwise."""
    model = randwire.model(kind, 3, nodes=12, channels=4)
    wirings = [random_wiring(kind, 12, 9 + stage) for stage in range(3)]
    sums = sum(max(len(sources) - 1, 0) for w in wirings for sources in w)
    last = sum(12 - len({a for sources in w for a in sources}) - 1 for w in wirings)
    found = operators(model)
    assert (found["Add"], found["Conv"]) == (sums + last, 1 + 3 * 12 * 2)


def test_stems():
    images = {stem: randwire.model(stem=stem, nodes=5, channels=4).graph.input[0].type.tensor_type.shape.dim[2].dim_value
              for stem in randwire.STEMS}
    assert images == {"imagenet": 224, "cifar": 32}


def test_seeds():
    one, again, other = (randwire.model("ws", seed, nodes=8, channels=4).SerializeToString() for seed in (1, 1, 2))
    assert one == again != other


@pytest.mark.parametrize("make", [
    *(lambda name=name: searched.model(name, size=8, channels=8, repeats=1) for name in searched.NETWORKS),
    lambda: randwire.model("ws", 1, nodes=6, channels=4),
])
def test_small_ones_equal_the_reference(make):
    model = make()
    case = Case(model.graph.name, model, feeds(model))
    for options in ({}, {"schedule": "optimal", "on_chip": True}):
        seen = against_reference(prepare_case(case, preset("edge8"), effort=1, **options))
        assert (seen["exact_mismatches"], seen["max_difference"] > 1) == (0, False)
        assert seen["exact"] + seen["step"] + seen["after"] > 0


@pytest.mark.parametrize("name", searched.NETWORKS)
def test_orders_are_proved(name):
    found = schedule(fold_concats(problem_of(searched.model(name, repeats=1), name)))
    assert found.proved and found.peak < problem_of(searched.model(name, repeats=1), name).peak(
        problem_of(searched.model(name, repeats=1), name).file_order)


@pytest.mark.parametrize("name", ["zoo:randwire_ws", "zoo:randwire_xx_1", "zoo:dart", "zoo:randwire_ws_1234567"])
def test_unknown_names(name, tmp_path):
    with pytest.raises(CompileError, match="is not a built-in network"):
        resolve(name, tmp_path)
