# amaranth: UnusedElaboratable=no
"""The register slice in simulation: nothing is lost, and nothing is slower than an item per cycle."""

from collections import deque

import numpy as np
import pytest

from tenon.hw.skid import Skid
from tenon.tb.stream import Stream

pytestmark = pytest.mark.rtl

CYCLES = 4000


@pytest.fixture(scope="module")
def stream():
    return Stream(Skid(32))


@pytest.mark.parametrize(("offered", "taken"), [(100, 100), (100, 50), (50, 100), (60, 60), (90, 10)])
def test_items_pass_in_order(stream, offered, taken):
    rng = np.random.default_rng(offered + taken)
    given = {"i_valid": rng.random(CYCLES) * 100 < offered, "i": rng.integers(0, 1 << 32, CYCLES),
             "o_ready": rng.random(CYCLES) * 100 < taken}
    found = stream.run(given)
    held, count = deque(), 0
    for cycle in range(CYCLES):
        assert found["i_ready"][cycle] == (len(held) < 2) and found["o_valid"][cycle] == (len(held) > 0), cycle
        took = bool(held) and given["o_ready"][cycle]
        if held:
            assert found["o"][cycle] == held[0]
        if given["i_valid"][cycle] and len(held) < 2:
            held.append(given["i"][cycle])
        if took:
            held.popleft()
            count += 1
    assert count > 0.7 * CYCLES * min(offered, taken) / 100
    assert count == CYCLES - 1 or min(offered, taken) < 100
