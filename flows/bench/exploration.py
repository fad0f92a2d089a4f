"""``python -m tenon.flows.bench.exploration -o FILE``: samplers on a space that is known whole, models beside RTL and synthesis, and how
long an exploration takes."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from tenon.flows.area_model import area_model, area_number
from tenon.flows.bench.kept import kept
from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.energy_table import default_table
from tenon.flows.errors import user_errors
from tenon.flows.explore.command import Request, run_exploration
from tenon.flows.explore.engines import Engine, as_finished, dask_engine
from tenon.flows.explore.folder import check_output
from tenon.flows.explore.front import hypervolume
from tenon.flows.explore.measure import measure
from tenon.flows.explore.objectives import scorer
from tenon.flows.explore.point import Effort, evaluate, workload_of
from tenon.flows.explore.samplers import SAMPLERS, make_sampler
from tenon.flows.explore.space import Choice, DesignSpace, read_space
from tenon.flows.explore.study import BATCH
from tenon.flows.outputs import new_file

__all__ = ["Beside", "Convergence", "Duration", "SMALL", "convergence", "known", "measure_beside", "measure_duration", "spearman"]

#: 324 choices; the larger arrays leave some of the smaller memories out.
SMALL = """
preset = "edge8"
rows = [4, 8, 16]
cols = "rows"
lanes = ["cols", "cols / 4"]
bus_bits = [32, 64, 128]
activation_bytes = [8192, 32768, 131072]
weight_bytes = [8192, 32768, 131072]
accumulator_bytes = [8192, 32768]
"""
#: Of it, and larger, with everything that the area model knows; none of these was fitted to.
LARGE = """
preset = "edge16"
rows = [8, 16, 32]
cols = ["rows", "rows / 2"]
lanes = ["cols", "cols / 2", "cols / 4"]
bus_bits = [64, 128, 256]
activation_bytes = [16384, 65536, 262144]
weight_bytes = [32768, 131072]
accumulator_bytes = [16384, 65536]
vector_bytes = [32768, 65536]
"""
_OBJECTIVES = ("cycles", "area")
_NETWORKS = ("zoo:digits", "zoo:swiftnet_cell_a", "zoo:resnet8")
_SEEDS, _SAMPLES, _GOAL = 10, 100, 0.98
_HELD_OUT = 24


@dataclass(frozen=True)
class Convergence:
    """Of a sampler on a space that is known, by seed: the share of the whole front's hypervolume after ``_SAMPLES`` points, and points
    until it is ``_GOAL``; ``seconds`` of the processor for proposing."""

    network: str
    sampler: str
    shares: tuple[float, ...]
    needed: tuple[int, ...]
    seconds: float


@dataclass(frozen=True)
class Beside:
    """A configuration by models, and measured; ``area`` in LUT4."""

    name: str
    cycles: int
    rtl_cycles: int
    area: float
    synthesised: float
    elements: int
    mismatches: int


@dataclass(frozen=True)
class Duration:
    """``tenon explore`` of ``model``: wall-clock seconds of ``points`` points by models, of measuring ``measured``, and of all that once
    more from the cache."""

    model: str
    points: int
    models: float
    measured: int
    measuring: float
    again: float


def known(network: str, progress: Callable[[str], None]) -> dict[Choice, tuple[float, ...]]:
    """The objectives of every point of SMALL that runs ``network``."""
    space, workload = _space(SMALL), workload_of(network)
    score, found = scorer(space, _OBJECTIVES), {}
    with dask_engine(2) as engine:
        points = _all(engine, [(evaluate, space.params(c), (workload,), Effort(), default_table()) for c in space.listed],
                      lambda n: progress(f"{network}: {n} of {len(space.listed)} points"))
    for choice, point in zip(space.listed, points):
        if not point.reason:
            found[choice] = score(point)
    return found


def _all(engine: Engine, calls: Sequence[tuple], progress: Callable[[int], None]) -> list:
    found = {number: engine.result(job) for number, job in as_finished(engine, calls, progress)}
    return [found[n] for n in range(len(calls))]


def convergence(network: str, values: dict[Choice, tuple[float, ...]], sampler: str, seeds: int = _SEEDS) -> Convergence:
    """``sampler`` on SMALL, where every result is known."""
    space = _space(SMALL)
    logs = np.log(list(values.values()))
    reference = logs.max(axis=0)
    whole = hypervolume(logs, reference)
    shares, needed = [], []
    began = time.process_time()
    for seed in range(1, seeds + 1):
        proposals, found, share = make_sampler(sampler, space, len(_OBJECTIVES), seed), [], []
        while choices := proposals.ask(BATCH):
            results = [values.get(c) for c in choices]
            proposals.tell(choices, results)
            for result in results:
                found += [np.log(result)] if result is not None else []
                share.append(hypervolume(np.array(found), reference) / whole if found else 0.0)
            if share[-1] >= _GOAL and len(share) >= _SAMPLES:
                break
        shares.append(share[min(_SAMPLES, len(share)) - 1])
        needed.append(next(n for n, s in enumerate(share, 1) if s >= _GOAL))
    return Convergence(network, sampler, tuple(shares), tuple(needed), time.process_time() - began)


def measure_beside(progress: Callable[[str], None], count: int = _HELD_OUT, network: str = "zoo:digits") -> list[Beside]:
    """Random configurations of LARGE, by models and measured."""
    space, workload = _space(LARGE), workload_of(network)
    rng = np.random.default_rng(5)
    params = list(dict.fromkeys(space.params(space.draw(rng)) for _ in range(3 * count)))[:count]
    with dask_engine(2) as engine:
        calls = [(evaluate, p, (workload,), Effort(), default_table()) for p in params]
        calls += [(measure, p, (workload,), Effort()) for p in params]
        found = _all(engine, calls, lambda n: progress(f"{network}: {n} of {len(calls)} results"))
    beside = []
    for p, point, measured in zip(params, found[:count], found[count:]):
        run = measured.runs[workload.name]
        beside.append(Beside(p.name, point.cycles[workload.name], run.cycles, area_number(area_model().predict(p).total.counts),
                             area_number(measured.area.total.counts), run.elements, run.mismatches))
    return beside


def measure_duration(progress: Callable[[str], None], front: Path | None = None, model: str = "zoo:resnet18", points: int = 500,
                     measured: int = 12) -> Duration:
    """``tenon explore`` of LARGE, without anything in the cache of points that this has not put there; ``front`` is to hold what it
    writes."""
    seconds = []
    with tempfile.TemporaryDirectory(prefix="tenon-explored-") as folder:
        (space := Path(folder) / "space.toml").write_text(LARGE, encoding="utf-8")
        for name, count in (("models", 0), ("models", measured), ("again", measured)):
            began = time.monotonic()
            run_exploration(Request(space, (model,), _OBJECTIVES, default_table(), budget=points, measured=count,
                                    resume=len(seconds) == 1, output=Path(folder) / name), progress)
            seconds.append(time.monotonic() - began)
        if front is not None:
            shutil.copytree(Path(folder) / "models", front, dirs_exist_ok=True)
    return Duration(model, points, seconds[0], measured, seconds[1], seconds[2])


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Rank correlation; equal values share their mean rank."""
    def ranks(values: Sequence[float]) -> np.ndarray:
        values = np.asarray(values)
        return np.array([(values < v).sum() + ((values == v).sum() - 1) / 2 for v in values])

    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def _space(text: str) -> DesignSpace:
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        return read_space(Path(file.name))


def _quartiles(values: Sequence[float], form: str) -> str:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


def _page(sizes: dict[str, int], found: Sequence[Convergence], beside: Sequence[Beside], took: Duration | None) -> str:
    rows = []
    for network, size in sizes.items():
        mine = [c for c in found if c.network == network]
        chance = statistics.median(next(c for c in mine if c.sampler == "random").needed)
        rows += [f"| {network} ({size}) | {c.sampler} | {_quartiles(c.shares, '.3f')} | {_quartiles(c.needed, '.0f')} | "
                 f"{chance / statistics.median(c.needed):.1f} | {c.seconds / len(c.shares):.1f} |" for c in mine]
    cycles, area = ([abs(x / y - 1) for x, y in pairs] for pairs in
                    ([(b.cycles, b.rtl_cycles) for b in beside], [(b.area, b.synthesised) for b in beside]))
    figures = [f"| {what} | {100 * statistics.mean(off):.2f} % | {100 * max(off):.2f} % | {rank:.4f} |" for what, off, rank in (
        ("cycles", cycles, spearman([b.cycles for b in beside], [b.rtl_cycles for b in beside])),
        ("area", area, spearman([b.area for b in beside], [b.synthesised for b in beside])))]
    elements, wrong = sum(b.elements for b in beside), sum(b.mismatches for b in beside)
    return _PAGE.format(seeds=_SEEDS, samples=_SAMPLES, goal=100 * _GOAL, small=SMALL.strip(), large=LARGE.strip(), rows="\n".join(rows),
                        count=len(beside), figures="\n".join(figures), elements=f"{elements:,}", wrong=f"{wrong:,}",
                        took=_duration(took) if took else "")


def _duration(took: Duration) -> str:
    return (f"## How long it takes\n\n{took.model} on the larger space, with two processors: {took.points} points by models in "
            f"{took.models:,.0f} s, {took.measured} points of the front in RTL and synthesis in {took.measuring:,.0f} s more (whatever of "
            f"them the cache had not), and all of that once more, from the cache, in {took.again:,.0f} s.\n")


_PAGE = """\
# Explored

Written by `python -m tenon.flows.bench.exploration -o docs/explored.md`. How soon samplers find a front that is known, and how far models
are from RTL and synthesis.

## Samplers

Every valid point of a small space was computed once, for each network alone; then each sampler explored it {seeds} times, with other
seeds. Objectives are cycles and area (of the models); volumes are of logarithms, against the worst of all points. *Share*: of the whole
front's hypervolume, after {samples} points; *needed*: points until it is {goal:.0f} %; *x*: by how many more random choice needs, of
medians. Medians, and quartiles in brackets. *s*: CPU seconds of proposing, each time.

| network (points that run it) | sampler | share | needed | x | s |
|---|---|---|---|---|---|
{rows}

The space:

```toml
{small}
```

## Models beside measurements

{count} random configurations of a larger space, none of which the area model was fitted to, run digits in RTL simulation ({elements}
elements compared with ONNX Runtime, {wrong} of them wrong) and are synthesised for an ECP5.

| | mean error | worst | Spearman |
|---|---|---|---|
{figures}

```toml
{large}
```

{took}"""


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The page to write.")
@click.option("--front", type=click.Path(path_type=Path), help="Folder to write: the front of the exploration that is timed, measured.")
def main(output: Path, front: Path | None) -> None:
    """Measures explorations."""
    quiet()
    with user_errors():
        if front is not None:
            check_output(front)
        sizes, found = {}, []
        for network in _NETWORKS:
            values = kept(f"explored-{network.removeprefix('zoo:')}", known, network, say)
            sizes[network] = len(values)
            for sampler in (s for s in SAMPLERS if s != "grid"):
                say(f"{sampler} on {network}")
                found.append(kept(f"explored-{network.removeprefix('zoo:')}-{sampler}", convergence, network, values, sampler))
        beside = kept("explored-beside", measure_beside, say)
        # What is kept of a duration has no front beside it.
        took = measure_duration(say, front) if front is not None else kept("explored-duration", measure_duration, say)
        with new_file(output) as work:
            work.write_text(_page(sizes, found, beside, took), encoding="utf-8")
    click.echo(output)


if __name__ == "__main__":
    main()
