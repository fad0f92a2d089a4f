# amaranth: UnusedElaboratable=no
"""The bus guard in simulation, for narrow and wide buses and addresses."""

import pytest

from tenon.hw import emit
from tenon.hw.bus_guard import BusGuard
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset
from tenon.tb import runner
from tenon.tb.bench_params import bench_environment


@pytest.mark.rtl
@pytest.mark.parametrize("params", [preset("tiny"), SystolicParams(bus_bits=128, address_bits=40, burst_beats=16, max_outstanding=16)],
                         ids=lambda p: f"bus{p.bus_bits}-addresses{p.address_bits}")
def test_bus_guard(params):
    text = emit.verilog(BusGuard(params), "tenon_bus_guard")
    runner.run_bench({"bus_guard.v": text}, "tenon_bus_guard", "tenon.tb.bus_guard_bench", env=bench_environment(params))
