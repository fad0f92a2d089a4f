"""``python -m tenon.flows.bench.tuned -o FILE``: tuners beside each other, from random points on and in RTL."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from tenon.flows.bench.kept import kept
from tenon.flows.bench.record import Record
from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.bench.tuned_rtl import Rates, RealRun, rates_of, real_run, virtual_seconds
from tenon.flows.bench.tuning import BUDGET, COMPETITORS, CONFIGURATIONS, FIRST, NETWORKS, Course, Step, Task, course, sources
from tenon.flows.errors import user_errors
from tenon.flows.outputs import new_file

__all__ = ["Courses", "Standing", "page", "qualifies", "rows", "standing", "verdict"]

Courses = dict[tuple[Task, str], list[Course]]  # of each task and tuner, by seed

_BASE, _CHANCE = "anneal", "random"
_HARD, _SLOW, _NEAR = 0.9, 192, 0.98  # a task tells tuners apart if chance gets no nearer, and the base is not sooner that near
_RECORD = Path(__file__).parent / "data" / "tuned.jsonl"
_REAL, _REAL_BUDGET = ("gaussian", "release", "chameleon", "anneal", "anneal+sampling", "tpe", "descent", "random"), 256
_CLAIM, _CLAIMED = 4.45, "release"  # how many times less time than AutoTVM a paper says its tuner takes
_LOOKED_AT = (FIRST, 2 * FIRST, 4 * FIRST, BUDGET)
_IN_RTL = Task("digits", "edge8")
_FEWER = {"tpe": 3}  # seeds of tuners that think for longer than all others together


def least_of(courses: Courses, task: Task) -> int:
    """The least that any run of a task came to."""
    return min(best for (t, _), runs in courses.items() if t == task for run in runs if (best := run.end.best) is not None)


def qualifies(courses: Courses, task: Task) -> tuple[float, float]:
    """How near chance comes to the least that is known, and measurements until the base is near it (the budget and one if it never is):
    medians over seeds."""
    least = least_of(courses, task)
    share = statistics.median(least / run.best(BUDGET) for run in courses[task, _CHANCE])
    return share, statistics.median(_measured(run.reached(least / _NEAR)) for run in courses[task, _BASE])


def _measured(step: Step | None) -> int:
    return BUDGET + 1 if step is None else step.measured


@dataclass(frozen=True)
class Standing:
    """A tuner over tasks: shares of the least after so many measurements, by all runs; and of each task the median run: in how many times
    fewer measurements, and how much less time, it comes to what the base comes to; and in how many tasks it does."""

    shares: Mapping[int, Sequence[float]]
    sooner: Sequence[float]
    quicker: Sequence[float]
    asked: Sequence[float]
    equal: int


def standing(courses: Courses, tasks: Sequence[Task], rates: dict[Task, Rates], tuner: str) -> Standing:
    """Of ``tuner`` over tasks that tell tuners apart."""
    shares: dict[int, list[float]] = {count: [] for count in _LOOKED_AT}
    sooner, quicker, asked, equal = [], [], [], 0
    for task in tasks:
        least, runs, base = least_of(courses, task), courses[task, tuner], courses[task, _BASE]
        for count, found in shares.items():
            found += [least / run.best(count) for run in runs]
        reached = _until_as_good(courses, task, tuner)
        needs = statistics.median(map(_measured, (step for step, _ in reached)))
        sooner.append(BUDGET / needs)
        seconds = statistics.median(virtual_seconds(step or run.end, rates[task]) for step, run in reached)
        quicker.append(statistics.median(virtual_seconds(run.end, rates[task]) for run in base) / seconds)
        asked.append(statistics.median(run.end.queries for run in runs))
        equal += needs <= BUDGET
    return Standing(shares, sooner, quicker, asked, equal)


def _until_as_good(courses: Courses, task: Task, tuner: str) -> list[tuple[Step | None, Course]]:
    """Each run of a tuner, and where it comes to what the median run of the base comes to; None if it does not."""
    goal = statistics.median(run.best(BUDGET) for run in courses[task, _BASE])
    return [(run.reached(goal), run) for run in courses[task, tuner]]


def rows(courses: Courses, tasks: Sequence[Task], rates: dict[Task, Rates]) -> list[str]:
    """A line of Markdown for each tuner, over tasks that tell them apart."""
    lines = []
    for tuner in COMPETITORS:
        s = standing(courses, tasks, rates, tuner)
        cells = [*(_quartiles(found, ".3f") for found in s.shares.values()), f"{s.equal} of {len(tasks)}", _quartiles(s.sooner, ".1f"),
                 _quartiles(s.quicker, ".1f"), f"{statistics.median(s.asked):,.0f}"]
        lines.append(f"| {tuner} | {' | '.join(cells)} |")
    return lines


def verdict(courses: Courses, tasks: Sequence[Task], rates: dict[Task, Rates]) -> str:
    """Whether what ReLeASE claims against AutoTVM holds here, and what stands against it."""
    s = standing(courses, tasks, rates, _CLAIMED)
    middle, reach = statistics.median(s.quicker), sum(q >= _CLAIM for q in s.quicker)
    begun, bound, proposing = [], [], []
    for task in tasks:
        whole = statistics.median(virtual_seconds(run.end, rates[task]) for run in courses[task, _BASE])
        for step, run in _until_as_good(courses, task, _CLAIMED):
            seconds, first = virtual_seconds(step or run.end, rates[task]), _seconds_of_first(run, rates[task])
            begun.append(first / seconds)
            bound.append(whole / first)
            proposing.append((step or run.end).seconds / seconds)
    begins, most, proposes = map(statistics.median, (begun, bound, proposing))
    bear = "bear" if middle >= _CLAIM and s.equal == len(tasks) else "do not bear"
    return (f"ReLeASE claims {_CLAIM} times less time than AutoTVM for results as good. The data {bear} that out: `{_CLAIMED}` is as good "
            f"as `{_BASE}` in {s.equal} of {len(tasks)} tasks, in {statistics.median(s.sooner):.1f} times fewer measurements and "
            f"{middle:.1f} times less time (medians); {_CLAIM} times less it takes in {reach}. Of its time until then {100 * begins:.0f} % "
            f"goes into the {FIRST} random points that all begin with, slow programs most of them, and {100 * proposes:.0f} % into "
            f"proposing: a tuner that needed nothing but those points would take {most:.1f} times less time than `{_BASE}`.")


def _seconds_of_first(run: Course, rates: Rates) -> float:
    """What the points that all begin with would have taken, by those until the best of them."""
    step = next(step for step in reversed(run.steps) if step.measured <= FIRST)
    return virtual_seconds(step, rates) * FIRST / step.measured


def _quartiles(values: Iterable[float], form: str) -> str:
    values = list(values)
    if len(values) < 2:
        return f"{values[0]:{form}}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


def page(courses: Courses, rates: dict[Task, Rates], seeds: int, real: Sequence[RealRun]) -> str:
    """The page in Markdown."""
    tasks, hard, table = sorted(rates, key=lambda t: (t.configuration, t.network)), [], []
    for task in tasks:
        share, near = qualifies(courses, task)
        hard += [task] if share <= _HARD and near > _SLOW else []
        late = f"{near:.0f}" if near <= BUDGET else "never"
        table.append(f"| {task.network} on {task.configuration} | {len(task.space.knobs)} | {task.space.size:.0e} | "
                     f"{least_of(courses, task):,} | {share:.3f} | {late} | {'yes' if task in hard else 'no'} |")
    runs = [f"| {r.tuner} | {r.measurements} | {r.first:,} | {r.best:,} | {r.seconds:.1f} | {r.virtual:.1f} | "
            f"{100 * (r.virtual / r.seconds - 1):+.0f} % |" for r in real]
    return _PAGE.format(seeds=seeds, first=FIRST, budget=BUDGET, base=_BASE, hard=len(hard), tasks="\n".join(table),
                        rows="\n".join(rows(courses, hard, rates)) if hard else "", looked_at=" | ".join(map(str, _LOOKED_AT)),
                        verdict=verdict(courses, hard, rates) if hard else "",
                        near=100 * _NEAR, slow=_SLOW,
                        limit=100 * _HARD, real="\n".join(runs), date=f"{datetime.date.today():%Y-%m-%d}", sources=sources(),
                        fewer=" ".join(f"`{tuner}` has {min(count, seeds)} seeds." for tuner, count in _FEWER.items()))


_PAGE = """\
# Tuned

Written on {date} by `python -m tenon.flows.bench.tuned -o docs/tuned.md` from sources {sources}. Networks whole, their tensors on chip,
standard DRAM.

## Tuners from random points on

All tuners of a seed begin with the same {first} random points, of which each layer is known to find room; the compiler's own choice is
not among them. {budget} measurements, {seeds} seeds, by the compiled event loop. *Least*: that any run came to. *Chance*: how near to it
random points come. *Base*: measurements until `{base}` (AutoTVM's way) is at {near:.0f} % of it. A task tells tuners apart if chance stays
below {limit:.0f} % and the base needs more than {slow}.

| task | knobs | points | least | chance | base | tells them apart |
|---|---|---|---|---|---|---|
{tasks}

Over the {hard} tasks that do, medians and quartiles. *Share*: of the least, after so many measurements. *As good as base*: tasks in which
the median run comes to what `{base}` comes to in all its measurements; in how many times fewer measurements (*sooner*, medians of tasks),
and in how many times less time (*quicker*): CPU seconds of proposing, and of what the measurements would have taken in RTL (below).
*Questions*: to a model, in a run. Three are parts of `release`: one measures the best by prediction and no representatives, one does not
begin with what is estimated to be best, one neither begins so nor has a model that sees estimates. {fewer}

| tuner | share, {looked_at} | as good as base | sooner | quicker | questions |
|---|---|---|---|---|---|---|---|---|
{rows}

{verdict}

## In RTL

digits on `edge8`, from the compiler's own choice on: whole runs whose measurements were made in RTL simulation. *Reckoned*: proposing, and
for each program a time to make it, for each simulation its start, and for each cycle its share, as some programs took them before.

| tuner | measurements | first | best | CPU s | reckoned | |
|---|---|---|---|---|---|---|
{real}
"""


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The page to write.")
@click.option("--seeds", type=click.IntRange(1), default=10, show_default=True)
@click.option("--record", "record_file", type=click.Path(path_type=Path), default=_RECORD, show_default="beside the program",
              help="File of runs, of which none is made twice.")
@click.option("--network", "networks", multiple=True, type=click.Choice(NETWORKS), help="Only this one; may be repeated.")
def main(output: Path, seeds: int, record_file: Path, networks: tuple[str, ...]) -> None:
    """Measures tuners."""
    quiet()
    with user_errors():
        tasks = [Task(network, configuration) for network in networks or NETWORKS for configuration in CONFIGURATIONS]
        courses, record = {}, Record(record_file)
        for seed in range(1, seeds + 1):  # an interrupted run has the same seeds of all tasks
            for task in tasks:
                say(f"{task.network} on {task.configuration}, seed {seed}")
                once = replace(task)  # what it has lowered and timed, half a gigabyte, goes with it
                for tuner in (t for t in COMPETITORS if seed <= _FEWER.get(t, seeds)):
                    courses.setdefault((task, tuner), []).append(course(once, tuner, seed, record))
        rates = {task: _rates(task) for task in tasks}
        real = [kept(f"real-{tuner}", _real, tuner, _rates(_IN_RTL), say) for tuner in _REAL]
        with new_file(output) as work:
            work.write_text(page(courses, rates, seeds, real), encoding="utf-8")
    click.echo(output)


def _rates(task: Task) -> Rates:
    return kept(f"rates-{task.network}-{task.configuration}", rates_of, task)


def _real(tuner: str, rates: Rates, progress: Callable[[str], None]) -> RealRun:
    progress(f"{tuner} in RTL")
    return real_run(_IN_RTL, tuner, rates, _REAL_BUDGET)


if __name__ == "__main__":
    main()
