# amaranth: UnusedElaboratable=no
"""Parameters move, everything follows: networks compiled for moved configurations run bit-exactly on their RTL.

Here several move at a time; the benchmarks move each of them alone.
"""

import pytest

from tenon.hw.params import SystolicParams
from tenon.tb.moved_parameters import BASE, MOVES, run_moved

GROUPS = {
    "array": ("rows", "cols", "tables"),
    "lanes and bus": ("lanes", "bus_bits", "queue_depth", "markers"),
    "bus": ("address_bits", "axi_prot", "axi_cache", "axi_qos"),
    "memories": ("activation_bytes", "weight_bytes", "accumulator_bytes", "accumulator_banks", "vector_bytes", "parameter_bytes"),
    "window and bursts": ("window_taps", "burst_beats", "max_outstanding", "product_register", "accumulator_register", "weight_ports",
                          "clock_gating"),
}


def test_every_parameter_is_moved():
    assert set(MOVES) == set(SystolicParams.domains()) == {name for group in GROUPS.values() for name in group}
    assert all(getattr(BASE, name) != value for move in MOVES.values() for name, value in move.items())


@pytest.mark.rtl
@pytest.mark.parametrize("group", GROUPS)
def test_moved_parameters(group):
    found = run_moved(GROUPS[group])
    assert not found["exact_mismatches"] and found["max_difference"] <= 1 and found["exact"] > 1_000, found
    assert found["bytes"] > 1_000 and not found["mismatches"], found
