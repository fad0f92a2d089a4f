"""Area: nothing that should not be there, every memory in RAM, and counts that follow from the parameters."""

import json

import pytest
from click.testing import CliRunner

from tenon.flows.cli import main
from tenon.flows.errors import UserError
from tenon.flows.hardware import analysis
from tenon.flows.hardware.area import area_of
from tenon.flows.hardware.counted import counted
from tenon.flows.hardware.design import take_apart
from tenon.hw.presets import preset

TINY = preset("tiny")


@pytest.fixture(scope="module")
def tiny():
    return analysis.design_of(TINY)


def test_memories(tiny):
    """Every buffer, and its copies, bit by bit, in the one module; each in RAM, without registers of its size."""
    p = TINY
    buffers = p.activation_bytes + p.weight_bytes + p.accumulator_bytes + 2 * p.vector_bytes + 4 * p.parameter_bytes
    tables = p.lanes * 256 * p.tables
    memories = {name: part.memory_bits for name, part in tiny.parts.items() if part.memory_bits}
    assert {tiny.parts[name].module for name in memories} == {"tenon_memory"}, "a memory outside the one module"
    instances = tiny.instances()
    large = {name: bits for name, bits in memories.items() if bits >= 8 * 1024}
    assert sum(instances[name] * bits for name, bits in large.items()) >= 8 * (buffers + tables)
    for name, bits in large.items():
        cells = counted(tiny, name)
        assert cells.get("DP16KD", 0) * 18 * 1024 + cells.get("TRELLIS_DPR16X4", 0) * 64 >= bits
        assert cells.get("TRELLIS_FF", 0) < bits / 2


def test_multipliers_follow_the_parameters(tiny):
    """One for each cell in a row of the array, and one for each tap of a window's lane."""
    instances = tiny.instances()
    found = {name: (instances[name], counted(tiny, name)["MULT18X18D"]) for name in ("tenon_systolic_row", "tenon_window_lane")}
    assert found == {"tenon_systolic_row": (TINY.rows, TINY.cols), "tenon_window_lane": (TINY.window_lanes, TINY.window_taps)}


def test_lookup_tables_are_not_spent_on_speed(tiny):
    """Of the token counters' short paths, all are fast enough without any of seven inputs."""
    assert "L6MUX21" not in counted(tiny, "tenon_token_counters")


def test_names_with_brackets():
    """In this module abc9 took wires of several bits, called after an array's elements, for bits, and failed."""
    cells = counted(analysis.design_of(preset("edge16")), "tenon_window_engine")
    assert cells["tenon_window_lane"] == 16 and cells["LUT4"] > 100


@pytest.mark.parametrize("technology", ["ecp5", "osu018"])
def test_counts(planted, technology, request):
    """Registers are those of the text, in each module; the whole is the sum of all instances."""
    if technology == "osu018":
        request.getfixturevalue("library")
    found = area_of(planted, "planted", technology)
    counts = {module.module: module.counts for module in found.modules}
    flip_flops = {"tenon_planted": 48, "tenon_quick": 4, "tenon": 44}
    assert {name: counts[name]["FF"] for name in flip_flops} == flip_flops
    assert counts["tenon_memory_6_64_12_2_12"]["memory bits"] == found.total.counts["memory bits"] == 64 * 12
    for what in found.total.counts:
        assert found.total.counts[what] == pytest.approx(sum(module.instances * module.counts[what] for module in found.modules))
    if technology == "ecp5":
        assert (counts["tenon_planted"]["MULT18"], counts["tenon_memory_6_64_12_2_12"]["DPR16X4"]) == (3, 12)
    else:
        # A flip-flop is four gates, and a 12 x 12 multiplier some 144 full adders of nine.
        assert counts["tenon_quick"]["gates"] > 16 and 1000 < counts["tenon_planted"]["gates"] < 3000
        assert [module.module for module in found.modules[:2]] == ["tenon_planted", "tenon"]


@pytest.mark.parametrize(("body", "words"), [
    ("input e, input d, output reg q); always @* if (e) q = d;", "selection is not empty"),
    ("input d, output q); wire w = !w ^ d; assign q = w;", "problems in .check -assert."),
    ("input [3:0] a, input clk, output q); reg m [0:15]; always @(posedge clk) m[a] <= !m[a + 1] ^ m[a + 2] ^ m[a + 3]; assign q = m[a];",
     "selection is not empty"),
])
def test_flaws_are_refused(body, words):
    with pytest.raises(UserError, match=f"^synthesis of (flawed|tenon) failed: ERROR: .*{words}"):
        area_of(take_apart(f"module tenon({body} endmodule\n", "flawed"), "flawed", "ecp5")


@pytest.mark.parametrize("options", [["--area"], ["--area", "ecp5"]])
def test_command(planted, options, monkeypatch, tmp_path):
    monkeypatch.setattr(analysis, "design_of", lambda params: planted)
    done = CliRunner().invoke(main, ["generate", "tiny", "-o", str(tmp_path / "rtl"), *options, "--json", str(tmp_path / "area.json")])
    assert done.exit_code == 0, done.output
    assert "tenon_planted" in done.output and "MULT18" in done.output and "total" in done.output
    written = json.loads((tmp_path / "area.json").read_text())
    assert written["total"]["counts"]["MULT18"] == 3 and written["technology"] == "ecp5"
