"""``python -m tenon.flows.bench.stops``: a thousand runs stopped or reset at random cycles, each followed by one that is checked."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import click

from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.errors import user_errors
from tenon.tb.rtl import Dram
from tenon.tb.stop_runs import SMALL, run_stops

__all__ = ["STOPS", "measure_stops"]

STOPS = 1000

_DRAMS = {"answers at once": Dram(latency=1), "stalls": Dram(latency=15, stall=30, jitter=20, seed=3)}


def measure_stops(progress: Callable[[str], None], count: int = STOPS) -> dict[str, Counter]:
    """What ``tb.stop_runs.run_stops`` counts, for each DRAM's share of ``count`` runs."""
    found = {}
    for seed, (name, dram) in enumerate(_DRAMS.items()):
        progress(f"stopped runs, DRAM {name}")
        found[name] = run_stops(SMALL, count // len(_DRAMS), dram=dram, seed=10 + seed)
    return found


def main() -> None:
    quiet()
    began = time.perf_counter()
    with user_errors():
        found = measure_stops(say)
    click.echo("| DRAM | stopped | of these reset | with answers due | ended before | cycles |\n|---|---|---|---|---|---|")
    for name, seen in found.items():
        click.echo(f"| {name} | {seen['stopped']} | {seen['reset']} | {seen['owed']} | {seen['ended']} | {seen['cycles']:,} |")
    say(f"{time.perf_counter() - began:.0f} seconds")


if __name__ == "__main__":
    main()
