"""Modules of which there are many are compiled once, and compute the same."""

import pytest

from tenon.flows.execution import Simulator
from tenon.flows.run import prepare, run
from tenon.hw.presets import preset
from tenon.tb import rtl, runner
from tenon.tb.gateware import verilog_of
from tenon.tb.rtl import repeated_modules


def test_only_where_there_are_many():
    """Up to 32 x 32 they run faster as they are."""
    text = verilog_of(preset("edge32"))
    assert repeated_modules(text, rtl._SHARED) == []
    assert {"tenon_lane", "tenon_systolic_row", "tenon_window_lane"} <= set(repeated_modules(text, 32))


@pytest.mark.rtl
def test_a_network_on_shared_modules(monkeypatch):
    monkeypatch.setattr(rtl, "_SHARED", 4)
    shared, control_file = [], runner._control_file
    monkeypatch.setattr(runner, "_control_file", lambda *a: shared.extend(a[-1]) or control_file(*a))
    job = prepare("zoo:digits", preset("tiny"), runs=2)
    report, _ = run(job, Simulator.VERILATOR)
    assert {"tenon_lane", "tenon_systolic_row", "tenon_window_lane"} <= set(shared)
    assert report.comparison.passed
