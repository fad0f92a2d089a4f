# amaranth: UnusedElaboratable=no
"""Explorations that are interrupted, shared and gone on with: the same points, none computed twice, none lost."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from tenon.flows.energy_table import default_table
from tenon.flows.errors import UserError
from tenon.flows.explore import study as explored_by
from tenon.flows.explore.engines import Here, WorkerDied
from tenon.flows.explore.point import Effort, Point
from tenon.flows.explore.space import Axis, DesignSpace
from tenon.flows.explore.storage import open_record
from tenon.flows.explore.study import BATCH, explore
from tenon.hw.presets import preset

OBJECTIVES = ("cycles", "area")
ABOUT = {"space": "a hash", "models": ["zoo:digits"]}


@pytest.fixture(scope="module")
def space():
    axes = (Axis("rows", (4, 8, 16)), Axis("bus_bits", (32, 64, 128)), Axis("queue_depth", (4, 8, 16, 32)))
    return DesignSpace(preset("edge8"), {}, axes)


@pytest.fixture
def computed(monkeypatch):
    """Points by a formula, instead of by compiling, and how often each was computed."""
    counts = {}
    lock = threading.Lock()

    def evaluate(params, workloads, effort, table):
        with lock:
            counts[params.name] = counts.get(params.name, 0) + 1
        if params.queue_depth == 4:
            return Point(params, {}, {}, "conv1: no room in acc")
        return Point(params, {"n": 100_000 // params.rows + 10_000 // params.bus_bits + params.queue_depth}, {"n": 1.0})

    monkeypatch.setattr(explored_by, "evaluate", evaluate)
    return counts


def run(space, storage, budget=24, *, resume=False, engine=None, sampler="guided", about=ABOUT):
    record = open_record(str(storage), about, space, OBJECTIVES, resume=resume)
    return explore(space, (), OBJECTIVES, sampler=sampler, budget=budget, effort=Effort(), table=default_table(), record=record,
                   engine=engine or Here())


def points(explored):
    return [(f.number, f.choice, f.values) for f in explored.found]


class Interrupted(Exception):
    pass


class Failing(Here):
    """Is interrupted after so many results: what is being computed then is lost."""

    def __init__(self, after):
        self.left = after

    def result(self, job):
        if not self.left:
            raise Interrupted
        self.left -= 1
        return super().result(job)


@pytest.mark.parametrize("sampler", ["guided", "nsga2", "random"])
def test_an_interrupted_exploration_ends_as_if_it_had_not_been(space, computed, tmp_path, sampler, monkeypatch):
    whole = points(run(space, tmp_path / "whole.db", sampler=sampler))
    assert len(whole) == 24 and any(v is None for *_, v in whole) and set(computed.values()) == {1}
    computed.clear()
    me = 1000
    for after in (3, 1, 9):  # each driver is another process, which is gone
        me += 1
        monkeypatch.setattr("tenon.flows.explore.storage.os.getpid", lambda me=me: 4_000_000 + me)
        with pytest.raises(Interrupted):
            run(space, tmp_path / "parts.db", sampler=sampler, resume=me > 1001, engine=Failing(after))
    monkeypatch.setattr("tenon.flows.explore.storage.os.getpid", lambda: 4_100_000)
    assert points(run(space, tmp_path / "parts.db", sampler=sampler, resume=True)) == whole
    assert sum(computed.values()) == 24 + 3  # what was being computed at each interruption, and nothing else, again


def test_a_larger_budget_goes_on(space, computed, tmp_path):
    whole = points(run(space, tmp_path / "whole.db", 30))
    run(space, tmp_path / "parts.db", 11)
    assert points(run(space, tmp_path / "parts.db", 30, resume=True)) == whole
    assert points(run(space, tmp_path / "parts.db", 30, resume=True)) == whole
    assert set(computed.values()) == {2}  # once in each record


def test_a_space_that_ends_before_the_budget(space, computed, tmp_path):
    explored = run(space, tmp_path / "study.db", 1000)
    assert {f.choice for f in explored.found} == set(space.listed) and len(explored.found) == len(space.listed)


def test_two_drivers_share_the_work_and_find_the_same(space, computed, tmp_path, monkeypatch):
    whole = points(run(space, tmp_path / "whole.db"))
    computed.clear()
    monkeypatch.setattr(explored_by, "_POLL_SECONDS", 0.05)

    class Slow(Here):
        def result(self, job):
            time.sleep(0.02)
            return super().result(job)

    open_record(str(tmp_path / "both.db"), ABOUT, space, OBJECTIVES, resume=False)
    records = [open_record(str(tmp_path / "both.db"), ABOUT, space, OBJECTIVES, resume=True) for _ in range(2)]
    found, told = [None, None], [0, 0]

    def drive(k):
        tell = records[k].tell
        records[k]._me = f"elsewhere{k}:1"  # of two machines: neither sees the other's processes
        records[k].tell = lambda *a: (tell(*a), told.__setitem__(k, told[k] + 1))
        found[k] = explore(space, (), OBJECTIVES, budget=24, effort=Effort(), table=default_table(), record=records[k], engine=Slow())

    threads = [threading.Thread(target=drive, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert points(found[0])[:24] == points(found[1])[:24] == whole
    assert set(computed.values()) == {1} and min(told) > 0 and sum(told) == 24


def test_a_driver_elsewhere_that_says_nothing_any_more_is_gone(space, computed, tmp_path, monkeypatch):
    monkeypatch.setattr(explored_by, "_POLL_SECONDS", 0.01)
    record = open_record(str(tmp_path / "study.db"), ABOUT, space, OBJECTIVES, resume=False)
    record._me = "elsewhere:1"
    with pytest.raises(Interrupted):
        explore(space, (), OBJECTIVES, budget=24, effort=Effort(), table=default_table(), record=record, engine=Failing(2))
    began = time.time()
    monkeypatch.setattr("tenon.flows.explore.storage._DEAD_SECONDS", 1.0)
    assert len(run(space, tmp_path / "study.db", resume=True).found) == 24
    assert time.time() - began > 0.5  # it was waited for


def test_a_point_that_kills_its_workers_is_noted_and_the_others_go_on(space, computed, tmp_path):
    class Deadly(Here):
        def result(self, job):
            point = super().result(job)
            if point.params.rows == 16:
                raise WorkerDied("3 workers died of it")
            return point

    explored = run(space, tmp_path / "study.db", 36, engine=Deadly())
    died = [f for f in explored.found if f.point.reason == "3 workers died of it"]
    assert {f.point.params.rows for f in died} == {16} and len(died) == 12 and len(explored.good) == 18


def test_where_nothing_runs_it_says_why(space, tmp_path, monkeypatch):
    monkeypatch.setattr(explored_by, "evaluate", lambda p, *_: Point(p, {}, {}, f"conv1: no room in {'acc' if p.rows > 4 else 'act'}"))
    with pytest.raises(UserError, match=r"none of 36 points can run the networks, 24 of them since conv1: no room in acc; 12 for others"):
        run(space, tmp_path / "study.db", 36)


def test_records_of_something_else_are_refused(space, computed, tmp_path):
    run(space, tmp_path / "study.db", 8)
    with pytest.raises(UserError, match=r"study.db: holds an exploration; go on with it by --resume"):
        run(space, tmp_path / "study.db", 8)
    with pytest.raises(UserError, match=r"study.db: is of another models: \['zoo:digits'\], not \['zoo:dscnn'\]"):
        run(space, tmp_path / "study.db", 8, resume=True, about={**ABOUT, "models": ["zoo:dscnn"]})


def test_storage_that_will_not_do_is_a_line(space, computed, tmp_path, monkeypatch):
    (tmp_path / "text.db").write_text("this is no database, but long enough to be looked at" * 20)
    with pytest.raises(UserError, match="text.db: file is not a database"):
        run(space, tmp_path / "text.db")
    with pytest.raises(UserError, match="mysql|nothing"):
        run(space, "nothing://user:secret@host/db")
    monkeypatch.setattr("tenon.flows.explore.storage._LOCK_SECONDS", 0.2)
    run(space, tmp_path / "study.db", 8)
    lock = sqlite3.connect(tmp_path / "study.db")
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(UserError, match="study.db: database is locked"):
        run(space, tmp_path / "study.db", 16, resume=True)
    lock.rollback()
    assert len(run(space, tmp_path / "study.db", 16, resume=True).found) == 16


class Driver:
    """A process that explores: ``DRIVE`` with options. It says what it computes, and in the end what it found."""

    def __init__(self, folder, storage, *options):
        (script := folder / "drive.py").write_text(DRIVE)
        self.log = folder / "computed.txt"
        self.process = subprocess.Popen([sys.executable, str(script), storage, str(self.log), *options], stdout=subprocess.PIPE, text=True)

    def computed(self):
        """Names of points, and the process that computed each."""
        return [line.split() for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def wait_for(self, points):
        limit = time.monotonic() + 120
        while len(self.computed()) < points:
            assert time.monotonic() < limit and self.process.poll() is None
            time.sleep(0.02)

    def found(self):
        out, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0
        return json.loads(out)


def test_a_driver_that_is_killed_in_the_middle(tmp_path):
    """By SIGKILL, while it computes; another goes on at once."""
    (tmp_path / "alone").mkdir()
    alone = Driver(tmp_path / "alone", str(tmp_path / "alone.db")).found()
    killed = Driver(tmp_path, str(tmp_path / "study.db"), "slow")
    killed.wait_for(BATCH + 3)
    killed.process.kill()
    killed.process.wait()
    before = len(killed.computed())
    second = Driver(tmp_path, str(tmp_path / "study.db"), "resume")
    assert second.found() == alone and len(alone) == 24
    assert len(second.computed()) == 24 + 1 and before < 20  # only what was being computed is computed again


def test_a_worker_of_four_is_killed_and_then_the_driver(tmp_path):
    (tmp_path / "alone").mkdir()
    alone = Driver(tmp_path / "alone", str(tmp_path / "alone.db")).found()
    driver = Driver(tmp_path, str(tmp_path / "study.db"), "slow", "dask")
    driver.wait_for(6)
    os.kill(int(driver.computed()[-1][1]), signal.SIGKILL)  # a worker, in the middle of a point
    driver.wait_for(14)
    driver.process.kill()
    driver.process.wait()
    second = Driver(tmp_path, str(tmp_path / "study.db"), "resume", "dask")
    assert second.found() == alone
    computed = second.computed()
    assert len({worker for _, worker in computed}) > 4  # one was replaced, and the second driver has its own
    assert 24 <= len(computed) <= 24 + 1 + 4 + BATCH  # beside the worker's, what the driver had asked for and not yet recorded


def test_two_drivers_on_one_postgresql_one_of_them_killed(tmp_path):
    pgserver = pytest.importorskip("pgserver")
    (tmp_path / "alone").mkdir()
    alone = Driver(tmp_path / "alone", str(tmp_path / "alone.db")).found()
    server = pgserver.get_server(tmp_path / "database")
    try:
        address = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        first = Driver(tmp_path, address, "slow")
        first.wait_for(2)
        second = Driver(tmp_path, address, "slow", "resume")
        first.wait_for(12)
        first.process.kill()
        first.process.wait()
        assert second.found() == alone
        names = [name for name, _ in second.computed()]
        assert len({process for _, process in second.computed()}) == 2  # both computed some
        assert set(names) == {name for name, *_ in map(tuple, alone)} and len(names) <= 24 + 1
    finally:
        server.cleanup()


DRIVE = """
import contextlib, json, os, sys, time
from tenon.flows.energy_table import default_table
from tenon.flows.explore import study
from tenon.flows.explore.engines import Here, dask_engine
from tenon.flows.explore.point import Effort, Point
from tenon.flows.explore.space import Axis, DesignSpace
from tenon.flows.explore.storage import open_record
from tenon.hw.presets import preset


def evaluate(params, *_):
    with open(sys.argv[2], "a") as log:
        log.write(f"{params.name} {os.getpid()}\\n")
    time.sleep(0.3 if "slow" in sys.argv else 0)
    return Point(params, {"n": 100_000 // params.rows + 10_000 // params.bus_bits + params.queue_depth}, {"n": 1.0})


if __name__ == "__main__":
    study.evaluate = evaluate
    axes = (Axis("rows", (4, 8, 16)), Axis("bus_bits", (32, 64, 128)), Axis("queue_depth", (4, 8, 16, 32)))
    space = DesignSpace(preset("edge8"), {}, axes)
    record = open_record(sys.argv[1], {"space": "a hash"}, space, ("cycles", "area"), resume="resume" in sys.argv)
    with dask_engine(4) if "dask" in sys.argv else contextlib.nullcontext(Here()) as engine:
        found = study.explore(space, (), ("cycles", "area"), budget=24, effort=Effort(), table=default_table(), record=record,
                              engine=engine)
    print(json.dumps([(f.point.params.name, f.number, f.values) for f in found.found]))
"""
