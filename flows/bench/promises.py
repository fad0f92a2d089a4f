"""``python -m tenon.flows.bench.promises``: each promise of five covenants measured in RTL, and each lie about one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click

from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.errors import user_errors
from tenon.hw.presets import preset
from tenon.tb.covenant.lies import lies
from tenon.tb.covenant.suite import check_graph, unseen
from tenon.tb.covenant.trial import Laboratory
from tenon.tb.gateware import graph_of, verilog_of
from tenon.tb.random_runs import SHAPES

__all__ = ["CONFIGURATIONS", "Promises", "measure_promises", "section"]

#: Presets, and arrays that are no squares.
CONFIGURATIONS = {**{name: preset(name) for name in ("tiny", "edge8", "edge16")}, **{name: SHAPES[name] for name in ("4x16", "16x8")}}


@dataclass(frozen=True)
class Promises:
    """One configuration's verdicts."""

    configuration: str
    promises: int
    broken: tuple[str, ...]
    lies: int
    unseen: tuple[str, ...]

    @property
    def row(self) -> str:
        """A line of a table: configuration, promises, those that hold, lies, those that were seen."""
        return (f"| {self.configuration} | {self.promises} | {self.promises - len(self.broken)} | {self.lies} | "
                f"{self.lies - len(self.unseen)} |")

    @property
    def problems(self) -> list[str]:
        return [f"{self.configuration}: {line}" for line in (*self.broken, *self.unseen)]


def measure_promises(names: Sequence[str] = tuple(CONFIGURATIONS), progress: Callable[[str], None] = lambda _: None) -> list[Promises]:
    """The whole suite on each configuration."""
    results = []
    for name in names:
        params = CONFIGURATIONS[name]
        graph = graph_of(params)
        lab = Laboratory(verilog_of(params), params, len(graph.segment_names))
        progress(f"promises of {name}")
        claims = check_graph(graph, params, lab)
        progress(f"lies about {name}")
        told = list(lies(graph))
        results.append(Promises(
            name, len(claims), tuple(f"{c.attribute}: promised {c.promised}, measured {c.measured}" for c in claims if not c.holds),
            len(told), tuple(f"{lie.attribute}: {lie.what} is not seen" for lie in unseen(told, params, lab))))
    return results


_HEAD = ("| configuration | promises | hold | lies | seen |", "|---|---|---|---|---|")


def section(results: Sequence[Promises]) -> list[str]:
    """Its part of the benchmark page."""
    return [
        "## Promises", "",
        "Every measured or encoded attribute of a covenant against RTL (`tenon acg CONFIG --check` prints them one by one), and covenants "
        "with one attribute altered by one, each of which the check of that attribute must see. "
        "`python -m tenon.flows.bench.promises` runs them alone.", "",
        *_HEAD, *(r.row for r in results), "",
    ]


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(tuple(CONFIGURATIONS)))
def main(names: tuple[str, ...]) -> None:
    """Measures the covenants of NAMES, or of all configurations."""
    quiet()
    with user_errors():
        results = measure_promises(names or tuple(CONFIGURATIONS), say)
    for line in (*_HEAD, *(r.row for r in results)):
        click.echo(line)
    problems = [line for r in results for line in r.problems]
    for line in problems:
        click.echo(line, err=True)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
