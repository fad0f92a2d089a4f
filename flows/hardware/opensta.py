"""Static timing analysis of a netlist of gates by OpenSTA."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tenon.flows.errors import UserError
from tenon.flows.hardware.gates import Netlist
from tenon.flows.hardware.liberty import Library

__all__ = ["Edge", "cycle_pj", "find_sta", "slowest_paths", "sta_version"]

_PERIOD_NS = 1000.0  # more than any path takes
_EDGE = re.compile(r"^ +-?[\d.]+ +(-?[\d.]+) [v^] u(\d+)/(\w+) \(", re.M)
_SLACK = re.compile(r"^ +(-?[\d.]+) +slack", re.M)


@dataclass(frozen=True)
class Edge:
    """An edge on a path: the cell's number in its netlist, the pin, and ns after the clock's."""

    cell: int
    pin: str
    ns: float


def find_sta() -> str:
    """The program.

    Raises
    ------
    UserError
        If it is missing.
    """
    found = shutil.which("sta")
    if found is None:
        raise UserError("sta is missing: apt-get install opensta")
    return found


def sta_version() -> str:
    return subprocess.run([find_sta(), "-version"], capture_output=True, text=True, check=False).stdout.strip()


def slowest_paths(netlist: Netlist, library: Library, groups: Mapping[str, Sequence[int]]) -> dict[str, tuple[float, list[Edge]]]:
    """The slowest path into any register of each group: its ns, with setup, and its edges, from the first register's clock pin.

    ``groups`` are numbers of cells, by a name; a group is left out if no register drives one of it.

    Raises
    ------
    UserError
        If OpenSTA is missing, or refuses the netlist.
    """
    pins = [" ".join(f"u{n}/{library.gates[netlist.cells[n].kind].data}" for n in cells) for cells in groups.values()]
    script = [*(f"group_path -name g{number} -to [get_pins {{{listed}}}]" for number, listed in enumerate(pins)),
              "report_checks -path_delay max -format full -digits 4"]
    found = {}
    for text in re.split(r"^Startpoint: ", _run(netlist, library, script), flags=re.M)[1:]:
        group, slack = re.search(r"^Path Group: g(\d+)$", text, re.M), _SLACK.search(text)
        edges = [Edge(int(m[2]), m[3], float(m[1])) for m in _EDGE.finditer(text)]
        if group and slack:
            found[list(groups)[int(group[1])]] = (_PERIOD_NS - float(slack[1]), edges)
    return found


def cycle_pj(netlist: Netlist, library: Library, activity: float) -> float:
    """pJ of one cycle, if every net toggles ``activity`` times in it; leakage and the net of the clock, which no cell drives, left out.

    OpenSTA 2.0.17 takes the energy within a cell of a rising and of a falling edge for every toggle: here half of that counts.

    Raises
    ------
    UserError
        If OpenSTA is missing, or refuses the netlist.
    """
    said = _run(netlist, library, [f"set_power_activity -global -activity {activity} -duty 0.5", "report_power -digits 6"])
    internal, switching = map(float, re.search(r"^Total +(\S+) +(\S+)", said, re.M).groups())
    return (internal / 2 + switching) * _PERIOD_NS * 1000  # from W


def _run(netlist: Netlist, library: Library, script: list[str]) -> str:
    """What OpenSTA says to ``script``, the netlist being read and its clock known."""
    script = ["read_liberty library.lib", "read_verilog design.v", "link_design gates", f"create_clock -name clk -period {_PERIOD_NS} clk",
              *script, "exit"]
    with tempfile.TemporaryDirectory(prefix="tenon-sta-") as folder:
        work = Path(folder)
        (work / "library.lib").symlink_to(library.path)
        (work / "design.v").write_text(netlist.verilog("gates"), encoding="utf-8")
        (work / "script.tcl").write_text("\n".join(script), encoding="utf-8")
        done = subprocess.run([find_sta(), "-no_splash", "-exit", "script.tcl"], cwd=work, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL)
    errors = re.findall(r"^Error: .*", done.stdout + done.stderr, re.M)
    if done.returncode or errors:
        raise UserError(f"sta failed: {errors[0] if errors else f'it ended with {done.returncode}'}")
    return done.stdout
