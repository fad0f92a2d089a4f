# amaranth: UnusedElaboratable=no
"""House rules that hold on the emitted text: each part once, no reset on data, no contents for memories, small."""

import re
import time

import pytest

from tenon.hw.accelerator import engine_classes
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset
from tenon.tb.gateware import emitted, verilog_of

#: Parts that hold nothing but data: a reset in one of them costs half the simulation speed.
_DATA_ONLY = ("tenon_systolic_row", "tenon_systolic_array", "tenon_lane", "tenon_window_lane", "tenon_fused_multiply_add",
              "tenon_activation_buffer", "tenon_weight_buffer", "tenon_vector_buffer", "tenon_parameter_buffer", "tenon_memory")


def _modules(text: str) -> dict[str, str]:
    found = re.findall(r"^module\s+\\?(\S+?)\s*[#(](.*?)^endmodule", text, re.S | re.M)
    assert len(found) == len(dict(found)), "a module is emitted twice"
    return dict(found)


@pytest.mark.parametrize("params", [preset("tiny"), preset("edge16"), preset("edge16_small"), SystolicParams(rows=4, cols=16)],
                         ids=["tiny", "edge16", "edge16_small", "4x16"])
def test_text(params):
    text = verilog_of(params)
    modules = _modules(text)
    if params == preset("tiny"):
        assert text == emitted(params), "the same parameters must give the same text"
    assert {"tenon", "tenon_memory", "tenon_clock_gate", "tenon_systolic_row", "tenon_lane"} <= set(modules)
    for name, body in modules.items():
        if name.startswith(_DATA_ONLY):
            assert "if (rst)" not in body, f"{name} resets data"
        arrays = re.findall(r"^\s*(?:\(\* \w+ \*\) )?reg\b[^;]*?\]\s+\S+\s+\[[^;]*;", body, re.M)
        assert len(arrays) == (name == "tenon_memory"), f"{name} has a memory that is not the one seam"
    assert len(re.findall(r"^  tenon_systolic_row \w+ \(", text, re.M)) == params.rows
    assert len(re.findall(r"^  tenon_clock_gate #", text, re.M)) == len(engine_classes(params)), "each engine has a clock gate"
    for name, body in modules.items():
        assert re.fullmatch(r"tenon(_[a-z]+|_\d+_bits)*(_[xyz])?", name), f"{name} is called by a number"
        for port in re.findall(r"^  (?:input|output) (?:\[\S+ )?(\S+) ?;$", body, re.M):
            assert re.fullmatch(r"[a-z]\w*", port), f"{name} has a port {port}: a number or a keyword for a name"
    commented = re.findall(r"^//.*\nmodule (\w+)", text, re.M)
    assert set(commented) == set(modules), "a module says nothing of itself"
    assert re.search(r"^// m_axi_\* :\n//     AXI4 manager", text, re.M), "the top says what its ports are"
    assert not re.search(r"\$(signal|like)\b", text), "a signal has no name"
    assert text.startswith(f"// Tenon accelerator, top module tenon. Configuration {params.name}: ")
    assert ("tenon_window_lane" in modules) == (params.window_taps > 0)


def test_edge32_is_small_and_quick():
    start = time.monotonic()
    text = emitted(preset("edge32"))
    assert len(text) < 2_000_000
    assert time.monotonic() - start < 60
