# amaranth: UnusedElaboratable=no
"""The page of a run: what is on it, that names stay text, that it needs nothing else, and how it looks in a browser."""

import itertools
import json
import random
import re
import shutil
import struct
import subprocess
import zlib
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from tenon.flows.cli import main
from tenon.flows.html import read_record, run_page
from tenon.flows.html.limit import Kind, limit_of
from tenon.flows.html.markup import element
from tenon.flows.html.picture import lanes_of

NASTY = "</title></svg><script>alert('1')</script><img src=x onerror=\"alert(2)\">&amp;\x00\ud800"
LAYERS = ["conv1", "conv2+residual", "pool", "conv3", "dense"]


def tenon(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.fixture(scope="module", params=["model", "functional"])
def run_json(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / f"{request.param}.json"
    result = tenon("run", "zoo:digits", "--config", "edge8", "--simulator", request.param, "--json", path)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="module")
def modelled(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "run.json"
    assert tenon("run", "zoo:digits", "--config", "edge8", "--simulator", "model", "--json", path).exit_code == 0
    return json.loads(path.read_text())


def written(tmp_path, data):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(data))
    return path


class Page(HTMLParser):
    """Elements of a page, and whether each is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def count(self, tag, class_=None):
        return sum(t == tag and (class_ is None or class_ in (a.get("class") or "").split()) for t, a in self.elements)


def page_of(tmp_path, data):
    return Page(run_page(read_record(written(tmp_path, data))))


def test_the_command_writes_one_file_that_needs_nothing_else(run_json, tmp_path):
    result = tenon("report", run_json, "-o", tmp_path / "r.html")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{tmp_path / 'r.html'}  ")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<script|<link|<img|\ssrc=", text.replace("http://www.w3.org/2000/svg", ""))
    page = Page(text)
    data = json.loads(run_json.read_text())
    said = " ".join(page.texts)
    for word in ("zoo:digits", "on edge8", *LAYERS, "Roofline", "235,520 MACs", "dequantises an output"):
        assert word in said, word
    if data["cycles"] is None:
        assert "Not drawn" in said and "Not known for this run" in said and "equal" in said
    else:
        assert f"{data['cycles']:,}" in said and f"{data['dram_read_bytes']:,} read" in said
        assert page.count("circle", "point") == sum(layer["macs"] > 0 for layer in data["layers"])
    assert page.count("g") - page.count("g", "line") == len(LAYERS)


def test_the_json_says_what_the_page_needs(modelled):
    assert modelled["bus_bytes_per_cycle"] == 8
    assert {p["node"]: p["where"] for p in modelled["placements"]}["conv1"] == "MATRIX"
    for layer in modelled["layers"]:
        assert layer["dram_bytes"] is None and layer["traffic_bytes"] > 0
        assert set(layer["engines"]) == {"LOAD", "MATRIX", "VECTOR", "STORE", "WINDOW"}
        for use in layer["engines"].values():
            assert use["busy"] + use["token"] + use["empty"] <= layer["cycles"]
            assert sum(use["token_from"].values()) <= use["token"]
        assert layer["engines"]["WINDOW"]["busy"] == 0 and layer["engines"]["WINDOW"]["empty"] == layer["cycles"]
    assert list(modelled["layers"][0]["engines"]["MATRIX"]["token_from"]) == ["LOAD"], "the first weights"
    assert [layer["reads"] for layer in modelled["layers"]] == [[], [0], [1], [2], [3]], "conv2 adds what it reads"


def test_the_network_is_drawn(modelled, tmp_path):
    modelled = json.loads(json.dumps(modelled))
    modelled["layers"][3]["reads"] = [0, 2]
    modelled["layers"][4]["reads"] = [1, 3, 4, 77]  # neither itself nor what does not exist
    assert page_of(tmp_path, modelled).count("path", "wire") == 6
    for layer in modelled["layers"]:
        del layer["reads"]
    assert page_of(tmp_path, modelled).count("path", "wire") == 0


def test_wires_side_by_side_do_not_touch():
    rng = random.Random(1)
    for _ in range(50):
        edges = {tuple(sorted(rng.sample(range(30), 2))) for _ in range(20)}
        lanes = lanes_of(list(edges))
        assert lanes.keys() == edges
        for a, b in itertools.combinations(edges, 2):
            assert lanes[a] != lanes[b] or a[1] <= b[0] or b[1] <= a[0]


@pytest.mark.rtl
def test_rtl_counts_every_layer(tmp_path):
    path = tmp_path / "r.json"
    assert tenon("run", "zoo:digits", "--config", "edge8", "--runs", 1, "--json", path).exit_code == 0
    data = json.loads(path.read_text())
    assert sum(layer["dram_bytes"] for layer in data["layers"]) == data["dram_read_bytes"] + data["dram_write_bytes"]
    for layer in data["layers"]:
        mine = layer["engines"][layer["engine"]]
        assert {cause: mine[cause] for cause in layer["stalls"]} == layer["stalls"] and mine["token_from"] is None
        assert layer["dram_bytes"] <= layer["cycles"] * data["bus_bytes_per_cycle"]
    said = " ".join(page_of(tmp_path, data).texts)
    assert "known of a run with --trace" in said and "equal" in said


def test_names_stay_text(modelled, tmp_path):
    data = json.loads(json.dumps(modelled))
    plain = page_of(tmp_path, data)
    data |= {"model": NASTY, "config": NASTY, "simulator": NASTY, "tenon": NASTY}
    for layer in data["layers"]:
        layer |= {"name": NASTY, "op": NASTY, "engine": NASTY, "engines": {f"{NASTY}{e}": u for e, u in layer["engines"].items()}}
    for layer in data["layers"]:
        for use in layer["engines"].values():
            use["token_from"] = {NASTY: 5}
    for place in data["placements"]:
        place |= dict.fromkeys(place, NASTY)
    text = run_page(read_record(written(tmp_path, data)))
    assert text.encode("utf-8") and "\0" not in text
    page = Page(text)
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in plain.elements} - {"b"}  # no engine is called as the layer's own
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_elements_escape_what_is_put_in():
    inner = element("i", "<&>", class_="a\"'<", aria_label=None, x=1.50)
    assert inner == '<i class="a&quot;&#x27;&lt;" x="1.5">&lt;&amp;&gt;</i>'
    assert element("b", inner, "\0") == f"<b>{inner}\ufffd</b>"


def test_three_hundred_layers(modelled, tmp_path):
    data = modelled | {"layers": [layer | {"name": f"layer{i}", "cycles": layer["cycles"] + i}
                                  for i, layer in enumerate(modelled["layers"] * 60)]}
    page = page_of(tmp_path, data)
    assert page.count("g") - page.count("g", "line") == 60
    costs = sorted(layer["cycles"] for layer in data["layers"])
    assert f"240 cheaper layers: {sum(costs[:240]):,} cycles together" in " ".join(page.texts)
    bars = [float(a["width"]) for t, a in page.elements if t == "rect" and (a.get("class") or "").startswith("fill-") and "rx" in a]
    assert len(bars) == 60 and max(bars) == 520


@pytest.mark.parametrize("layers", [[], [0]], ids=["none", "zeros"])
def test_nothing_to_draw(layers, modelled, tmp_path):
    zero = {"cycles": 0, "macs": 0, "bound_cycles": 0, "traffic_bytes": 0}
    page = page_of(tmp_path, modelled | {"layers": [modelled["layers"][0] | zero for _ in layers], "peak_macs_per_cycle": 0})
    assert "Not drawn" in " ".join(page.texts)


def test_a_report_of_an_older_version_has_a_page(modelled, tmp_path):
    data = {k: v for k, v in modelled.items() if k not in ("bus_bytes_per_cycle", "placements")}
    data["layers"] = [{k: v for k, v in layer.items() if k not in ("engines", "dram_bytes", "traffic_bytes")} for layer in data["layers"]]
    said = " ".join(page_of(tmp_path, data).texts)
    assert "does not say how wide the bus is" in said and "The report does not say." in said and "Not known for this run" in said


@pytest.mark.parametrize(("classes", "undefined", "verdict", "mood"), [
    (((5, 0, 0), (0, 0, 0), (0, 0, 0)), 0, "equal", "good"),
    (((5, 0, 0), (4, 1, 1), (3, 2, 9)), 0, "within one step", "good"),
    (((5, 1, 1), (0, 0, 0), (0, 0, 0)), 0, "NOT EQUAL", "bad"),
    (((5, 0, 0), (4, 1, 2), (0, 0, 0)), 0, "NOT EQUAL", "bad"),
    (((5, 0, 0), (4, 1, 1), (3, 2, 9)), 2, "NOT EQUAL", "bad"),
])
def test_the_verdict(classes, undefined, verdict, mood, modelled, tmp_path):
    tallies = {kind: dict(zip(("elements", "mismatches", "max_abs_diff"), tally))
               for kind, tally in zip(("exact", "step", "after"), classes)}
    page = page_of(tmp_path, modelled | {"reference": "R", "classes": tallies, "undefined": undefined})
    assert verdict in page.texts and page.count("strong", mood) == 1


@pytest.mark.parametrize(("changes", "kind", "name"), [
    ({"cycles": 100, "macs": 6400, "bound_cycles": 100}, Kind.ARRAY, "array"),
    ({"cycles": None, "macs": 64, "bound_cycles": 50}, Kind.BUS, "bus"),
    ({"cycles": 100, "macs": 64, "bound_cycles": 50}, Kind.BUS, "bus"),
    ({"cycles": 100, "macs": 64, "bound_cycles": 1, "dram_bytes": 400}, Kind.BUS, "bus"),
    ({"cycles": 400, "macs": 64, "bound_cycles": 1}, Kind.ENGINE, "LOAD"),
    ({"cycles": 9000, "macs": 64, "bound_cycles": 1}, Kind.WAITING, "waiting"),
    ({"cycles": 400, "macs": 64, "bound_cycles": 1, "engines": None}, Kind.WAITING, "waiting"),
])
def test_what_limits_a_layer(changes, kind, name, modelled, tmp_path):
    run = read_record(written(tmp_path, modelled | {"layers": [modelled["layers"][0] | changes]}))
    limit = limit_of(run.layers[0], run)
    assert (limit.kind, limit.name) == (kind, name)


# Bad input.

def refused(path, tmp_path):
    """One line, exit status 2, no traceback, nothing written."""
    result = tenon("report", path, "-o", tmp_path / "out" / "r.html")
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == "" and not (tmp_path / "out").exists()
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"tenon: {path}: ")
    return line.removeprefix(f"tenon: {path}: ")


def test_no_file(tmp_path):
    assert refused(tmp_path / "none.json", tmp_path) == "No such file or directory"
    assert refused(tmp_path, tmp_path) == "Is a directory"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"<html>\n</html>", b"9" * 5000],
                         ids=["empty", "cut", "bytes", "deep", "html", "digits"])
def test_not_json(content, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert refused(path, tmp_path).startswith("is not JSON: ")


@pytest.mark.parametrize("data", [None, 3, [], {}, {"traceEvents": []}, {"tenon": "1", "layers": []}])
def test_json_of_something_else(data, tmp_path):
    assert refused(written(tmp_path, data), tmp_path) == "is not the report of a run: give what tenon run --json wrote"


@pytest.mark.parametrize(("path", "value", "message"), [
    (["model"], 3, "model must be text, not 3"),
    (["cycles"], -1, "cycles must be a whole number of at least 0, not -1"),
    (["cycles"], True, "cycles must be a whole number of at least 0, not True"),
    (["macs"], None, "macs must be a whole number of at least 0, not null"),
    (["macs"], 1 << 70, f"macs must be a whole number of at least 0, not {1 << 70}"),
    (["utilization"], float("nan"), "utilization must be a number of at least 0, not nan"),
    (["utilization"], "x" * 99, f"utilization must be a number of at least 0, not '{'x' * 38}..."),
    (["layers"], {}, "layers must be a list, not an object"),
    (["layers", 2], "pool", "layers[2] must be an object"),
    (["layers", 2, "name"], ["\n"], "layers[2].name must be text, not a list"),
    (["layers", 2, "engines"], [1], "layers[2].engines must be an object"),
    (["layers", 2, "engines", "a\nb"], {}, "layers[2].engines.a\\nb.busy is missing"),
    (["layers", 0, "engines", "LOAD", "token_from", "STORE"], "1",
     "layers[0].engines.LOAD.token_from.STORE must be a whole number of at least 0, not '1'"),
    (["layers", 1, "reads"], [0, -1], "layers[1].reads must be a list of whole numbers of at least 0, not a list"),
    (["classes"], {"exact": {}}, "classes.exact.elements is missing"),
    (["accuracy"], 1, "accuracy must be an object"),
    (["placements", 0, "why"], None, "placements[0].why must be text, not null"),
])
def test_a_value_of_another_kind(path, value, message, modelled, tmp_path):
    data = json.loads(json.dumps(modelled))
    inner = data
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    assert refused(written(tmp_path, data), tmp_path) == message


def test_the_report_does_not_take_its_sources_place(modelled, tmp_path):
    path = written(tmp_path, modelled)
    before = path.read_text()
    result = tenon("report", path, "-o", path)
    assert result.exit_code == 2 and "is the file to read" in result.stderr
    assert path.read_text() == before
    assert tenon("report", path, "-o", tmp_path).exit_code == 2


# In a browser.

def screenshot(chromium, page, folder, scheme):
    """Width, height and rows of RGB(A) pixels that headless Chromium draws; ``scheme``: 0 is dark, 1 is light."""
    image = folder / f"{scheme}.png"
    profile = folder / f"profile{scheme}"
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
               "--disable-background-networking", "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}",
               f"--blink-settings=preferredColorScheme={scheme}", "--window-size=1100,1500", f"--screenshot={image}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert image.exists(), done.stderr
    return pixels(image.read_bytes())


def pixels(png):
    """The rows of a PNG of 8-bit RGB or RGBA without interlacing, and its bytes per pixel."""
    at, data = 8, b""
    while at < len(png):
        (length,), kind = struct.unpack(">I", png[at:at + 4]), png[at + 4:at + 8]
        body = png[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            assert depth == 8 and colour in (2, 6) and not interlaced
        elif kind == b"IDAT":
            data += body
        at += 12 + length
    size = 3 if colour == 2 else 4
    raw, rows, before = zlib.decompress(data), [], bytes(width * size)
    for y in range(height):
        start = y * (width * size + 1)
        line, row = raw[start + 1:start + 1 + width * size], bytearray(width * size)
        for i, value in enumerate(line):
            left, up, corner = (row[i - size] if i >= size else 0), before[i], (before[i - size] if i >= size else 0)
            guess = left + up - corner
            nearest = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            row[i] = (value + (0, left, up, (left + up) // 2, nearest)[raw[start]]) & 255
        rows.append(bytes(row))
        before = row
    return rows, size


def test_a_browser_draws_it_light_and_dark(modelled, tmp_path):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium (draws the page) is missing: apt-get install chromium")
    page = tmp_path / "r.html"
    page.write_text(run_page(read_record(written(tmp_path, modelled))), encoding="utf-8")
    for scheme, paper, bar in ((1, 0xf9f9f7, 0x2a78d6), (0, 0x111110, 0x4f97ea)):
        rows, size = screenshot(chromium, page, tmp_path, scheme)
        assert rows[2][:3] == paper.to_bytes(3), (scheme, rows[2][:3])
        colour = bar.to_bytes(3)
        longest = max((row.count(colour) if size == 3 else row.count(colour + b"\xff") for row in rows), default=0)
        assert longest >= 500, (scheme, longest)  # conv2's bar: 520 pixels of the array's colour
