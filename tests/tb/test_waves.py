"""Recorded signals: format, and only the cycles asked for."""

import re

import pytest

from tenon.tb import runner, toolchain
from tenon.tb.waves import Waves

# A stand-in for the system: it counts, as the accelerator's counter CYCLES would.
SYSTEM = """
module tenon_system(output logic clk, input logic rst, output logic [31:0] seen);
  initial clk = 0;
  always #5 clk = !clk;
  always @(posedge clk) seen <= rst ? 0 : seen + 1;
  tenon_waves waves(.run(0), .cycle(seen));
endmodule
"""
BENCH = "tests.tb.waves_bench"


@pytest.fixture(params=["verilator", "icarus"])
def simulator(request):
    if request.param == "icarus":
        request.getfixturevalue("icarus")
    return request.param


def record(folder, simulator, **window):
    waves = Waves(folder / "here" / "w.vcd", **window)
    text = (toolchain.Path(runner.__file__).parent / "waves.sv").read_text()
    built = runner.build({"system.sv": SYSTEM, "waves.sv": text}, "tenon_system", simulator=simulator, timing=True, waves="vcd")
    runner.simulate(built, BENCH, plusargs=waves.plusargs(), folder=folder)
    waves.keep(folder)
    return waves.path.read_text()


def values(vcd):
    """Every value that signal ``seen`` took in the record."""
    code = re.search(r"\$var \w+ 32 (\S+) seen ", vcd)[1]
    return [int(bits, 2) for bits in re.findall(rf"^b([01]+) {re.escape(code)}$", vcd, re.M)]


@pytest.mark.rtl
def test_all(simulator, tmp_path):
    seen = values(record(tmp_path, simulator))
    assert seen[-1] >= 100 and set(range(1, 100)) <= set(seen)


@pytest.mark.rtl
def test_window(simulator, tmp_path):
    seen = values(record(tmp_path, simulator, begin=30, end=40))
    assert set(seen) - {40, 41} == set(range(30, 40)) or set(seen) - {40, 41} == set(range(31, 40))


@pytest.mark.rtl
def test_samples(tmp_path):
    seen = values(record(tmp_path, "verilator", begin=20, end=60, every=10, length=3))
    assert set(range(21, 60)) & set(seen) <= {n for n in range(20, 60) if n % 10 < 4} and {31, 32, 41, 42, 51, 52} <= set(seen)


@pytest.mark.rtl
def test_a_window_after_the_end(tmp_path):
    with pytest.raises(runner.SimulationError, match="^no waves were recorded: the first run ended before cycle 5000$"):
        record(tmp_path, "verilator", begin=5000)


@pytest.mark.rtl
def test_fst_by_icarus_needs_no_library(icarus, tmp_path):
    waves = Waves(tmp_path / "w.fst", 30, 40)
    text = (toolchain.Path(runner.__file__).parent / "waves.sv").read_text()
    built = runner.build({"system.sv": SYSTEM, "waves.sv": text}, "tenon_system", simulator="icarus", timing=True, waves="fst")
    runner.simulate(built, BENCH, plusargs=waves.plusargs(), folder=tmp_path / "run")
    waves.keep(tmp_path / "run")
    assert waves.path.stat().st_size > 100


@pytest.mark.rtl
def test_fst_by_verilator(tmp_path):
    try:
        toolchain.require("zlib", "lz4")
    except toolchain.ToolError as error:
        pytest.skip(str(error))
    waves = Waves(tmp_path / "w.fst", 30, 40)
    text = (toolchain.Path(runner.__file__).parent / "waves.sv").read_text()
    built = runner.build({"system.sv": SYSTEM, "waves.sv": text}, "tenon_system", timing=True, waves="fst")
    runner.simulate(built, BENCH, plusargs=waves.plusargs(), folder=tmp_path / "run")
    waves.keep(tmp_path / "run")
    assert waves.path.stat().st_size > 100
