"""``python -m tenon.flows.bench.random_programs``: random legal and illegal programs in RTL, on several arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import click

from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.errors import user_errors
from tenon.hw.covenant import covenant
from tenon.tb.illegal_programs import illegal_programs
from tenon.tb.program_runs import ProgramRuns, run_programs
from tenon.tb.random_programs import random_program, unreached
from tenon.tb.random_runs import SHAPES
from tenon.tb.rtl import Dram

__all__ = ["ILLEGAL", "LEGAL", "RandomPrograms", "measure_random_programs"]

LEGAL, ILLEGAL = 300, 100  # programs on all arrays together


@dataclass(frozen=True)
class RandomPrograms:
    """One array's share; ``unreached``: what no legal program did, of what the covenant says instructions can do."""

    array: str
    runs: ProgramRuns
    unreached: tuple[str, ...]

    @property
    def row(self) -> str:
        """A line of a table: array, legal programs, their instructions, illegal programs, cycles, broken promises."""
        r = self.runs
        return f"| {self.array} | {r.legal} | {r.instructions:,} | {r.illegal} | {r.cycles:,} | {len(r.problems)} |"


def measure_random_programs(progress: Callable[[str], None]) -> list[RandomPrograms]:
    """All programs, half of them with a DRAM that answers at once, half with seeded random stalls."""
    results = []
    for number, (array, params) in enumerate(SHAPES.items()):
        progress(f"random programs on {array}")
        graph = covenant(params)
        legal = [random_program(graph, seed) for seed in range(number, LEGAL, len(SHAPES))]
        illegal = illegal_programs(graph, ILLEGAL // len(SHAPES), seed=number)
        drams = Dram(latency=1), Dram(stall=30, jitter=20, seed=number + 1)
        runs = [run_programs(params, graph, legal[k::2], illegal[k::2], dram=dram) for k, dram in enumerate(drams)]
        results.append(RandomPrograms(array, runs[0] + runs[1], tuple(unreached(graph, legal))))
    return results


def main() -> None:
    quiet()
    with user_errors():
        results = measure_random_programs(say)
    click.echo("| array | legal | instructions | illegal | cycles | broken promises |\n|---|---|---|---|---|---|")
    for result in results:
        click.echo(result.row)
    problems = [f"{r.array}: {line}" for r in results for line in (*r.runs.problems, *(f"nothing did {what}" for what in r.unreached))]
    for line in problems:
        click.echo(line, err=True)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
