# amaranth: UnusedElaboratable=no
"""STORE in simulation, for bus widths of 4 to 32 bytes and arrays that differ in shape."""

import pytest

from tenon.hw import emit
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset
from tenon.hw.store import StoreEngine
from tenon.tb import runner
from tenon.tb.bench_params import bench_environment

CONFIGS = [
    preset("tiny"),
    SystolicParams(rows=4, cols=16, bus_bits=64, burst_beats=16),
    SystolicParams(rows=16, cols=8, lanes=8, bus_bits=128),
    SystolicParams(rows=32, cols=32, lanes=32, bus_bits=256, burst_beats=256, max_outstanding=64),
]


@pytest.mark.rtl
@pytest.mark.parametrize("params", CONFIGS, ids=lambda p: f"{p.rows}x{p.cols}-bus{p.bus_bits}")
def test_store(params):
    text = emit.verilog(StoreEngine(params), "tenon_store")
    runner.run_bench({"store.v": text}, "tenon_store", "tenon.tb.store_bench", env=bench_environment(params))
