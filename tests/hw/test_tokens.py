# amaranth: UnusedElaboratable=no
"""Token counters in simulation, cycle by cycle against a list of numbers."""

from collections import Counter

import numpy as np
import pytest

from tenon.hw.tokens import TOKEN_LIMIT, TokenCounters
from tenon.tb.stream import Stream

pytestmark = pytest.mark.rtl

ENGINES, COUNT = 5, 16


@pytest.fixture(scope="module")
def stream():
    return Stream(TokenCounters(ENGINES, COUNT))


def masks(rng, cycles, density):
    """A mask of tokens for each cycle, each token in it with a probability of ``density``."""
    return (rng.random((cycles, COUNT)) < density) @ (1 << np.arange(COUNT))


def tokens(mask):
    return [i for i in range(COUNT) if mask >> i & 1]


def test_counters(stream):
    """Waits of all or nothing, the first engine first; tokens that come count from the next cycle on."""
    seen = Counter()
    for seed in range(10):  # each as long as nothing can overflow
        seen += _one_run(stream, np.random.default_rng(seed), 500)
    assert min(seen.values()) > 3 and len(seen) == 5, seen


def _one_run(stream, rng, cycles):
    """Compares a run of random requests, and counts what it met."""
    given = {}
    for e in range(ENGINES):
        given[f"want_valid__{e}"] = (rng.random(cycles) < 0.7).astype(int)
        given[f"want__{e}"] = masks(rng, cycles, 0.12)
        given[f"released__{e}"], given[f"done__{e}"] = masks(rng, cycles, 0.02), masks(rng, cycles, 0.03)
    found = stream.run(given)
    counters, seen = [0] * COUNT, Counter()
    for cycle in range(cycles):
        granted = None
        for e in range(ENGINES):
            wants, asks = tokens(given[f"want__{e}"][cycle]), given[f"want_valid__{e}"][cycle]
            lacking = sum(1 << i for i in wants if not counters[i]) if asks else 0
            assert found[f"lacking__{e}"][cycle] == lacking
            able = asks and not lacking
            assert found[f"grant__{e}"][cycle] == (able and granted is None), (cycle, e)
            seen["both able"] += able and granted is not None
            seen["in part"] += bool(lacking) and lacking != given[f"want__{e}"][cycle]
            if able and granted is None:
                granted = wants
                seen["nothing wanted"] += not wants
        for i in granted or ():
            counters[i] -= 1
        added = [i for e in range(ENGINES) for kind in ("released", "done") for i in tokens(given[f"{kind}__{e}"][cycle])]
        for i in added:
            counters[i] += 1
        seen["granted"] += granted is not None
        seen["two at once"] += len(added) > len(set(added))
        assert max(counters) <= TOKEN_LIMIT and not found["overflow"][cycle]
    return seen


@pytest.mark.parametrize("beyond", [0, 1])
def test_more_than_a_counter_holds(stream, beyond):
    """``TOKEN_LIMIT`` are no error; one more is, a cycle later."""
    pairs, single = divmod(TOKEN_LIMIT + beyond, 2)
    cycles, quiet = pairs + single, [0] * 4
    given = {"released__2": np.array([1 << 7] * cycles + quiet), "done__4": np.array([1 << 7] * pairs + [0] * single + quiet)}
    assert stream.run(given)["overflow"].nonzero()[0].tolist() == [cycles] * beyond
