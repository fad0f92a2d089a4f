# amaranth: UnusedElaboratable=no
"""Parameters move, everything follows: networks compiled for the moved configuration run bit-exactly on its RTL."""

import dataclasses

import pytest

from hw.params import SystolicParams
from hw.presets import preset
from tb.random_layers import KINDS
from tb.random_runs import against_reference, against_rtl, prepare
from tb.rtl import Dram

BASE = preset("tiny")

#: What each parameter is moved to, with what must move along.
MOVES = {
    "rows": {"rows": 8}, "cols": {"cols": 8, "lanes": 8}, "lanes": {"lanes": 1}, "bus_bits": {"bus_bits": 128},
    "activation_bytes": {"activation_bytes": 2048}, "weight_bytes": {"weight_bytes": 2048},
    "accumulator_bytes": {"accumulator_bytes": 4096}, "vector_bytes": {"vector_bytes": 2048},
    "parameter_bytes": {"parameter_bytes": 1024}, "window_taps": {"window_taps": 0}, "tables": {"tables": 1},
    "queue_depth": {"queue_depth": 4},
    "max_outstanding": {"max_outstanding": 16}, "burst_beats": {"burst_beats": 4}, "markers": {"markers": 16},
    "clock_gating": {"clock_gating": 0},
}

_SEEDS = [KINDS.index(kind) + len(KINDS) for kind in ("conv", "conv_clip", "matmul", "conv_add", "averagepool", "qlinearadd",
                                                      "chain", "concat", "resize")]


def test_every_parameter_is_moved():
    assert set(MOVES) == set(SystolicParams.domains())
    assert all(getattr(BASE, name) != value for move in MOVES.values() for name, value in move.items())


@pytest.mark.rtl
@pytest.mark.parametrize("parameter", MOVES)
def test_a_moved_parameter(parameter):
    params = dataclasses.replace(BASE, name="moved", **MOVES[parameter])
    batch = [prepare(seed, params) for seed in _SEEDS]
    for prepared in batch:
        found = against_reference(prepared)
        assert not found["exact_mismatches"] and found["max_difference"] <= 1, f"{prepared.case.name}: {found}"
    found = against_rtl(batch, params, Dram(stall=20, jitter=10, seed=5))
    assert found["bytes"] > 1_000 and not found["mismatches"], found
