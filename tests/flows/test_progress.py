"""What is said while a simulation runs."""

import pytest
from click.testing import CliRunner

from tenon.flows import cli
from tenon.flows.compile import compile_source
from tenon.flows.execution import Simulator, execute
from tenon.flows.progress import Progress, expected_cycles
from tenon.flows.source import open_source
from tenon.hw.presets import preset
from tenon.tb.gateware import graph_of
from tenon.tb.rtl import Dram


def texts(reports, runs=1, expected=None):
    """Lines for (second, run, cycles)."""
    now = [0.0]
    progress = Progress(runs, expected, clock=lambda: now[0])
    for now[0], number, cycles in reports:
        yield progress.text(number, cycles)


def test_one_run():
    assert list(texts([(0, 0, 0), (40, 0, 1000), (41, 0, 1500), (42, 0, 3000), (43, 0, 9000)], expected=8000)) == [
        "simulating run 1 of 1",
        "simulating run 1 of 1, 1,000 cycles",  # the build before it is no measure of speed
        "simulating run 1 of 1, 1,500 cycles, 500 cycles/s, 18 % done, about 13 s left",
        "simulating run 1 of 1, 3,000 cycles, 1,000 cycles/s, 37 % done, about 5 s left",
        "simulating run 1 of 1, 9,000 cycles, 2,700 cycles/s, 99 % done, about 0 s left",
    ]


def test_several_runs():
    """Of which some begin and end unseen."""
    *_, third, last = texts([(0, 0, 100), (1, 0, 200), (2, 2, 100), (3, 3, 100)], runs=4, expected=1000)
    assert third == "simulating run 3 of 4, 100 cycles, 1,000 cycles/s, 52 % done, about 2 s left"
    assert last == "simulating run 4 of 4, 100 cycles, 1,000 cycles/s, 77 % done, about 1 s left"


def test_without_an_expectation():
    *_, line = texts([(0, 0, 100), (2, 0, 300), (4, 1, 100)], runs=2)
    assert line == "simulating run 2 of 2, 100 cycles, 75 cycles/s"


@pytest.mark.parametrize(("whole", "text"), [(80, "about 1 min 10 s"), (7300, "about 2 h 01 min")])
def test_long_runs(whole, text):
    *_, line = texts([(0, 0, 5), (5, 0, 10)], expected=whole)
    assert line.endswith(f"{text} left")


def test_what_is_expected_is_what_the_cycle_model_says():
    program = compile_source(open_source("zoo:gemm_5x12x9"), graph_of(preset("tiny"))).program
    standard = expected_cycles(program, Dram())
    assert execute(program, [], Simulator.MODEL).cycles == (standard,)
    assert expected_cycles(program, Dram(latency=400)) > standard + 300


def test_lines_now_and_then_where_they_stay(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(cli.time, "monotonic", lambda: now[0])
    with cli._status("simulating") as say:
        for now[0] in range(0, 100, 10):
            say(f"after {now[0]} s")
    assert capsys.readouterr().err.splitlines() == ["simulating ...", "after 30 s ...", "after 60 s ...", "after 90 s ..."]


@pytest.mark.rtl
def test_a_run_in_rtl_says_how_far_it_is(monkeypatch):
    monkeypatch.setattr(cli, "_PAUSE_SECONDS", 0)
    result = CliRunner().invoke(cli.main, ["run", "zoo:digits", "--config", "tiny", "--runs", "100"])
    assert result.exit_code == 0, result.output
    assert "cycles/s, " in result.stderr and " % done, about " in result.stderr
