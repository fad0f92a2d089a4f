"""The runner builds once per content, tells failures apart, and says what is missing."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tenon.tb import prerequisites, runner, toolchain

BENCH = "tests.tb.counter_bench"
COUNTER = """
module counter(clk, rst, q);
  input clk; wire clk; input rst; wire rst; output [7:0] q;
  reg [7:0] q = 8'h00;
  always @(posedge clk) if (rst) q <= 0; else q <= q + 1;
endmodule
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TENON_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.rtl
def test_builds_once_and_only_what_it_must(cache):
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(lambda _: runner.build({"counter": COUNTER}, "counter"), range(2))
    assert first == second
    made = (first.folder / "counter").stat().st_mtime_ns
    assert runner.build({"counter": COUNTER}, "counter") == first
    assert (first.folder / "counter").stat().st_mtime_ns == made
    other = runner.build({"counter": COUNTER.replace("8'h00", "8'h01")}, "counter")
    assert other.folder != first.folder
    assert "-c -o verilated.o" in (first.folder / "build.log").read_text()
    assert "-c -o verilated.o" not in (other.folder / "build.log").read_text(), "the runtime's objects are shared"
    assert not [path for path in first.folder.iterdir() if path.suffix in (".o", ".gch", ".cpp")]
    assert "--public-flat-rw" not in (first.folder / "build.log").read_text()


@pytest.mark.rtl
def test_outcomes(tmp_path):
    built = runner.build({"counter": COUNTER}, "counter")
    runner.simulate(built, BENCH, testcase="counts")
    with pytest.raises(runner.SimulationError, match="^fails: the counter is elsewhere"):
        runner.simulate(built, BENCH, testcase="fails")
    with pytest.raises(runner.SimulationError, match=r"ended early \(it took more than 1 s\)"):
        runner.simulate(built, BENCH, testcase="forever", timeout_seconds=1)
    with pytest.raises(runner.SimulationError, match="ended early(.|\n)*No module named 'nowhere'"):
        runner.simulate(built, "nowhere")
    with pytest.raises(runner.SimulationError, match="ended early"):
        runner.simulate(built, BENCH, testcase="no_such_test")


@pytest.mark.rtl
def test_icarus(icarus):
    runner.run_bench({"counter": COUNTER}, "counter", BENCH, testcase="counts", simulator="icarus")


@pytest.mark.rtl
def test_a_refused_text_leaves_nothing_behind(cache):
    with pytest.raises(runner.BuildError, match="could not build counter:(.|\n)*syntax error"):
        runner.build({"counter": COUNTER.replace("endmodule", "")}, "counter")
    assert [path.suffix for path in (cache / "builds").iterdir()] == [".lock"]


@pytest.mark.rtl
def test_hand_written_text_is_held_to_warnings():
    text = "module m(input logic [7:0] a, output logic [3:0] b);\n  assign b = a;\nendmodule\n"
    runner.build({"m.v": text}, "m")
    with pytest.raises(runner.BuildError, match="WIDTHTRUNC"):
        runner.build({"m.sv": text}, "m")


def test_ports_of():
    assert runner.ports_of("module \\a.b (x, \\y.z );\nendmodule\nmodule top(clk, q);\n", "top") == ["clk", "q"]
    ansi = "module top #(parameter int W = $clog2(4)) (input logic [W-1:0] a, b, // c\n output logic [3:0] d);"
    assert runner.ports_of(ansi, "top") == ["a", "b", "d"]
    with pytest.raises(runner.BuildError, match="^module nowhere is not in the Verilog given$"):
        runner.ports_of(ansi, "nowhere")


def test_an_unknown_simulator_is_refused():
    with pytest.raises(ValueError, match="^simulator must be 'verilator' or 'icarus', not 'spice'$"):
        runner.build({}, "top", simulator="spice")


def test_missing_tools_are_named_with_their_package(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(toolchain.ToolError) as caught:
        toolchain.require("g++", "perl")
    assert str(caught.value) == ("g++ (compiles what Verilator writes) is missing: apt-get install g++; "
                                 "perl (Verilator's launcher is a Perl script) is missing: apt-get install perl")


def test_survey_knows_versions():
    tools = {tool.name: tool for tool in toolchain.survey()}
    assert tools["verilator"].version.startswith("5.") and tools["make"].version.startswith("GNU Make")
    assert tools["iverilog"].optional


def test_prerequisites_need_nothing_installed(monkeypatch, capsys):
    script = Path(prerequisites.__file__)
    subprocess.run([sys.executable, "-I", "-S", str(script)], check=True)
    monkeypatch.setattr(prerequisites.shutil, "which", lambda name: None if name == "g++" else name)
    monkeypatch.setattr(prerequisites, "has_libpython", lambda: False)
    assert prerequisites.main() == 2
    assert capsys.readouterr().err == (
        "prerequisite: g++ (compiles what Verilator writes) is missing: apt-get install g++\n"
        "prerequisite: python3 has no shared library (cocotb loads it): apt-get install libpython3-dev, "
        "or build Python with --enable-shared\n")
