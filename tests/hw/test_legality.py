# amaranth: UnusedElaboratable=no
"""The legality check in simulation."""

import pytest

from hw import emit
from hw.accelerator import engine_classes
from hw.buffers import memory_bytes
from hw.legality import Legality
from hw.params import SystolicParams
from hw.presets import preset
from tb import runner
from tb.bench_params import bench_environment


@pytest.mark.rtl
@pytest.mark.parametrize("params", [preset("tiny"), SystolicParams(rows=16, cols=8, lanes=2, bus_bits=64)], ids=["4x4", "16x8"])
def test_legality(params):
    legality = Legality([kind.mnemonic(params) for kind in engine_classes(params).values()], memory_bytes(params))
    text = emit.verilog(legality, "tenon_legality")
    runner.run_bench({"legality.v": text}, "tenon_legality", "tb.legality_bench", env=bench_environment(params))
