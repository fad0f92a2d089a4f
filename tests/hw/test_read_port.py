# amaranth: UnusedElaboratable=no
"""The shared read channels in simulation."""

import pytest

from tenon.hw import emit
from tenon.hw.presets import preset
from tenon.hw.read_port import ReadPort
from tenon.tb import runner
from tenon.tb.bench_params import bench_environment


@pytest.mark.rtl
def test_read_port():
    params = preset("edge8")
    text = emit.verilog(ReadPort(params), "tenon_read_port")
    runner.run_bench({"read_port.v": text}, "tenon_read_port", "tenon.tb.read_port_bench", env=bench_environment(params))
