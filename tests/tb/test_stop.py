"""CONTROL.STOP in RTL: at random cycles of random programs, on a bus that stalls and on one that does not."""

import pytest

from tenon.tb.rtl import Dram
from tenon.tb.stop_runs import SMALL, run_stops

DRAMS = {"smooth": (Dram(latency=8), 60), "rough": (Dram(latency=15, stall=30, jitter=20, seed=3), 90)}


@pytest.mark.rtl
@pytest.mark.parametrize("dram", DRAMS)
def test_a_run_can_be_stopped_at_any_cycle(dram):
    timing, count = DRAMS[dram]
    seen = run_stops(SMALL, count, dram=timing)
    assert seen["stopped"] > 0.7 * count and seen["owed"] > 0.2 * count and seen["asked"], seen
    assert seen["reset"] > 0.2 * count, seen
