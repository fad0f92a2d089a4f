"""Random layers, all of them: functional simulator against the reference, RTL against the functional simulator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tenon.tb.random_runs import SHAPES, against_rtl, all_against_reference, prepare, shape_of
from tenon.tb.rtl import Dram

__all__ = ["CASES", "RandomRuns", "measure_random"]

CASES = 640


@dataclass(frozen=True)
class RandomRuns:
    """One array's share of the random layers."""

    array: str
    cases: int
    reference: Counter  # exact, exact_mismatches, step, step_mismatches, after, after_mismatches: elements
    rtl: Counter  # bytes, mismatches, cycles


def measure_random(progress: Callable[[str], None]) -> list[RandomRuns]:
    """Every case on its array, in RTL with seeded random stalls of the DRAM."""
    results = []
    for number, (array, params) in enumerate(SHAPES.items()):
        progress(f"random layers on {array}")
        batch = [prepare(seed, params) for seed in range(CASES) if shape_of(seed) == array]
        reference = all_against_reference(batch)
        rtl = against_rtl(batch, params, Dram(stall=30, jitter=20, seed=number + 1))
        results.append(RandomRuns(array, len(batch), reference, rtl))
    return results
