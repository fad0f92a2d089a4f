"""Parameters move, everything follows: what each parameter of the family is moved to, and networks on that hardware."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset
from tenon.tb.random_layers import KINDS
from tenon.tb.random_runs import against_rtl, all_against_reference, prepare
from tenon.tb.rtl import Dram

__all__ = ["BASE", "MOVES", "moved", "run_moved"]

BASE = preset("tiny")

#: What each parameter is moved to, with what must move along.
MOVES: dict[str, dict[str, int]] = {
    "rows": {"rows": 8}, "cols": {"cols": 8, "lanes": 8}, "lanes": {"lanes": 1}, "bus_bits": {"bus_bits": 128},
    "activation_bytes": {"activation_bytes": 2048}, "weight_bytes": {"weight_bytes": 2048},
    "weight_ports": {"weight_ports": 1},
    "accumulator_bytes": {"accumulator_bytes": 4096}, "accumulator_banks": {"accumulator_banks": 4},
    "vector_bytes": {"vector_bytes": 2048},
    "parameter_bytes": {"parameter_bytes": 1024}, "window_taps": {"window_taps": 0}, "tables": {"tables": 1},
    "address_bits": {"address_bits": 40}, "axi_prot": {"axi_prot": 2}, "axi_cache": {"axi_cache": 15}, "axi_qos": {"axi_qos": 9},
    "queue_depth": {"queue_depth": 4},
    "max_outstanding": {"max_outstanding": 16}, "burst_beats": {"burst_beats": 4}, "markers": {"markers": 16},
    "product_register": {"product_register": 1}, "accumulator_register": {"accumulator_register": 0}, "clock_gating": {"clock_gating": 0},
}

_SEEDS = [KINDS.index(kind) + len(KINDS) for kind in ("conv", "conv_clip", "matmul", "conv_add", "averagepool", "qlinearadd",
                                                      "chain", "concat", "resize", "depthwise", "softmax")]


def moved(names: Sequence[str]) -> SystolicParams:
    """``BASE`` with these parameters moved."""
    values = {name: value for parameter in names for name, value in MOVES[parameter].items()}
    return dataclasses.replace(BASE, name="moved", **values)


def run_moved(names: Sequence[str]) -> Counter:
    """Random networks of several kinds, compiled for the moved parameters, against the reference and in RTL.

    Counts elements as ``against_reference`` and bytes as ``against_rtl`` do.
    """
    params = moved(names)
    batch = [prepare(seed, params) for seed in _SEEDS]
    return all_against_reference(batch) + against_rtl(batch, params, Dram(stall=20, jitter=10, seed=5))
