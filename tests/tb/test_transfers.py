"""The byte-wise model that holds LOAD and STORE in simulation means what the covenant's effects say."""

import random

import numpy as np
import pytest

from tenon.acg.interpret import run
from tenon.hw.load import LoadEngine
from tenon.hw.presets import preset
from tenon.hw.store import StoreEngine
from tenon.tb.models import transfers

LEVELS = range(4)
DRAM_BYTES = 1 << 17
SEGMENTS = ("CONSTANTS", "ARENA", "INPUTS", "OUTPUTS")
MEMORIES = ("ACT", "WGT", "VEC", "PAR", "TAB")


def apart(rng, name, fields):
    """Strides that give each run bytes of its own, as the nest language demands of what it writes."""
    step = fields["n"] + rng.randrange(20)
    for l in rng.sample(LEVELS, 4):
        fields[f"{name}_l{l}"], step = rng.choice([-1, 1]) * step, step * fields[f"n_l{l}"] + rng.randrange(20)
    return inside(rng, name, fields, 1 << 17)


def inside(rng, name, fields, size):
    """A base that keeps every run within ``size`` bytes."""
    reach = [fields[f"{name}_l{l}"] * (fields[f"n_l{l}"] - 1) for l in LEVELS]
    low, high = -sum(min(0, r) for r in reach), size - fields["n"] - sum(max(0, r) for r in reach)
    return fields | {name: rng.randint(low, high)}


@pytest.mark.parametrize("seed", range(40))
def test_load(seed):
    rng = random.Random(seed)
    fields = transfers.random_load(rng, 16)
    fields |= {f"s_l{l}": rng.randint(-300, 300) for l in LEVELS}
    fields = apart(rng, "d", inside(rng, "s", fields, DRAM_BYTES))
    base = rng.randrange(2**32)
    memories = [np.zeros(1 << 20, np.uint8) for _ in MEMORIES]
    dram = {s: transfers.dram_bytes(base, DRAM_BYTES) for s in SEGMENTS}
    effect = dict(zip(MEMORIES, (m.copy() for m in memories), strict=True))
    transfers.load(fields, base, memories)
    run(LoadEngine.mnemonic(preset("edge16")).effect, fields, effect | dram)
    for name, memory in zip(MEMORIES, memories, strict=True):
        np.testing.assert_array_equal(effect[name], memory, err_msg=name)


@pytest.mark.parametrize("seed", range(40))
def test_store(seed):
    rng = random.Random(seed)
    fields = apart(rng, "d", transfers.random_store(rng, 16))
    vector = np.frombuffer(rng.randbytes(1 << 20), np.uint8)
    image = {}
    dram = {s: np.zeros(DRAM_BYTES, np.uint8) for s in SEGMENTS}
    transfers.store(fields, 0, vector, image)
    run(StoreEngine.mnemonic(preset("edge16")).effect, fields, dram | {"VEC": vector})
    expected = np.zeros(DRAM_BYTES, np.uint8)
    expected[list(image)] = list(image.values())
    np.testing.assert_array_equal(dram[SEGMENTS[fields["seg"]]], expected)


def test_random_loads_cover_the_guard():
    rng = random.Random(1)
    kinds = set()
    for _ in range(200):
        fields = transfers.random_load(rng, 16)
        for y, x in transfers.runs(fields, ("y", "x")):
            valid = transfers.valid_bytes(fields, y, x)
            kinds.add("all" if valid.all() else "some" if valid.any() else "none")
    assert kinds == {"all", "some", "none"}
