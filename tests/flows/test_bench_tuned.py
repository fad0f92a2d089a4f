"""Tuners beside each other: what a course says, and what a page makes of courses."""

import json
from dataclasses import replace

import pytest

from tenon.compiler.tune import Measured
from tenon.flows.bench import tuned, tuning
from tenon.flows.bench.gains import Gain
from tenon.flows.bench.gains import page as gains_page
from tenon.flows.bench.record import Record
from tenon.flows.bench.tuned_rtl import Rates, RealRun, virtual_seconds
from tenon.flows.bench.tuning import COMPETITORS, Course, Task, course, followed


@pytest.fixture
def task(monkeypatch, tmp_path):
    monkeypatch.setenv("TENON_CACHE", str(tmp_path))
    return Task("digits", "edge8")


class Rounds:
    """A tuner that proposes four at a time."""

    def __init__(self, count):
        self.left, self.queries = list(range(count)), 0

    def ask(self):
        points, self.left = self.left[:4], self.left[4:]
        return points

    def tell(self, points, measured):
        self.queries += 10


def made(*cycles):
    """Each round took a second to propose."""
    found = followed(Rounds(len(cycles)), lambda points: (None if cycles[p] is None else Measured(cycles[p], ()) for p in points), 600)
    return Course(tuple(replace(step, seconds=-(-step.measured // 4)) for step in found.steps))


def test_a_course():
    run = made(900, None, 800, 850, 700, 750)
    assert [run.best(n) for n in (1, 2, 3, 6)] == [900, 900, 800, 700] and made(None).best(1) is None
    assert [run.reached(c).measured for c in (900, 820, 700)] == [1, 3, 5] and run.reached(699) is None
    rates = Rates(program=0.5, start=2.0, cycles_per_second=100.0)
    assert virtual_seconds(run.end, rates) == 2.0 + 6 * 0.5 + 2 * 2.0 + 4000 / 100
    assert virtual_seconds(run.reached(800), rates) == 1.0 + 3 * 0.5 + 1 * 2.0 + 1700 / 100
    assert Course.from_row(json.loads(json.dumps(run.to_row()))) == run


def test_courses_begin_alike_and_are_kept(task, monkeypatch, tmp_path):
    names = ("gaussian", "anneal", "release", "release without estimates", "release without sampling", "release without order", "random")
    record = Record(tmp_path / "runs.jsonl")
    runs = {name: course(task, name, 1, record, 68) for name in names}
    assert len({run.best(64) for run in runs.values()}) == 1 and all(run.end.measured == 68 for run in runs.values())
    assert runs["gaussian"].end.queries > 0 and runs["random"].end.queries == 0
    assert runs["release"].end.cycles == runs["release without sampling"].end.cycles, "estimates come first"
    assert len({runs[name].end.cycles for name in names if name != "release"}) == len(names) - 1
    monkeypatch.setattr(tuning, "_course", None)  # nothing is run again
    assert course(task, "anneal", 1, Record(record.path), 68) == runs["anneal"]


def test_the_page(task, monkeypatch):
    monkeypatch.setattr(tuned, "BUDGET", 8)
    monkeypatch.setattr(tuned, "_LOOKED_AT", (4, 8))
    monkeypatch.setattr(tuned, "_SLOW", 6)
    easy = Task("resnet8", "edge8")
    monkeypatch.setattr(Task, "space", type("Space", (), {"knobs": [0] * 7, "size": 10**9}))
    slow, quick = made(1000, 990, 980, 970, 960, 950, 900, 800), made(1000, 990, 980, 970, 780, 700, 690, 680)
    courses = {(t, tuner): [slow] * 3 for t in (task, easy) for tuner in COMPETITORS}
    courses[task, "gaussian"] = [quick] * 3
    courses[task, "random"] = [made(*[1000] * 8)] * 3
    rates = dict.fromkeys((task, easy), Rates(0.0, 0.0, 1e9))
    assert tuned.qualifies(courses, task) == (0.68, 9) and tuned.qualifies(courses, easy) == (1.0, 8)
    text = tuned.page(courses, rates, 3, [RealRun("random", 8, 1000, 990, 10.0, 11.0)])
    assert "Over the 1 tasks that do" in text and "| digits on edge8 | 7 | 1e+09 | 680 | 0.680 | never | yes |" in text
    assert "| resnet8 on edge8 | 7 | 1e+09 | 800 | 1.000 | 8 | no |" in text
    row = next(line for line in text.splitlines() if line.startswith("| gaussian |"))
    assert row.startswith("| gaussian | 0.701 (0.701 to 0.701) |") and row.endswith("| 1.000 (1.000 to 1.000) | 1 of 1 | 1.6 | 1.0 | 20 |")
    assert "| random | 8 | 1,000 | 990 | 10.0 | 11.0 | +10 % |" in text
    assert "The data do not bear that out: `release` is as good as `anneal` in 1 of 1 tasks, in 1.0 times fewer" in text


def test_the_claim(task, monkeypatch):
    monkeypatch.setattr(tuned, "BUDGET", 8)
    monkeypatch.setattr(tuned, "FIRST", 1)
    slow, quick = made(1000, 990, 980, 970, 960, 950, 900, 800), made(1000, 780)
    courses = {(task, "anneal"): [slow] * 3, (task, "release"): [quick] * 3}
    rates = {task: Rates(1.0, 0.0, 1e9)}
    standing = tuned.standing(courses, [task], rates, "release")
    assert (standing.sooner, standing.equal) == ([4.0], 1) and standing.quicker == pytest.approx([(2 + 8) / (1 + 2)], rel=1e-4)
    monkeypatch.setattr(tuned, "_CLAIM", 3.0)
    text = tuned.verdict(courses, [task], rates)
    assert "The data bear that out" in text and "3.0 times less it takes in 1." in text
    assert "33 % into proposing" in text and "67 % goes into the 1 random points" in text and "would take 5.0 times less" in text


def test_the_page_of_gains():
    text = gains_page([Gain("digits", "edge8", 1000, 900, 50, 0), Gain("resnet8", "edge8", 1000, 1000, 60, 1)])
    assert "| digits on edge8 | 1,000 | 900 | -10.0 % | 50, 0 |" in text and "| all on edge8 | | | -5.1 % | |" in text
    assert "60, 1 |" in text and "edge16" not in text
