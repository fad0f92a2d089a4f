"""``python -m tenon.flows.bench.peaks``: memory of irregular networks in our order, against TensorFlow Lite's way."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tenon.compiler.schedule.arena import arena
from tenon.compiler.schedule.exact import schedule
from tenon.compiler.schedule.model import problem_of
from tenon.compiler.schedule.rewrite import fold_concats, rewrite
from tenon.flows.bench.side_by_side import say
from tenon.flows.schedule import ALIGNMENT
from tenon.flows.zoo.resolve import resolve

__all__ = ["Peak", "measure_peaks", "section"]

_NETWORKS = (*(f"swiftnet_cell_{cell}" for cell in "abc"), "darts", "nasnet", "amoebanet", *(f"randwire_ws_{seed}" for seed in range(10)))
_SECONDS = 30.0


@dataclass(frozen=True)
class Peak:
    """Bytes of a network's arena. ``lite``: file order, concatenations executed, offsets greedily by size. ``ordered``: the best
    order and offsets found for the same operators; ``rewritten``: concatenations folded, convolutions of them in parts.
    ``proved``: no order of either form has a smaller peak."""

    name: str
    lite: int
    ordered: int
    rewritten: int
    proved: bool


def measure_peaks(progress: Callable[[str], None] = lambda _: None) -> list[Peak]:
    """All networks, on one core."""
    with TemporaryDirectory() as cache:
        found = []
        for name in _NETWORKS:
            progress(f"memory of {name}")
            found.append(_peak(name, resolve(f"zoo:{name}", Path(cache)).model))
    return found


def _peak(name: str, model) -> Peak:
    plain = problem_of(model, name)
    lite = arena(plain, plain.file_order, alignment=ALIGNMENT, plain=True).bytes
    sizes, proofs = [], []
    for problem in (plain, rewrite(fold_concats(plain))):
        best = schedule(problem, seconds=_SECONDS)
        sizes.append(arena(problem, best.order, alignment=ALIGNMENT, seconds=_SECONDS).bytes)
        proofs.append(best.proved)
    return Peak(name, lite, sizes[0], min(sizes), all(proofs))


def section(peaks: list[Peak]) -> list[str]:
    """The page's lines, in Markdown."""
    gains = [(p.lite / p.ordered, p.lite / p.rewritten) for p in peaks]
    ordered, rewritten = (statistics.geometric_mean(g) for g in zip(*gains))
    return [
        "## Memory of irregular networks", "",
        "Bytes of the arena of all activations (8 bits an element), offsets included: TensorFlow Lite's way (operators in file order, "
        "offsets greedily by size), the best order, and the best order after rewriting. "
        "`python -m tenon.flows.bench.peaks` measures this alone.",
        "", "| network | file order, greedy | ordered | gain | rewritten and ordered | gain | orders proved optimal |",
        "|---|---|---|---|---|---|---|",
        *(f"| {p.name} | {p.lite:,} | {p.ordered:,} | {a:.2f} | {p.rewritten:,} | {b:.2f} | {'yes' if p.proved else 'no'} |"
          for p, (a, b) in zip(peaks, gains)),
        f"| geometric mean | | | **{ordered:.2f}** | | **{rewritten:.2f}** | |", "",
        "The paper (Ahn et al., MLSys 2020) reports 1.68 and 1.86 over its nine cells. Of its graphs only SwiftNet's were published; "
        "DARTS, NASNet-A and AmoebaNet-A are built here from the tables of their papers with fewer channels and cells, RandWire's wirings "
        "from the generators with seeds of our own. Where concatenations are few, as in RandWire, rewriting has nothing to gain.", "",
    ]


@click.command()
def main() -> None:
    """Prints the section."""
    click.echo("\n".join(section(measure_peaks(say))))


if __name__ == "__main__":
    sys.exit(main())
