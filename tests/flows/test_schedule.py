"""The command that orders networks: what it prints, writes and refuses."""

import json
from xml.etree import ElementTree

from click.testing import CliRunner

from tenon.flows.cli import main


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
