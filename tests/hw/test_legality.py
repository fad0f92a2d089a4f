# amaranth: UnusedElaboratable=no
"""The legality check in simulation."""

import pytest

from tenon.hw import emit
from tenon.hw.accelerator import engine_classes
from tenon.hw.buffers import memory_bytes
from tenon.hw.legality import Legality
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset
from tenon.tb import runner
from tenon.tb.bench_params import bench_environment


@pytest.mark.rtl
@pytest.mark.parametrize("params", [preset("tiny"), SystolicParams(rows=16, cols=8, lanes=2, bus_bits=64)], ids=["4x4", "16x8"])
def test_legality(params):
    legality = Legality([kind.mnemonic(params) for kind in engine_classes(params).values()], memory_bytes(params))
    text = emit.verilog(legality, "tenon_legality")
    runner.run_bench({"legality.v": text}, "tenon_legality", "tenon.tb.legality_bench", env=bench_environment(params))
