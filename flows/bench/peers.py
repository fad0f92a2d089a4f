"""``python -m tenon.flows.bench.peers FRONT -o FILE``: other people's estimates of cycles beside RTL, and ours beside them."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from tenon.flows.bench.exploration import spearman
from tenon.flows.bench.peer_layers import PeerLayer, layers_of
from tenon.flows.bench.peer_points import MeasuredPoint, measured_points, workloads_of
from tenon.flows.bench.peer_tools import PEERS, Answer, Tool
from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.compile import read_source
from tenon.flows.errors import user_errors
from tenon.flows.outputs import check_file, new_file
from tenon.flows.source import open_source

__all__ = ["Estimates", "Layers", "answers_of", "estimates_of", "page", "summary_rows"]

Layers = dict[str, Counter[PeerLayer]]  # of each network, with how often it has them


@dataclass(frozen=True)
class Estimates:
    """A column: cycles of each point, None where there are none, and CPU seconds of each point."""

    title: str
    cycles: tuple[int | None, ...]
    seconds: tuple[float, ...]


def answers_of(tool: Tool, points: Sequence[MeasuredPoint], layers: Layers, limit_seconds: float) -> list[Answer]:
    """Of each point; each shape is asked for once, whatever networks have it."""
    shapes, found = sorted(set().union(*layers.values()), key=lambda layer: -layer.macs), []
    for number, point in enumerate(points, 1):
        say(f"{tool.title}: point {number} of {len(points)}")
        found.append(tool.ask(point.params, shapes, limit_seconds))
        for problem in found[-1].problems:
            say(f"{tool.title} on point {point.rank}: {problem}")
    return found


def estimates_of(network: str, points: Sequence[MeasuredPoint], layers: Layers, answers: dict[Tool, list[Answer]]) -> list[Estimates]:
    """Ours first, then each tool's columns."""
    found = [Estimates("Tenon's model", tuple(p.runs[network].model_cycles for p in points), tuple(p.seconds for p in points))]
    for tool, given in answers.items():
        for column, name in enumerate(tool.peer.columns):
            found.append(Estimates(f"{tool.title}, {name}", tuple(_total(a.cycles[column], layers[network]) for a in given),
                                   tuple(a.seconds[column] for a in given)))
    return found


def _total(cycles: dict[PeerLayer, int | None], layers: Counter[PeerLayer]) -> int | None:
    known = [(cycles[layer], count) for layer, count in layers.items()]
    return None if any(c is None for c, _ in known) else sum(c * count for c, count in known)


def summary_rows(points: Sequence[MeasuredPoint], network: str, columns: Sequence[Estimates]) -> list[str]:
    """A line of Markdown for each column: ranks, shares of RTL's cycles, and seconds."""
    runs, rows = [p.runs[network] for p in points], []
    for column in columns:
        there = [n for n, cycles in enumerate(column.cycles) if cycles is not None]
        values = [column.cycles[n] for n in there]
        shares = [v / runs[n].cycles for n, v in zip(there, values)]
        rows.append(f"| {column.title} | {len(there)} | {_rank(values, [runs[n].cycles for n in there])} | "
                    f"{_rank(values, [runs[n].product_cycles for n in there])} | "
                    f"{f'{min(shares):.2f} to {max(shares):.2f}' if shares else '–'} | "
                    f"{statistics.mean(column.seconds):.2f} ({max(column.seconds):.2f}) |")
    return rows


def _rank(values: Sequence[int], cycles: Sequence[int | None]) -> str:
    if None in cycles or min(len(set(values)), len(set(cycles))) < 2:
        return "–"
    found = spearman(values, cycles)
    return "–" if math.isnan(found) else f"{found:.3f}"


def _point_rows(points: Sequence[MeasuredPoint], network: str, columns: Sequence[Estimates]) -> list[str]:
    rows = []
    for n, point in enumerate(points):
        p, run = point.params, point.runs[network]
        sizes = " / ".join(f"{size / 1024:g}" for size in (p.activation_bytes, p.weight_bytes, p.accumulator_bytes))
        cells = [point.rank, f"{p.rows} x {p.cols}", sizes, p.bus_bits, _count(run.cycles), _count(run.product_cycles),
                 *(_count(column.cycles[n]) for column in columns)]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return rows


def _count(cycles: int | None) -> str:
    return "–" if cycles is None else f"{cycles:,}"


def page(points: Sequence[MeasuredPoint], layers: Layers, answers: dict[Tool, list[Answer]], limit_seconds: float) -> str:
    """The page in Markdown."""
    sections = []
    for network, shapes in layers.items():
        columns = estimates_of(network, points, layers, answers)
        sections.append(_NETWORK.format(
            network=network, layers=sum(shapes.values()), shapes=len(shapes), titles=" | ".join(c.title for c in columns),
            rule="---|" * len(columns), points="\n".join(_point_rows(points, network, columns)),
            summary="\n".join(summary_rows(points, network, columns))))
    given = "\n\n".join(f"**{tool.title}.** {tool.peer.given.format(limit=limit_seconds)}" for tool in answers)
    return _PAGE.format(count=len(points), sections="\n".join(sections), given=f"\n{given}\n" if given else "")


_NETWORK = """\
## {network}

{layers} convolutions and dense layers, of {shapes} shapes. Cycles:

| point | array | KiB: activations / weights / accumulators | bus bits | RTL | of it layers with products | {titles} |
|---|---|---|---|---|---|{rule}
{points}

| | points | Spearman with RTL | with layers with products | cycles as a share of RTL's | CPU seconds of a point (most) |
|---|---|---|---|---|---|
{summary}
"""

_PAGE = """\
# Peers

Written by `python -m tenon.flows.bench.peers FRONT -o docs/peers.md --scale-sim PYTHON --zigzag PYTHON`. Cycles of {count} points of an
exploration, whose networks ran in RTL simulation, beside what estimators say of the same points: does a tool put configurations into the
order that the hardware has? *Spearman* is the correlation of ranks over the points; *–*: nothing to say.

RTL, and Tenon's model, are of whole programs that this compiler wrote for this hardware: all layers, constants, copies, the latency of
DRAM, and layers that overlap. The other tools know neither hardware nor compiler. They were made for machines of many kinds, and for other
questions too (energy, traffic, mappings); how they were set up here is below. Their cycles are of convolutions and dense layers alone, one
after the other; additions, pooling and tables, which the hardware partly does beside them, are left out, and so are products of two
activations. So shares of RTL's cycles are no errors of a tool: ranks are what is compared.

CPU seconds are of a point with all networks of the exploration, each shape once, without the start of the interpreter; those of Tenon's
model include compiling, and are of when the point was computed.

{sections}
## What each tool was given

Of each point: rows, columns, sizes of memories, the width of the bus. Of a network: the shapes of its convolutions and dense layers in the
model, with strides, padding, dilations and groups, before our compiler rewrites any.
{given}"""


@click.command()
@click.argument("front", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The page to write.")
@click.option("--scale-sim", type=click.Path(path_type=Path), help="A Python interpreter that has SCALE-Sim.")
@click.option("--zigzag", type=click.Path(path_type=Path), help="A Python interpreter that has ZigZag.")
@click.option("--stall-seconds", type=click.FloatRange(min=1), default=60, show_default=True,
              help="CPU seconds for SCALE-Sim's memories, of each point.")
def main(front: Path, output: Path, scale_sim: Path | None, zigzag: Path | None, stall_seconds: float) -> None:
    """Holds estimators of cycles beside the measured points of FRONT, a folder that `tenon explore` wrote."""
    quiet()
    with user_errors():
        check_file(output)
        tools = [Tool.found(peer, python) for peer, python in zip(PEERS, (scale_sim, zigzag)) if python is not None]
        workloads = workloads_of(front)
        points = measured_points(front, workloads)
        layers = {w.name: layers_of(read_source(open_source(w.model))[0]) for w in workloads}
        answers = {tool: answers_of(tool, points, layers, stall_seconds) for tool in tools}
        with new_file(output) as work:
            work.write_text(page(points, layers, answers, stall_seconds), encoding="utf-8")
    click.echo(output)


if __name__ == "__main__":
    main()
