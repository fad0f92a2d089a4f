"""The DRAM model keeps the timing that all cycle figures rest on, and the data, in both simulators."""

import random
from pathlib import Path

import pytest

from tenon.tb import runner

pytestmark = pytest.mark.rtl

HERE = Path(__file__).parent
TB = Path(runner.__file__).parent
BENCH = "tests.tb.dram_bench"


def built(simulator):
    names = (TB / "dram.sv", TB / "axi_rules.sv", HERE / "dram_top.sv")
    return runner.build({path.name: path.read_text() for path in names}, "dram_top", simulator=simulator)


@pytest.fixture(params=["verilator", "icarus"])
def dram(request):
    if request.param == "icarus":
        request.getfixturevalue("icarus")
    return built(request.param)


@pytest.mark.parametrize("test", ["latency", "full_bandwidth", "shared", "late_writer", "beyond", "broken_rules"])
def test_standard_dram(dram, test):
    runner.simulate(dram, BENCH, testcase=test)


def test_latency_is_a_setting(dram):
    runner.simulate(dram, BENCH, testcase="latency", plusargs=["+dram_latency=7"], env={"EXPECT_LATENCY": "7"})


def test_bandwidth_is_a_setting(dram):
    runner.simulate(dram, BENCH, testcase="half_bandwidth", plusargs=["+dram_beats=1", "+dram_cycles=2"])


def test_jitter_is_a_setting(dram):
    runner.simulate(dram, BENCH, testcase="jittered", plusargs=["+dram_jitter=8"])


@pytest.mark.parametrize(("stall", "jitter"), [(0, 0), (30, 0), (60, 25)])
def test_random_traffic(dram, tmp_path, stall, jitter):
    (tmp_path / "image.bin").write_bytes(random.Random(stall).randbytes(8192))
    (tmp_path / "image.txt").write_text("0 8192 image.bin\n")
    (tmp_path / "dump.txt").write_text("4096 4096 dump.bin\n")
    plusargs = ["+dram_image=image.txt", "+dram_dump=dump.txt", f"+dram_stall={stall}", f"+dram_jitter={jitter}",
                "+dram_seed=5"]
    runner.simulate(dram, BENCH, testcase="random_traffic", plusargs=plusargs, env={"SEED": "3"}, folder=tmp_path)
