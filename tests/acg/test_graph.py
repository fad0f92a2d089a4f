"""The covenant's JSON, fingerprint, drawing and pages."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from tenon.acg.draw import svg
from tenon.acg.encoding import Header
from tenon.acg.errors import CovenantError
from tenon.acg.graph import Graph
from tenon.acg.isa import disassemble, isa_page
from tenon.acg.mnemonic import EncodingError
from tenon.hw.covenant import covenant
from tenon.hw.encoding import ENCODING
from tenon.hw.presets import PRESETS, preset


@pytest.mark.parametrize("name", PRESETS)
def test_json_round_trip(name):
    graph = covenant(preset(name))
    again = Graph.from_json(graph.to_json())
    assert again.to_json() == graph.to_json()
    assert again.fingerprint == graph.fingerprint


def test_fingerprints_tell_hardware_apart_and_ignore_what_is_informative():
    fingerprints = {covenant(p).fingerprint for p in PRESETS.values()}
    assert len(fingerprints) == len(PRESETS)
    graph = covenant(preset("tiny"))
    assert replace(graph, notes={}, name="other").fingerprint == graph.fingerprint
    memory = replace(graph.memories[0], words=graph.memories[0].words + 1)
    assert replace(graph, memories=(memory, *graph.memories[1:])).fingerprint != graph.fingerprint


@pytest.mark.parametrize(("change", "message"), [
    (lambda d: "{", "not a covenant"), (lambda d: "[]", "not a covenant"),
    (lambda d: json.dumps({**d, "covenant": 99}), "format 99"),
    (lambda d: json.dumps({**d, "bus_bytes": 8}), "changed after it was sealed"),
    (lambda d: json.dumps({k: v for k, v in d.items() if k != "fingerprint"}), "is not sealed"),
    (lambda d: json.dumps({k: v for k, v in d.items() if k != "edges"}), "the covenant must have 'edges'"),
])
def test_what_is_no_covenant_is_refused_in_one_line(change, message):
    data = json.loads(covenant(preset("tiny")).to_json())
    with pytest.raises(CovenantError, match=message) as error:
        Graph.from_json(change(data))
    assert "\n" not in str(error.value)


def test_drawing_and_pages_name_everything():
    graph = covenant(preset("edge8"))
    text = "".join(ElementTree.fromstring(svg(graph)).itertext())
    for node in (*graph.memories, *graph.units):
        assert node.name in text
    page = isa_page(graph)
    for mnemonic in graph.mnemonics:
        for f in mnemonic.fields:
            assert f"`{f.name}`" in page


def test_disassembly_reads_back():
    graph = covenant(preset("tiny"))
    image = ENCODING.encode(graph.mnemonic("MATRIX"), {"init": "bias", "n_m0": 5}, Header(waits=5, done=2, mark=3)) + bytes(128)
    assert [line.split(maxsplit=1)[1] for line in disassemble(image, graph)] == [
        "MATRIX [0,2]    init=bias n_m0=5 -> done[1] mark=3", "END"]
    with pytest.raises(EncodingError, match="no instruction has opcode 15"):
        list(disassemble(b"\x0f" + bytes(127), graph))


@pytest.mark.parametrize(("fields", "message"), [
    ({"n_m0": 0}, r"MATRIX.n_m0 must be in 1\.\.65536, not 0"),
    ({"init": "biased"}, "MATRIX.init must be one of zero, keep, bias, not 'biased'"),
    ({"za": 256}, r"MATRIX.za must be in -128\.\.255, not 256"),
    ({"m0": 1}, "MATRIX has no field 'm0'"),
])
def test_encoding_refuses(fields, message):
    with pytest.raises(EncodingError, match=message):
        ENCODING.encode(covenant(preset("tiny")).mnemonic("MATRIX"), fields)
