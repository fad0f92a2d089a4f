"""``python -m tenon.flows.bench.networks -o docs/networks.md``: published networks whole in RTL, layer by layer; what compiling
and simulating them takes."""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from tenon.flows.bench.kept import kept
from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.errors import user_errors
from tenon.flows.execution import Simulator
from tenon.flows.outputs import new_file
from tenon.flows.report import LayerLine, Report
from tenon.flows.run import Job, prepare, run
from tenon.flows.source import open_source
from tenon.hw.presets import preset

__all__ = ["CONFIG", "IN_RTL", "Goal", "Network", "measure_networks", "modelled", "network_page", "read_table"]

CONFIG = "edge16"


@dataclass(frozen=True)
class Goal:
    """A network of the zoo, and what it must keep to: cycles in RTL, CPU seconds of compiling and of functional simulation. ``on_chip``:
    tensors stay there between layers, where they fit."""

    network: str
    most_cycles: int | None = None  # None: it is not run in RTL
    compile_seconds: float | None = None
    functional_seconds: float | None = None
    on_chip: bool = False

    @property
    def title(self) -> str:
        return self.network + (" --on-chip" if self.on_chip else "")


IN_RTL = (
    Goal("resnet18", 7_290_000),
    Goal("resnet50", 16_330_000, compile_seconds=30, functional_seconds=10),
    Goal("mobilenet_v2", 1_902_000),
    Goal("mobilenet_v2", 1_400_000, on_chip=True),
    Goal("squeezenet", 1_579_000),
    Goal("squeezenet", 1_450_000, on_chip=True),
    Goal("bert_encoder", 4_283_000),
    Goal("resnet8", 59_100),
    Goal("dscnn", 24_580),
    Goal("autoencoder", 26_060),
)
_ALONE = (Goal("inception_v1", compile_seconds=30), Goal("densenet121", compile_seconds=60), Goal("shufflenet_v2", compile_seconds=30),
          Goal("mobilenet_v3_small"), Goal("efficientnet_b0"), Goal("vit_block"), Goal("vgg19"))
FROM_NOTHING = "resnet50"
_MOST_SECONDS = 360  # from nothing to its page
_MOST_MEMORY = 2 << 30  # bytes, of compiling and of simulating


@dataclass(frozen=True)
class Network:
    """A network's run. ``functional``: its report without cycles; ``rtl``: with them, or None; ``model``: by the cycle model.
    ``compile_seconds`` of one core; ``memory_bytes``: the most that compiling and functional simulation took."""

    goal: Goal
    functional: Report
    model: Report
    rtl: Report | None
    compile_seconds: float
    memory_bytes: int

    @property
    def functional_seconds(self) -> float:
        """Of one core: the functional simulator has one thread."""
        return self.functional.wall_seconds

    @property
    def problems(self) -> list[str]:
        """What does not hold."""
        name, goal, found = self.goal.title, self.goal, []
        for report in filter(None, (self.functional, self.rtl)):
            if not report.comparison.passed or not report.comparison.total.elements:
                found.append(f"{name} in {report.simulator}: {report.comparison.first_difference or 'nothing compared'}")
        for what, value, most in (("cycles", self.rtl and self.rtl.cycles, goal.most_cycles),
                                  ("CPU seconds to compile", self.compile_seconds, goal.compile_seconds),
                                  ("CPU seconds of functional simulation", self.functional_seconds, goal.functional_seconds),
                                  ("bytes", self.memory_bytes, _MOST_MEMORY)):
            if most is not None and value > most:
                found.append(f"{name}: {value:,.0f} {what}, more than {most:,}")
        return found


def _job(goal: Goal) -> Job:
    """The network compiled for ``CONFIG``, with one input."""
    return prepare(f"zoo:{goal.network}", preset(CONFIG), runs=1, on_chip=goal.on_chip)


def modelled(goal: Goal) -> Sequence[LayerLine]:
    """Its layers, timed by the cycle model."""
    report, _ = run(_job(goal), Simulator.MODEL)
    return report.layers


def _measured(goal: Goal) -> Network:
    began = time.process_time()
    job = _job(goal)
    compiled = time.process_time()
    functional, _ = run(job, Simulator.FUNCTIONAL)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    model, _ = run(job, Simulator.MODEL)
    rtl = None if goal.most_cycles is None else run(job, Simulator.VERILATOR)[0]
    return Network(goal, functional, model, rtl, compiled - began, memory)


def measure_network(goal: Goal) -> Network:
    """In a process of its own, whose memory is measured, after another one that builds the network if need be."""
    for step in (_built, _measured):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=quiet) as pool:
            found = pool.submit(step, goal).result()
    return found


def _built(goal: Goal) -> None:
    open_source(f"zoo:{goal.network}")


def seconds_from_nothing() -> float:
    """Wall-clock seconds from ``tenon run`` of ``FROM_NOTHING`` to its page, with an empty cache: its simulator is built, too."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"TENON_CACHE": folder}
        commands = (f"run zoo:{FROM_NOTHING} --config {CONFIG} --json run.json", "report run.json -o run.html")
        began = time.perf_counter()
        for command in commands:
            line = [sys.executable, "-m", "tenon.flows.cli", *command.split()]
            subprocess.run(line, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began


def measure_networks(progress: Callable[[str], None] = say) -> list[Network]:
    """All of them, one after the other: seconds are measured."""
    found = []
    for goal in (*IN_RTL, *_ALONE):
        progress(f"network {goal.title}")
        found.append(kept(f"network-{goal.title}", measure_network, goal))
    return found


def network_page(networks: Sequence[Network], from_nothing: float) -> str:
    """The page, in Markdown. ``from_nothing``: what ``seconds_from_nothing`` says."""
    lines = [
        "# Whole networks", "",
        f"Written by `python -m tenon.flows.bench.networks` (part of `make bench`); do not edit. Networks of `tenon zoo` on `{CONFIG}`, "
        "standard DRAM, every layer, every tensor that is somewhere as a whole (with `--on-chip` many are not) against ONNX Runtime. "
        "*One step*: of operators that the reference computes in float, "
        "which may differ by one step; *after*: computed from those. A test fails if a layer's modelled cycles grow by more than 1 % "
        "over this page.", "",
        "| network | cycles in RTL | at most | of 256 MACs | cycle model | exact, differ | one step, differ | after, differ |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for n in networks:
        shown = n.rtl or n.functional
        c = shown.comparison
        error = f" ({100 * (n.model.cycles / n.rtl.cycles - 1):+.1f} %)" if n.rtl else ""
        used = n.rtl.utilization if n.rtl else n.model.utilization
        cells = [n.goal.title, _count(n.rtl and n.rtl.cycles), _count(n.goal.most_cycles), f"{100 * used:.1f} %",
                 f"{n.model.cycles:,}{error}", *(_tally(t) for t in (c.exact, c.step, c.after))]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "", "## What it takes", "",
        "CPU seconds of one core, and the most memory that compiling and functional simulation took. Seconds of a shared machine "
        "are rough.", "",
        "| network | compile | at most | functional simulation | at most | memory, MiB |", "|---|---|---|---|---|---|",
        *(f"| {n.goal.title} | {n.compile_seconds:.1f} s | {_seconds(n.goal.compile_seconds)} | {n.functional_seconds:.1f} s | "
          f"{_seconds(n.goal.functional_seconds)} | {n.memory_bytes >> 20:,} |" for n in networks), "",
        f"`tenon run zoo:{FROM_NOTHING} --config {CONFIG}` and `tenon report`, with an empty cache, so that network and simulator are "
        f"built, too: {from_nothing:.0f} s of wall-clock time, at most {_MOST_SECONDS} s on two idle cores.", "",
    ]
    for n in (n for n in networks if n.rtl):
        lines += [f"## {n.goal.title}", "", "| layer | operator | modelled | RTL |", "|---|---|---|---|",
                  *(f"| {m.name} | {m.op} | {_count(m.cycles)} | {_count(r.cycles)} |" for m, r in zip(n.model.layers, n.rtl.layers)), ""]
    return "\n".join(lines)


def _tally(tally) -> str:
    if not tally.elements:
        return "-"
    return f"{tally.elements:,}, {tally.mismatches:,}" + (f" (by {tally.max_abs_diff} at most)" if tally.mismatches else "")


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:g} s"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def read_table(page: str) -> dict[str, list[tuple[str, int]]]:
    """Layers and their modelled cycles, by network, out of the page."""
    found: dict[str, list[tuple[str, int]]] = {}
    for title, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.M | re.S):
        rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")]
        if title in {goal.title for goal in IN_RTL}:
            found[title] = [(name, int(cycles.replace(",", ""))) for name, _, cycles, _ in rows[1:]]
    return found


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The page to write.")
def main(output: Path) -> None:
    """Measures published networks, and ends with status 1 if one misses what it must keep to."""
    quiet()
    with user_errors():
        networks = measure_networks()
        say(f"{FROM_NOTHING} from nothing")
        from_nothing = kept("from-nothing", seconds_from_nothing)
        with new_file(output) as work:
            work.write_text(network_page(networks, from_nothing), encoding="utf-8")
    click.echo(output)
    problems = [problem for n in networks for problem in n.problems]
    if from_nothing > _MOST_SECONDS:
        problems.append(f"{FROM_NOTHING}: {from_nothing:.0f} s from nothing, more than {_MOST_SECONDS}")
    for problem in problems:
        say(f"MISSED: {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
