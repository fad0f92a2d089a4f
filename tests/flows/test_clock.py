# amaranth: UnusedElaboratable=no
"""Time: from cycles by the clock that a file says or an analysis measured, none where neither did, and nothing else changes."""

import json

import pytest
from click.testing import CliRunner

import tenon
from tenon.flows import clock
from tenon.flows.cli import main
from tenon.flows.clock import clock_of, keep_clock
from tenon.flows.hardware import analysis
from tenon.flows.hardware.timing import CriticalPath, Timing
from tenon.hw.config import Configuration, read_config
from tenon.hw.params import ParameterError
from tenon.hw.presets import preset
from tenon.tb.gateware import graph_of, verilog_key

MEASURED = Timing("tiny", "osu018", "the slowest path of each module, with those in it", "none", (
    CriticalPath("tenon_lane", 4, 8.0, 3, "a", "b", (), fo4=80.0), CriticalPath("tenon_control", 1, 2.0, 1, "c", "d", (), fo4=20.0)))


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """Nothing was measured before."""
    monkeypatch.setattr(clock, "cache_folder", lambda: tmp_path / "cache")


def toml(tmp_path, text="clock_mhz = 250"):
    path = tmp_path / "tiny.toml"
    path.write_text(f'preset = "tiny"\n{text}\n')
    return path


def run(tmp_path, *options):
    done = CliRunner().invoke(main, ["run", "zoo:digits", "--json", str(tmp_path / "r.json"), *map(str, options)])
    assert done.exit_code == 0, done.output
    return done.output, json.loads((tmp_path / "r.json").read_text())


def test_the_clock_is_no_parameter(tmp_path):
    read = read_config(toml(tmp_path))
    assert read.clock_mhz == 250 and read.params == preset("tiny") == read_config(toml(tmp_path, "")).params
    assert graph_of(read.params).fingerprint == graph_of(preset("tiny")).fingerprint
    assert verilog_key(read.params) == verilog_key(preset("tiny"))
    assert tenon.load_config(toml(tmp_path), cols=8) == tenon.load_config("tiny", cols=8)


@pytest.mark.parametrize("value", ["0", "-5", "1e9", "nan", "true", '"fast"', "[1]"])
def test_refused(value, tmp_path):
    with pytest.raises(ParameterError, match=r"tiny\.toml: clock_mhz must be a number in 1\.\.10000, not ") as error:
        read_config(toml(tmp_path, f"clock_mhz = {value}"))
    assert "\n" not in str(error.value)


def test_time_by_the_file(tmp_path):
    path = toml(tmp_path, "clock_mhz = 62.5")
    keep_clock(preset("tiny"), MEASURED)  # which the file overrules
    said, report = run(tmp_path, "--config", path, "--simulator", "model")
    assert report["time_us"] == pytest.approx(report["cycles"] / 62.5) and report["clock_mhz"] == 62.5
    assert report["clock_from"] == f"clock_mhz of {path}" and f"{report['time_us']:,.1f} us at 62.5 MHz" in said
    page = tmp_path / "r.html"
    assert CliRunner().invoke(main, ["report", str(tmp_path / "r.json"), "-o", str(page)]).exit_code == 0
    assert f"{report['time_us']:,.1f} us" in page.read_text() and f"at 62.5 MHz: clock_mhz of {path}" in page.read_text()


def test_time_by_what_was_measured(tmp_path):
    """Of this hardware alone: another has no clock before it is measured."""
    keep_clock(preset("tiny"), MEASURED)
    said, report = run(tmp_path, "--config", "tiny", "--simulator", "model")
    assert report["time_us"] == pytest.approx(report["cycles"] / 125) and report["clock_mhz"] == 125
    assert report["clock_from"].startswith("tenon generate --timing osu018: ") and "tenon_lane has the slowest" in said
    assert clock_of(Configuration(preset("edge8"))) is None


@pytest.mark.parametrize("simulator", ["model", "functional"])
def test_no_time_without_a_clock_or_cycles(simulator, tmp_path):
    said, report = run(tmp_path, "--config", "tiny" if simulator == "model" else toml(tmp_path), "--simulator", simulator)
    assert not {"time_us", "clock_mhz", "clock_from"} & set(report) and " MHz" not in said


def test_generate_constrains(tmp_path):
    for options, mhz in (([], 250), (["--clock-mhz", 40], 40)):
        done = CliRunner().invoke(main, ["generate", str(toml(tmp_path)), "-o", str(tmp_path / "rtl"), *map(str, options)])
        assert done.exit_code == 0, done.output
        assert f"at {mhz} MHz" in (tmp_path / "rtl" / "tenon.sdc").read_text()


@pytest.mark.parametrize(("options", "kept"), [(["--timing", "osu018"], True), (["--timing", "osu018", "--module", "lane"], False)])
def test_generate_measures(options, kept, tmp_path, monkeypatch):
    """All modules, or none is the slowest."""
    monkeypatch.setattr(analysis, "check_tools", lambda *_: None)
    monkeypatch.setattr(analysis, "timing_of", lambda *_, **__: MEASURED)
    done = CliRunner().invoke(main, ["generate", "tiny", "-o", str(tmp_path / "rtl"), *options])
    assert done.exit_code == 0, done.output
    found = clock_of(Configuration(preset("tiny")))
    assert found.mhz == 125 if kept else found is None


def test_python(tmp_path):
    program = tenon.compile("zoo:digits", toml(tmp_path))
    ran = tenon.run(program, simulator="model")
    assert ran.report.time_us == pytest.approx(ran.cycles / 250)
    assert tenon.run("zoo:digits", "tiny", simulator="model").report.time_us is None
    files = tenon.generate(toml(tmp_path)).save(tmp_path / "rtl")
    assert any("at 250 MHz" in path.read_text() for path in files if path.suffix == ".sdc")
