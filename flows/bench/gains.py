"""``python -m tenon.flows.bench.gains -o FILE``: networks as the compiler maps them and tuned, in RTL, every element compared."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from tenon.compiler.errors import CompileError
from tenon.compiler.mapping import NetworkMapping
from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.bench.tuning import Task, sources
from tenon.flows.errors import user_errors
from tenon.flows.execution import Simulator
from tenon.flows.hardware.kept import kept
from tenon.flows.outputs import new_file
from tenon.flows.run import prepare, run
from tenon.flows.tune import tune
from tenon.flows.tune_measure import By
from tenon.hw.presets import preset

__all__ = ["Gain", "gain", "page"]

_NETWORKS = ("digits", "dscnn", "resnet8", "swiftnet_cell_c", "swiftnet_cell_b", "swiftnet_cell_a")
_CONFIGURATIONS = ("edge8", "edge16")

#: What measures, tuner and budget of each step, which goes on from where the one before came to.
_STEPS = ((By.MODEL, "metropolis", 8000), (By.RTL, "gaussian", 256))


@dataclass(frozen=True)
class Gain:
    """A network on a configuration: cycles in RTL as the compiler maps it, and tuned; elements of both runs that were compared, and how
    many of them were wrong."""

    network: str
    configuration: str
    before: int
    after: int
    elements: int
    mismatches: int


def gain(task: Task, progress: Callable[[str], None] = lambda _: None) -> Gain:
    """Of ``task``, now or before with the same sources."""
    recipe = [sources(), task.network, task.configuration, [[by.value, tuner, budget] for by, tuner, budget in _STEPS]]
    return Gain(**kept("gain", recipe, lambda: asdict(_gain(task, progress))))


def _gain(task: Task, progress: Callable[[str], None]) -> Gain:
    first = found = task.space.mapping(task.start)
    for by, tuner, budget in _STEPS:
        found = tune(task.space.network, task.network, tuner=tuner, budget=budget, by=by, params=preset(task.configuration), start=found,
                     progress=progress).mapping
    (before, *_), (after, *_) = runs = [_compared(task, mapping) for mapping in (first, found)]
    return Gain(task.network, task.configuration, before, after, sum(r[1] for r in runs), sum(r[2] for r in runs))


def _compared(task: Task, mapping: NetworkMapping) -> tuple[int, int, int]:
    """Cycles, elements, and those that are wrong."""
    report, _ = run(prepare(f"zoo:{task.network}", preset(task.configuration), runs=1, on_chip=True, mapping=mapping), Simulator.VERILATOR)
    if report.cycles is None or report.comparison is None:
        raise CompileError(f"{task.network}: nothing was compared")
    return report.cycles, report.comparison.total.elements, report.comparison.exact.mismatches


def page(gains: Sequence[Gain]) -> str:
    """The page in Markdown."""
    rows = []
    for configuration in _CONFIGURATIONS:
        mine = [g for g in gains if g.configuration == configuration]
        rows += [f"| {g.network} on {g.configuration} | {g.before:,} | {g.after:,} | {100 * (g.after / g.before - 1):+.1f} % | "
                 f"{g.elements:,}, {g.mismatches} |" for g in mine]
        if mine:
            mean = statistics.geometric_mean(g.after / g.before for g in mine)
            rows.append(f"| all on {configuration} | | | {100 * (mean - 1):+.1f} % | |")
    steps = "\n".join(f"- `--measure {by} --tuner {tuner} --budget {budget}`" for by, tuner, budget in _STEPS)
    chosen = sorted({g.configuration for g in gains})
    only = "" if set(chosen) == set(_CONFIGURATIONS) else "".join(f" --config {name}" for name in chosen)
    return _PAGE.format(rows="\n".join(rows), steps=steps, only=only, date=f"{datetime.date.today():%Y-%m-%d}", sources=sources())


_PAGE = """\
# Before and after tuning

Written on {date} by `python -m tenon.flows.bench.gains{only} -o docs/gains.md` from sources {sources}. Whole
networks, their tensors on chip, standard DRAM, in RTL: cycles as the compiler maps them by itself, and as `tenon tune` does, each step
from where the one before came to:

{steps}

Elements of both runs are compared with ONNX Runtime; the last column says how many, and how many of them are wrong.

| network | the compiler's | tuned | | compared, wrong |
|---|---|---|---|---|
{rows}
"""


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The page to write.")
@click.option("--config", "configurations", multiple=True, type=click.Choice(_CONFIGURATIONS), help="Only this one; may be repeated.")
def main(output: Path, configurations: tuple[str, ...]) -> None:
    """Tunes networks."""
    quiet()
    with user_errors():
        gains = []
        for configuration in configurations or _CONFIGURATIONS:
            for network in _NETWORKS:
                say(f"{network} on {configuration}")
                gains.append(gain(Task(network, configuration), say))
        with new_file(output) as work:
            work.write_text(page(gains), encoding="utf-8")
    click.echo(output)


if __name__ == "__main__":
    main()
