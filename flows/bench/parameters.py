"""``python -m tenon.flows.bench.parameters``: each parameter of the family moved alone, and networks run on that hardware in RTL."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click

from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.errors import user_errors
from tenon.tb.moved_parameters import BASE, MOVES, run_moved

__all__ = ["Moved", "measure_parameters", "section"]


@dataclass(frozen=True)
class Moved:
    """One parameter's move: elements compared with the reference, bytes of RTL with the functional simulator, and whether all
    are right."""

    name: str
    values: str
    elements: int
    bytes: int
    right: bool

    @property
    def row(self) -> str:
        return f"| `{self.name}` | {self.values} | {self.elements:,} | {self.bytes:,} | {'yes' if self.right else 'NO'} |"


def measure_parameters(names: Sequence[str] = tuple(MOVES), progress: Callable[[str], None] = lambda _: None) -> list[Moved]:
    """Each of ``names`` alone."""
    results = []
    for name in names:
        progress(f"{name} moved")
        found = run_moved([name])
        right = not found["exact_mismatches"] and found["max_difference"] <= 1 and not found["mismatches"]
        values = ", ".join(f"{n} {getattr(BASE, n)} to {value}" for n, value in MOVES[name].items())
        results.append(Moved(name, values, found["exact"] + found["step"], found["bytes"], right))
    return results


_HEAD = ("| parameter | moved | elements against the reference | bytes in RTL | all right |", "|---|---|---|---|---|")


def section(results: Sequence[Moved]) -> list[str]:
    """Its part of the benchmark page."""
    return [
        "## Parameters", "",
        f"`{BASE.name}` with one parameter moved: random networks compiled for it, against the reference, and its RTL against the "
        "functional simulator. `python -m tenon.flows.bench.parameters` moves them alone.", "",
        *_HEAD, *(r.row for r in results), "",
    ]


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(tuple(MOVES)))
def main(names: tuple[str, ...]) -> None:
    """Moves NAMES, or every parameter."""
    quiet()
    with user_errors():
        results = measure_parameters(names or tuple(MOVES), say)
    for line in (*_HEAD, *(r.row for r in results)):
        click.echo(line)
    sys.exit(not all(r.right for r in results))


if __name__ == "__main__":
    main()
