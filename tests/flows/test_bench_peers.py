"""Estimators beside RTL, without any of them: what they are asked, what their answers become, and what is refused."""

import json
import sys
from collections import Counter

import pytest
from click.testing import CliRunner

from tenon.flows.bench import peers
from tenon.flows.bench.peer_layers import PeerLayer, layers_of
from tenon.flows.bench.peer_points import MeasuredPoint, Run, measured_points, workloads_of
from tenon.flows.bench.peer_tools import PEERS, Answer, Peer, Tool
from tenon.flows.bench.peers import Estimates, estimates_of, page, summary_rows
from tenon.flows.compile import read_source
from tenon.flows.errors import UserError
from tenon.flows.explore.point import workload_of
from tenon.flows.source import open_source
from tenon.hw.presets import preset

MODEL = "zoo:conv_1x1_64_256_28"
CONV = PeerLayer(1, (8, 8), 16, (8, 8), 32, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 1)
DENSE = PeerLayer(1, (1, 1), 512, (1, 1), 10, (1, 1), (1, 1), (1, 1), (0, 0, 0, 0), 1)
NETWORK = {"net": Counter({CONV: 3, DENSE: 1})}
FAKE = """
import json, sys
job = json.load(sys.stdin)
cycles = [layer["macs"] // (job["rows"] * job["cols"]) for layer in job["layers"]]
json.dump({"version": "1.0", "columns": [{"cycles": cycles, "seconds": 2.5}], "problems": []}, sys.stdout)
"""


def points(*cycles, product_cycles=10):
    return [MeasuredPoint(rank, preset("edge8"), {"net": Run(c, product_cycles and c - product_cycles, c + 1)}, 0.25)
            for rank, c in enumerate(cycles, 1)]


def peer(path, text, *columns):
    path.write_text(text)
    return Peer("Fake", "--fake", "pip install fake", path, columns or ("cycles",), "Nothing but {limit:g} s.")


def tool(path, text=FAKE, *columns):
    return Tool(peer(path, text, *columns), sys.executable, "1.0")


def shapes(model):
    return layers_of(read_source(open_source(model))[0])


def explored(folder, **changes):
    """What an exploration leaves of a point that was measured, and of one that was not."""
    params = {n: preset(n).to_dict() for n in ("tiny", "edge8")}
    fields = [{"params": p, "cycles": {MODEL: 1000}, "seconds": 0.5} for p in params.values()]
    about = {"models": [MODEL], "digests": [workload_of(MODEL).digest], "points": fields}
    (folder / "points.json").write_text(json.dumps(about | changes))
    for rank, name in enumerate(params, 1):
        (folder / f"{rank}.toml").write_text(f'preset = "{name}"\nname = "{name}"\n')
    (folder / "2").mkdir()
    layers = [{"cycles": 900, "macs": 1}, {"cycles": 90, "macs": 0}]
    (folder / "2/conv_1x1_64_256_28-report.json").write_text(json.dumps({"cycles": 990, "layers": layers}))
    return folder


def test_shapes_are_those_of_the_model():
    found = shapes("zoo:digits")
    assert sum(layer.macs * count for layer, count in found.items()) == 235_520 and DENSE in found
    (grouped,) = shapes("zoo:conv_3x3_144_144_56_dw")
    assert (grouped.group, grouped.in_channels, grouped.window, grouped.pads) == (144, 144, (3, 3), (1, 1, 1, 1))
    assert grouped.macs == 56 * 56 * 144 * 9
    (strided,) = shapes("zoo:conv_3x3_128_128_28_s2")
    assert (strided.in_size, strided.out_size, strided.strides) == ((28, 28), (14, 14), (2, 2))


def test_shapes_that_repeat_count_as_often():
    one = Answer(({CONV: 100, DENSE: 7},), (1.5,), ())
    without = Answer(({CONV: None, DENSE: 7},), (60.0,), ())
    ours, theirs = estimates_of("net", points(400, 500), NETWORK, {Tool(PEERS[1], sys.executable, "3.9.1"): [one, without]})
    assert ours == Estimates("Tenon's model", (401, 501), (0.25, 0.25))
    assert theirs == Estimates("ZigZag 3.9.1, latency", (307, None), (1.5, 60.0))


def test_ranks_are_of_the_points_that_have_cycles():
    columns = [Estimates("same", (10, 20, 40), (1.0, 1.0, 4.0)), Estimates("other way", (3, 2, 1), (0.0,) * 3),
               Estimates("some", (5, None, 6), (0.0,) * 3), Estimates("one for all", (5, 5, 5), (0.0,) * 3),
               Estimates("none", (None,) * 3, (0.0,) * 3)]
    assert summary_rows(points(100, 200, 800), "net", columns) == [
        "| same | 3 | 1.000 | 1.000 | 0.05 to 0.10 | 2.00 (4.00) |",
        "| other way | 3 | -1.000 | -1.000 | 0.00 to 0.03 | 0.00 (0.00) |",
        "| some | 2 | 1.000 | 1.000 | 0.01 to 0.05 | 0.00 (0.00) |",
        "| one for all | 3 | – | – | 0.01 to 0.05 | 0.00 (0.00) |",
        "| none | 0 | – | – | – | 0.00 (0.00) |",
    ]
    (unknown,) = summary_rows(points(100, 200, 800, product_cycles=None), "net", columns[:1])
    assert unknown == "| same | 3 | 1.000 | – | 0.05 to 0.10 | 2.00 (4.00) |"


def test_the_page_has_a_line_for_each_point():
    text = page(points(400, 1500), NETWORK, {}, 60)
    assert "4 convolutions and dense layers, of 2 shapes" in text
    assert "| 2 | 8 x 8 | 64 / 64 / 32 | 64 | 1,500 | 1,490 | 1,501 |" in text
    assert "SCALE-Sim" not in text.split("# Peers")[1].split("## net")[1]


def test_a_tool_is_asked_once(tmp_path, monkeypatch):
    monkeypatch.setenv("TENON_CACHE", str(tmp_path / "cache"))
    fake = tool(tmp_path / "fake.py")
    found = fake.ask(preset("edge8"), [CONV, DENSE], 60)
    assert found == Answer(({CONV: CONV.macs // 64, DENSE: 80},), (2.5,), ())
    fake.peer.driver.unlink()
    assert fake.ask(preset("edge8"), [CONV, DENSE], 60) == found


def test_from_a_folder_to_a_page(tmp_path, monkeypatch):
    monkeypatch.setenv("TENON_CACHE", str(tmp_path / "cache"))
    (front := tmp_path / "front").mkdir()
    explored(front)
    monkeypatch.setattr(peers, "PEERS", (peer(tmp_path / "fake.py", FAKE), PEERS[1]))
    result = CliRunner().invoke(peers.main, [str(front), "-o", str(tmp_path / "peers.md"), "--scale-sim", sys.executable])
    assert result.exit_code == 0, result.output
    text = (tmp_path / "peers.md").read_text()
    assert f"| 2 | 8 x 8 | 64 / 64 / 32 | 64 | 990 | 900 | 1,000 | {28 * 28 * 64 * 256 // 64:,} |" in text
    assert "**Fake 1.0.** Nothing but 60 s." in text and "ZigZag" not in text


@pytest.mark.parametrize(("option", "package", "install"), [
    ("--scale-sim", "scalesim", "pip install scalesim==3.0.0 numpy==2.3.5"),
    ("--zigzag", "zigzag", "pip install zigzag-dse==3.9.1 six"),
])
def test_an_interpreter_without_the_tool_is_refused(tmp_path, option, package, install):
    result = CliRunner().invoke(peers.main, [str(tmp_path), "-o", str(tmp_path / "peers.md"), option, sys.executable])
    assert result.exit_code == 2
    assert result.output == f"tenon: {option} {sys.executable}: No module named '{package}'; {install}\n"


def test_no_interpreter_is_refused(tmp_path):
    missing = tmp_path / "python"
    result = CliRunner().invoke(peers.main, [str(tmp_path), "-o", str(tmp_path / "peers.md"), "--zigzag", str(missing)])
    assert (result.exit_code, result.output) == (2, f"tenon: {missing}: No such file or directory\n")


def test_a_tool_that_fails_says_its_last_word(tmp_path):
    with pytest.raises(UserError, match=r"^--fake \S+: ends with status 1: ZeroDivisionError: .*zero$"):
        Tool.found(peer(tmp_path / "fake.py", "1 // 0"), sys.executable)
    with pytest.raises(UserError, match=r"^--fake \S+: ends with status 3: no word$"):
        Tool.found(peer(tmp_path / "fake.py", "import sys; sys.exit(3)"), sys.executable)


def test_measured_points_are_those_with_reports(tmp_path):
    workloads = workloads_of(explored(tmp_path))
    assert measured_points(tmp_path, workloads) == [MeasuredPoint(2, preset("edge8"), {MODEL: Run(990, 900, 1000)}, 0.5)]
    (tmp_path / "2/conv_1x1_64_256_28-report.json").write_text(json.dumps({"cycles": 990, "layers": [{"cycles": None, "macs": 1}]}))
    assert measured_points(tmp_path, workloads)[0].runs[MODEL].product_cycles is None


def test_folders_without_measurements_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"^\S+: has no points\.json; name the folder that tenon explore wrote$"):
        workloads_of(tmp_path)
    workloads = workloads_of(explored(tmp_path))
    (tmp_path / "2.toml").write_text('preset = "edge16"\n')
    with pytest.raises(UserError, match=r"^\S+2\.toml: is not a point of \S+points\.json$"):
        measured_points(tmp_path, workloads)
    (tmp_path / "2/conv_1x1_64_256_28-report.json").unlink()
    with pytest.raises(UserError, match=r"^\S+: no point was measured; explore with --measure-front$"):
        measured_points(tmp_path, workloads)


def test_another_model_is_refused(tmp_path):
    explored(tmp_path, digests=["0" * 16])
    with pytest.raises(UserError, match=rf"^{MODEL}: is not the model that \S+ was explored with$"):
        workloads_of(tmp_path)
