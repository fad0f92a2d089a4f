"""The command that orders networks: what it prints, writes and refuses."""

import json
from xml.etree import ElementTree

import numpy as np
import onnx
from click.testing import CliRunner

from tenon.flows.cli import main
from tenon.tb.random_model import ModelBuilder


def tenon(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


def test_a_cell_in_every_order(tmp_path):
    result = tenon("schedule", "zoo:swiftnet_cell_c", "--json", tmp_path / "s.json", "--svg", tmp_path / "s.svg")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "s.json").read_text())
    assert set(found) >= {"peak_file_order", "peak_optimal", "peak_rewritten", "proved", "lower_bound", "nodes", "states", "seconds",
                          "arena_bytes"}
    assert (found["nodes"], found["peak_file_order"], found["peak_optimal"], found["peak_rewritten"]) == (21, 35_084, 32_536, 16_856)
    assert found["proved"] and found["lower_bound"] == 32_536 and sorted(found["order"]) == sorted(set(found["order"]))
    assert len(ElementTree.parse(tmp_path / "s.svg").findall("{http://www.w3.org/2000/svg}polyline")) == 3
    assert found["arena_bytes"] == 16_856 == max(piece["offset"] + piece["bytes"] for piece in found["arena"].values())
    assert "its arena: 16,856 bytes" in result.stdout
    assert "optimal after rewriting" in result.stdout and "16,856" in result.stdout


def test_explicit_concatenations(tmp_path):
    assert tenon("schedule", "zoo:swiftnet_cell_a", "--explicit", "--json", tmp_path / "s.json").exit_code == 0
    found = json.loads((tmp_path / "s.json").read_text())
    assert (found["nodes"], found["peak_file_order"], found["peak_optimal"]) == (28, 351_232, 275_968)


def test_a_budget_changes_no_optimum(tmp_path):
    assert tenon("schedule", "zoo:swiftnet_cell_c", "--budget", 30_000, "--json", tmp_path / "s.json").exit_code == 0
    assert json.loads((tmp_path / "s.json").read_text())["peak_rewritten"] == 16_856


def test_a_budget_that_cannot_be_met():
    result = tenon("schedule", "zoo:swiftnet_cell_c", "--budget", 16_855)
    assert result.exit_code == 2
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("tenon: ") and "16856 is the least" in line
    assert tenon("schedule", "zoo:swiftnet_cell_c", "--budget", 16_856).exit_code == 0


def test_a_whole_network_is_told_cell_by_cell(tmp_path):
    done = tenon("schedule", "zoo:swiftnet", "--json", tmp_path / "s.json")
    cells = json.loads((tmp_path / "s.json").read_text())["cells"]
    assert [(c["operators"], c["file_peak"], c["peak"], c["proved"]) for c in cells] == [
        (19, 275_968, 200_704, True), (17, 119_168, 81_536, True), (20, 35_084, 32_536, True)]
    assert all(f"{c['peak']:,}" in done.stdout for c in cells)


def test_dynamic_shapes_are_given_as_elsewhere(tmp_path):
    b = ModelBuilder(np.random.default_rng(1))
    pooled = b.op("MaxPool", [b.input([1, 3, 8, 8])], kernel_shape=[2, 2], strides=[2, 2])
    model = b.model(b.quantise(b.op("AveragePool", [b.quantise(pooled)], kernel_shape=[2, 2])), [1, 3, 3, 3])
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    onnx.save(model, tmp_path / "m.onnx")
    assert "is dynamic" in tenon("schedule", tmp_path / "m.onnx").stderr
    assert tenon("schedule", tmp_path / "m.onnx", "--shape", "N=2", "--json", tmp_path / "s.json").exit_code == 0
    assert json.loads((tmp_path / "s.json").read_text())["peak_optimal"] >= 2 * 3 * 64


def test_a_model_of_nothing_to_order_says_so(tmp_path):
    b = ModelBuilder(np.random.default_rng(1))
    onnx.save(b.model(b.quantise(b.op("Relu", [b.input([1, 3, 8, 8])])), [1, 3, 8, 8]), tmp_path / "m.onnx")
    done = tenon("schedule", tmp_path / "m.onnx")
    assert done.exit_code == 2 and "there is nothing to order" in done.stderr
