"""One allocator for every memory: parts apart from each other, slots within them."""

import random
from dataclasses import replace

import pytest

from tenon.compiler.machine import Machine
from tenon.compiler.placement import Demand, TooSmall, allocate
from tenon.tb.graph_edits import renamed
from tenon.tb.kernel_networks import COVENANTS

EDGE8 = Machine(COVENANTS["edge8"])
ONE = Machine(renamed(COVENANTS["edge8"], {name: "ACT" for name in ("WGT", "ACC", "VEC", "PAR", "TAB")}))


def test_an_operand_alone_has_all_of_it():
    size = EDGE8.size("ACT")
    assert allocate(EDGE8, [Demand("x", "ACT", 1000, 3)]) == {"x": ("ACT", [0, 1024, 2048])}
    assert allocate(EDGE8, [Demand("x", "ACT", 1000, 2, high=True)]) == {"x": ("ACT", [size - 1024, size - 2048])}
    assert allocate(EDGE8, [Demand("acc", "ACT", 1000, 3, spread=True)]) == {"acc": ("ACT", [0, size // 2])}


def test_random_demands_lie_apart():
    rng, seen = random.Random(1), 0
    floor = ONE.floor("ACT")
    assert floor >= 512 and EDGE8.floor("ACT") == 0
    for _ in range(300):
        demands = [Demand(f"d{k}", "ACT", rng.randint(1, 20_000), most := rng.randint(1, 8), least=rng.randint(1, most),
                          spread=rng.random() < 0.3, high=rng.random() < 0.5) for k in range(rng.randint(1, 6))]
        demands = [replace(d, least=1) if d.spread else d for d in demands]
        try:
            found = allocate(ONE, demands)
        except TooSmall:
            assert sum(d.size * d.least for d in demands) > ONE.size("ACT") - floor - 128 * sum(d.least for d in demands)
            continue
        used = sorted((base, base + d.size) for d in demands for base in found[d.what][1])
        assert used[0][0] >= floor and used[-1][1] <= ONE.size("ACT")
        assert all(end <= begin for (_, end), (begin, _) in zip(used, used[1:]))
        assert all(base % ONE.alignment == 0 for base, _ in used)
        assert all(d.least <= len(found[d.what][1]) <= d.most for d in demands)
        seen += len(demands) > 3
    assert seen > 50


def test_what_is_left_goes_to_those_that_can_use_it():
    found = allocate(ONE, [Demand("x", "ACT", 4096, 64), Demand("w", "ACT", 1024, 2, least=2), Demand("y", "ACT", 2048, 2)])
    assert {what: len(bases) for what, (_, bases) in found.items()} == {"x": 48, "w": 2, "y": 2}


@pytest.mark.parametrize(("demands", "message"), [
    ([Demand("x", "ACT", 1 << 24, 2)], r"^buffer ACT too small for the activations of a tile: 16777216 of \d+ bytes$"),
    ([Demand("a", "ACT", 1 << 15, 9, least=9)], r"^buffer ACT too small for 9 times a: 294912 of \d+ bytes$"),
    ([Demand("x", "ACT", 1 << 17, 2), Demand("w", "ACT", 1 << 17, 1)],
     r"^buffer ACT too small for 131072 bytes of x and 131072 bytes of w: 262144 of \d+ bytes$"),
])
def test_what_does_not_fit_says_which_and_how_much(demands, message):
    with pytest.raises(TooSmall, match=message):
        allocate(ONE, demands)
