# amaranth: UnusedElaboratable=no
"""``tenon explore`` as a user meets it: from a file to a front, its configurations, measurements and page; and what it refuses."""

import json
import shutil
import struct
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from tenon.flows import cli
from tenon.flows.cli import main
from tenon.flows.explore.folder import check_output
from tenon.flows.explore.point import Point
from tenon.flows.explore.samplers import SAMPLERS
from tenon.hw.config import load_config

SPACE = """
preset = "tiny"
bus_bits = [32, 64]
activation_bytes = [4096, 8192]
queue_depth = [4, 8]
"""


def tenon(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(SPACE)
    return path


@pytest.fixture(scope="module")
def explored(tmp_path_factory):
    """An exploration with one point of its front measured: the preset itself, whose simulator other tests have too."""
    folder = tmp_path_factory.mktemp("explored")
    (folder / "space.toml").write_text(SPACE + "limit.area = 1e6\n")
    result = tenon("explore", folder / "space.toml", "--model", "zoo:digits", "--objectives", "cycles,area,energy", "--workers", 1,
                   "--measure-front", 1, "-o", folder / "front", "--report", folder / "page.html")
    assert result.exit_code == 0, result.output
    return folder, result.output


@pytest.mark.rtl
def test_a_front_is_written_and_measured(explored):
    folder, output = explored
    points = json.loads((folder / "front/points.json").read_text())
    assert len(points["points"]) == 8 and points["objectives"] == ["cycles", "area", "energy"]
    configurations = sorted((folder / "front").glob("*.toml"))
    assert configurations and "front of 8 points" in output
    params = [load_config(path) for path in configurations]
    assert {p.name for p in params} < {p["params"]["name"] for p in points["points"]}
    report = json.loads((folder / "front/1/digits-report.json").read_text())
    assert report["mismatches"] == 0 and report["outputs_compared"] > 1000 and report["simulator"] == "verilator"
    best = min(p["cycles"]["zoo:digits"] for p in points["points"])
    assert abs(report["cycles"] / best - 1) < 0.02
    area = json.loads((folder / "front/1/area.json").read_text())
    predicted = dict(zip(points["objectives"], min(p["values"] for p in points["points"])))["area"]
    assert 0.8 < predicted / sum(area["total"]["counts"][kind] * weight for kind, weight in
                                 {"LUT4": 1, "CCU2C": 2, "FF": 1, "DPR16X4": 6, "MULT18": 536, "EBR": 402}.items()) < 1.2


@pytest.mark.rtl
def test_a_point_of_the_front_replays(explored):
    folder, _ = explored
    result = tenon("run", "zoo:digits", "--config", folder / "front/1.toml", "--mappings", folder / "front/1/digits-mappings.json",
                   "--simulator", "model", "--json", folder / "run.json")
    assert result.exit_code == 0, result.output
    points = json.loads((folder / "front/points.json").read_text())["points"]
    assert json.loads((folder / "run.json").read_text())["cycles"] == min(p["cycles"]["zoo:digits"] for p in points)


class Texts(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.rtl
def test_the_page_holds_all_and_needs_nothing_else(explored):
    folder, _ = explored
    page = Texts((folder / "page.html").read_text())
    text = " ".join(page.texts)
    assert "zoo:digits on space" in text and "all equal" in text and "model, 45 nm table" in text and "dominated by" in text
    assert f"tenon run zoo:digits --config {folder / 'front'}/1.toml" in text
    assert not [a for tag, a in page.tags if tag in ("script", "link", "img") and ("src" in a or "href" in a)]
    assert sum(tag == "details" for tag, _ in page.tags) == len(list((folder / "front").glob("*.toml")))


@pytest.mark.rtl
def test_the_page_draws_in_a_browser(explored, tmp_path):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium (draws the page) is missing: apt-get install chromium")
    folder, _ = explored
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
               "--disable-background-networking", "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
               "--window-size=1100,2600", "--virtual-time-budget=8000"]
    page = (folder / "page.html").as_uri()
    subprocess.run([*command, f"--screenshot={tmp_path / 'page.png'}", page], check=True, capture_output=True, timeout=120)
    assert struct.unpack(">II", (tmp_path / "page.png").read_bytes()[16:24]) == (1100, 2600)
    drawn = subprocess.run([*command, "--dump-dom", page], check=True, capture_output=True, timeout=120, text=True).stdout
    assert drawn.count('class="main-svg"') >= 3 and drawn.count('class="point"') >= 8  # plotly's charts, and their markers


def test_workers_of_dask_compute_the_same(space, tmp_path):
    command = [sys.executable, "-m", "tenon.flows.cli", "explore", str(space), "--model", "zoo:digits", "--measure-front", "0"]
    for workers in ("1", "2"):
        done = subprocess.run([*command, "--workers", workers, "-o", str(tmp_path / workers)], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    one, two = (json.loads((tmp_path / w / "points.json").read_text())["points"] for w in ("1", "2"))
    assert one == two and len(one) == 8


@pytest.mark.parametrize("options, says", [
    (("--objectives", "cycles,power"), "objective 'power' is none of cycles, area, energy, time"),
    (("--objectives", "cycles,cycles"), "an objective is given twice"),
    (("--objectives", "time"), "time needs a clock: give the space clock_mhz"),
    (("--model", "zoo:digit"), "digit"),
    (("--cdn",), "--cdn is about the page"),
    (("--energy-table", "none.toml"), "none.toml"),
    (("--dask", "tcp://127.0.0.1:9"), "tcp://127.0.0.1:9: no Dask scheduler answers there"),
])
def test_what_is_refused_is_refused_in_a_line(space, tmp_path, options, says, monkeypatch):
    monkeypatch.setattr("tenon.flows.explore.engines._CONNECT_SECONDS", 1)
    given = ("--model", "zoo:digits") if "--model" not in options else ()
    result = tenon("explore", space, *given, "--measure-front", 0, "--workers", 1, "-o", tmp_path / "front", *options)
    assert result.exit_code == 2 and says in result.output, result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "front/points.json").exists()


def test_samplers_on_the_command_line_are_those_there_are():
    assert cli._SAMPLERS == SAMPLERS


def test_a_folder_of_something_else_is_left_alone(space, tmp_path):
    (tmp_path / "front").mkdir()
    (tmp_path / "front/thesis.tex").write_text("mine")
    (tmp_path / "front/other.html").write_text("a page of an earlier run, under any name")
    result = tenon("explore", space, "--model", "zoo:digits", "--measure-front", 0, "-o", tmp_path / "front")
    assert result.exit_code == 2 and "holds 'thesis.tex', which tenon did not write there" in result.output
    assert sorted(p.name for p in (tmp_path / "front").iterdir()) == ["other.html", "thesis.tex"]
    (tmp_path / "front/thesis.tex").unlink()
    check_output(tmp_path / "front")


def test_networks_that_fit_nowhere(space, tmp_path, monkeypatch):
    monkeypatch.setattr("tenon.flows.explore.study.evaluate", lambda p, *_: Point(p, {}, {}, "zoo:digits: layer conv1: ACC holds no tile"))
    result = tenon("explore", space, "--model", "zoo:digits", "--measure-front", 0, "--workers", 1, "-o", tmp_path / "front")
    assert result.exit_code == 2, result.output
    assert "none of 8 points can run the networks, 8 of them since zoo:digits: layer conv1: ACC holds no tile" in result.output
