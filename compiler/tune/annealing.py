"""Simulated annealing on a cost model: what it thinks are the best points that nobody has measured (AutoTVM's proposals)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import numpy as np

from tenon.compiler.tune.space import NetworkSpace, Point

__all__ = ["Annealing"]

_CHAINS, _STEPS, _PATIENCE = 128, 500, 50


class Annealing:
    """Chains of mutations. They start from the best measured points, and go on where they were in the next round."""

    def __init__(self, space: NetworkSpace, rng: np.random.Generator):
        self.space, self.rng = space, rng
        self.chains: list[Point] = []

    def propose(self, predict: Callable[[Sequence[Point]], np.ndarray], best: Sequence[Point], seen, count: int) -> list[Point]:
        """The ``count`` points with the best predictions that the chains came by, the best first, without those in ``seen``."""
        space, rng = self.space, self.rng
        # A quarter of the chains begins anew at the best that is known.
        kept = self.chains[:_CHAINS - _CHAINS // 4]
        chains = kept + [best[i % len(best)] for i in range(_CHAINS - len(kept))]
        scores = predict(chains)
        heap: list[tuple[float, Point]] = []
        held: set[Point] = set()
        changed = 0
        for step in range(_STEPS):
            proposals = [space.mutated(point, rng) for point in chains]
            proposals = [new if fits else old for new, old, fits in zip(proposals, chains, space.fitting(proposals))]
            found = predict(proposals)
            warmth = 1 - step / _STEPS
            accepted = rng.random(len(chains)) < np.exp(np.minimum((found - scores) / (warmth + 1e-5), 0))
            for k in np.flatnonzero(accepted):
                chains[k], scores[k] = proposals[k], found[k]
            for point, score in zip(proposals, found.tolist()):
                if point in seen or point in held or (len(heap) == count and score <= heap[0][0]):
                    continue
                held.add(point)
                if len(heap) == count:
                    held.discard(heapq.heapreplace(heap, (score, point))[1])
                else:
                    heapq.heappush(heap, (score, point))
                changed = step
            if step - changed >= _PATIENCE:
                break
        self.chains = chains
        return [point for _, point in sorted(heap, reverse=True)]
