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

__all__ = ["Edge", "find_sta", "slowest_paths", "sta_version"]

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
    script = ["read_liberty library.lib", "read_verilog design.v", "link_design gates", f"create_clock -name clk -period {_PERIOD_NS} clk",
              *(f"group_path -name g{number} -to [get_pins {{{listed}}}]" for number, listed in enumerate(pins)),
              "report_checks -path_delay max -format full -digits 4", "exit"]
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
    found = {}
    for text in re.split(r"^Startpoint: ", done.stdout, flags=re.M)[1:]:
        group, slack = re.search(r"^Path Group: g(\d+)$", text, re.M), _SLACK.search(text)
        edges = [Edge(int(m[2]), m[3], float(m[1])) for m in _EDGE.finditer(text)]
        if group and slack:
            found[list(groups)[int(group[1])]] = (_PERIOD_NS - float(slack[1]), edges)
    return found
