# amaranth: UnusedElaboratable=no
"""The shared read channels in simulation."""

import pytest

from hw import emit
from hw.presets import preset
from hw.read_port import ReadPort
from tb import runner
from tb.bench_params import bench_environment


@pytest.mark.rtl
def test_read_port():
    params = preset("edge8")
    text = emit.verilog(ReadPort(params), "tenon_read_port")
    runner.run_bench({"read_port.v": text}, "tenon_read_port", "tb.read_port_bench", env=bench_environment(params))
