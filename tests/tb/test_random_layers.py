# amaranth: UnusedElaboratable=no
"""Random layers over all operators and four arrays: functional simulator against the reference, RTL against it."""

from collections import Counter

import pytest

from tenon.tb.random_layers import KINDS
from tenon.tb.random_runs import SHAPES, against_reference, against_rtl, prepare, shape_of
from tenon.tb.rtl import Dram

_CASES = 304
_RTL_CASES = 24  # for each array
_STALLS = {"4x4": Dram(stall=30, jitter=20, seed=3), "8x8": Dram(), "4x16": Dram(stall=10, jitter=60, seed=4),
           "16x8": Dram(latency=7, stall=50)}


@pytest.mark.parametrize("part", range(4))
def test_functional_simulator_equals_the_reference(part):
    seen = Counter()
    arrays = Counter()
    for seed in range(part * _CASES // 4, (part + 1) * _CASES // 4):
        prepared = prepare(seed, SHAPES[shape_of(seed)])
        found = against_reference(prepared)
        assert not found["exact_mismatches"], f"{prepared.case.name} on {shape_of(seed)}: {found}"
        assert found["max_difference"] <= 1, f"{prepared.case.name} on {shape_of(seed)}: {found}"
        seen += found
        arrays[shape_of(seed)] += 1
    assert seen["exact"] > 20_000 and seen["step"] > 300, "both classes must be there"
    assert set(arrays) == set(SHAPES) and seen["int8"] and seen["uint8"]


@pytest.mark.rtl
@pytest.mark.parametrize("shape", SHAPES)
def test_rtl_equals_the_functional_simulator(shape):
    seeds = [seed for seed in range(len(KINDS) * 8) if shape_of(seed) == shape][:_RTL_CASES]
    assert len(seeds) == _RTL_CASES
    found = against_rtl([prepare(seed, SHAPES[shape]) for seed in seeds], SHAPES[shape], _STALLS[shape])
    assert found["bytes"] > 5_000 and not found["mismatches"], found
