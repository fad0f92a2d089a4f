"""Synthesises one module for an ECP5, with those in it as black boxes, and counts its cells."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from tenon.flows.hardware.design import Design
from tenon.flows.hardware.kept import kept
from tenon.flows.hardware.yosys import find_yosys, run_yosys

__all__ = ["counted"]

#: Tables of constants stay logic. A memory that Yosys could not map to block or distributed RAM it would make of flip-flops, as is right
#: for two words of a few bits only.
#: With 10 ns to meet, LUTs are spent on speed where paths are long; without, on all of a module that has only short ones.
_SCRIPT = """
scratchpad -set abc9.D 10000
read_verilog module.v
hierarchy -check -top {top}
{boxes}
proc -norom
synth_ecp5 -top {top} -run begin:map_ffram
select -assert-none t:$mem_v2 r:SIZE>2 %i t:$mem t:$memrd t:$memrd_v2 %u %u %u
synth_ecp5 -top {top} -run map_ffram:
tee -q -o cells.json stat -json
"""


def counted(design: Design, name: str) -> dict[str, int]:
    """Cells of part ``name`` by kind, without those of the parts in it; kept by the text of the part and the ports of those.

    Raises
    ------
    UserError
        If Yosys is missing, or would make flip-flops of a memory.
    """
    boxes = "" if design.parts[name].parameters else f"blackbox * {name} %d"  # one with parameters is in the top of its text
    text, script = _without_brackets(design.alone(name)), _SCRIPT.format(top=name, boxes=boxes)
    return kept("counted", [text, script, find_yosys().version], lambda: _counted(text, script, name))


def _without_brackets(text: str) -> str:
    """``text`` with brackets in escaped names replaced: abc9 takes a wire of many bits called ``x[0]`` for a bit of ``x``, at times, and
    fails."""
    return re.sub(r"\\\S*\[\S*", lambda name: name[0].replace("[", "_").replace("]", "_"), text)


def _counted(text: str, script: str, name: str) -> dict[str, int]:
    with tempfile.TemporaryDirectory(prefix="tenon-counted-") as folder:
        work = Path(folder)
        (work / "module.v").write_text(text, encoding="utf-8")
        run_yosys(script, work, f"synthesis of {name}")
        return json.loads((work / "cells.json").read_text(encoding="utf-8"))["modules"][f"\\{name}"]["num_cells_by_type"]
