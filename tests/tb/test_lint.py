"""Generated Verilog is clean under Verilator's lint, but for waivers that are all needed."""

import re

import pytest

from tenon.hw.params import SystolicParams
from tenon.tb.gateware import verilog_of
from tenon.tb.lint import WAIVERS, lint
from tenon.tb.random_runs import SHAPES

CONFIGS = {
    "tiny": SHAPES["4x4"], "4x16": SHAPES["4x16"], "16x8": SHAPES["16x8"],
    "no window": SystolicParams(rows=8, cols=8, lanes=8, window_taps=0),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_clean(name):
    assert lint(verilog_of(CONFIGS[name])) == []


def test_every_waiver_is_needed():
    rules = re.findall(r"^lint_off -rule (\w+)$", WAIVERS, re.M)
    text = verilog_of(CONFIGS["tiny"])
    for rule in rules:
        found = lint(text, WAIVERS.replace(f"lint_off -rule {rule}\n", ""))
        assert found and all(rule in line or line.startswith("%Error: Exiting") for line in found), rule


def test_what_is_not_waived_is_found():
    assert any("MULTIDRIVEN" in line for line in lint("module tenon(input a, output b); assign b = a; assign b = !a; endmodule\n")) or \
        lint("module tenon(input [3:0] a, output b); assign b = a[9]; endmodule\n")
