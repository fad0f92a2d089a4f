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


class Model:
    """The counters by their promises. ``step`` takes a cycle's wishes, and returns its inputs and what must be seen."""

    def __init__(self):
        self.counters, self.wanted, self.able, self.seen = [0] * COUNT, [None] * ENGINES, [False] * ENGINES, Counter()

    def step(self, asks, wants, released, done):
        for e in range(ENGINES):  # a request stays until it is granted
            if self.wanted[e] is None and asks[e]:
                self.wanted[e] = wants[e]
        lacking = [sum(1 << i for i in tokens(w) if not self.counters[i]) if w is not None else 0 for w in self.wanted]
        granted = self.able.index(True) if any(self.able) else None
        inputs = {f"want_valid__{e}": w is not None for e, w in enumerate(self.wanted)}
        inputs |= {f"want__{e}": w or 0 for e, w in enumerate(self.wanted)}
        inputs |= {f"released__{e}": released[e] for e in range(ENGINES)} | {f"done__{e}": done[e] for e in range(ENGINES)}
        seen = {f"lacking__{e}": value for e, value in enumerate(lacking)} | {f"grant__{e}": e == granted for e in range(ENGINES)}
        self.seen["both able"] += sum(self.able) > 1
        self.seen["in part"] += any(0 != lack != w for lack, w in zip(lacking, self.wanted))
        if granted is not None:
            self.able = [False] * ENGINES
        else:
            self.able = [w is not None and not lack for w, lack in zip(self.wanted, lacking)]
        if granted is not None:
            self.seen["granted"] += 1
            self.seen["nothing wanted"] += not self.wanted[granted]
            for i in tokens(self.wanted[granted]):
                self.counters[i] -= 1
            self.wanted[granted] = None
        added = [i for mask in (*released, *done) for i in tokens(mask)]
        for i in added:
            self.counters[i] += 1
        self.seen["two at once"] += len(added) > len(set(added))
        assert 0 <= min(self.counters) and max(self.counters) <= TOKEN_LIMIT
        return inputs, seen


def test_counters(stream):
    """Waits of all or nothing, the first engine first; tokens that come count from the next cycle on."""
    reached = Counter()
    for seed in range(10):  # each as long as nothing can overflow
        rng, model, cycles = np.random.default_rng(seed), Model(), 500
        asks = rng.random((cycles, ENGINES)) < 0.5
        wants, released, done = (np.stack([masks(rng, cycles, density) for _ in range(ENGINES)], 1) for density in (0.12, 0.02, 0.03))
        rows = [model.step(*row) for row in zip(asks, wants.tolist(), released.tolist(), done.tolist(), strict=True)]
        found = stream.run({name: np.array([int(inputs[name]) for inputs, _ in rows]) for name in rows[0][0]})
        for cycle, (_, seen) in enumerate(rows):
            for output, value in seen.items():
                assert found[output][cycle] == value, (seed, cycle, output)
        assert not found["overflow"].any()
        reached += model.seen
    assert min(reached.values()) > 3 and len(reached) == 5, reached


@pytest.mark.parametrize("beyond", [0, 1])
def test_more_than_a_counter_holds(stream, beyond):
    """``TOKEN_LIMIT`` are no error; one more is, two cycles later."""
    pairs, single = divmod(TOKEN_LIMIT + beyond, 2)
    cycles, quiet = pairs + single, [0] * 4
    given = {"released__2": np.array([1 << 7] * cycles + quiet), "done__4": np.array([1 << 7] * pairs + [0] * single + quiet)}
    assert stream.run(given)["overflow"].nonzero()[0].tolist() == [cycles + 1] * beyond
