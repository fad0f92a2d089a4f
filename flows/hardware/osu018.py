"""Timing in standard cells: OSU018, an open library of 180 nm."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path

from tenon.flows.errors import UserError
from tenon.flows.hardware.design import Design
from tenon.flows.hardware.drive import strengthen
from tenon.flows.hardware.flatten import flatten
from tenon.flows.hardware.gates import CLOCK, Cell, Netlist
from tenon.flows.hardware.liberty import Library, read_library
from tenon.flows.hardware.opensta import Edge, slowest_paths
from tenon.flows.hardware.timing import CriticalPath, Step

__all__ = ["conditions", "critical_path", "fo4_ns", "gates_of", "library", "paths_by_end"]

_LIBERTY = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
_NO_LEVELS = ("INV", "BUF", "CLKBUF")


def conditions() -> str:
    return ("OSU018 (180 nm), typical corner, 1.8 V, 25 C; no wires, an ideal clock; a register at every port, memories are registers at "
            f"theirs, clock gates are wires; FO4 is {1000 * fo4_ns():.0f} ps")


def library() -> Library:
    """The library of Debian's package.

    Raises
    ------
    UserError
        If it is missing.
    """
    if not _LIBERTY.is_file():
        raise UserError(f"{_LIBERTY} is missing: apt-get install qflow-tech-osu018")
    return read_library(_LIBERTY)


def gates_of(design: Design, name: str) -> Netlist:
    """Part ``name`` with all in it as gates, its nets driven strongly enough."""
    netlist = flatten(design, name, library())
    strengthen(netlist, library())
    return netlist


def critical_path(design: Design, name: str) -> CriticalPath:
    """The slowest path of part ``name`` with all in it.

    Raises
    ------
    UserError
        If a tool or the library is missing.
    """
    netlist = gates_of(design, name)
    registers = [n for n, cell in enumerate(netlist.cells) if library().gates[cell.kind].clock]
    found = slowest_paths(netlist, library(), {name: registers})
    if name not in found:
        raise UserError(f"{name} has no path between two registers")
    return _path(netlist, name, design.instances()[name], *found[name])


def paths_by_end(design: Design) -> list[CriticalPath]:
    """The slowest path of the whole design into the registers of each part, those of memories and ports among them."""
    netlist = gates_of(design, design.top)
    groups = defaultdict(list)
    for n, cell in enumerate(netlist.cells):
        if library().gates[cell.kind].clock:
            groups[cell.part or "memories, ports"].append(n)
    instances = design.instances()
    return [_path(netlist, part, instances.get(part, 1), *found) for part, found in slowest_paths(netlist, library(), groups).items()]


def _path(netlist: Netlist, name: str, instances: int, ns: float, edges: list[Edge]) -> CriticalPath:
    cells = [netlist.cells[edge.cell] for edge in edges]
    # The first two are the register's clock and output, the last is the other's input.
    steps = tuple(Step(cell.kind, netlist.names[cell.pins[edge.pin]], round(edge.ns, 3))
                  for cell, edge in zip(cells[2:-1], edges[2:-1]))
    levels = sum(not step.cell.startswith(_NO_LEVELS) for step in steps)
    return CriticalPath(name, instances, round(ns, 3), levels, cells[0].path, cells[-1].path, steps, fo4=round(ns / fo4_ns(), 1))


@cache
def fo4_ns() -> float:
    """Delay of an inverter that drives four of itself: the mean of a rising and a falling edge, in a chain of such."""
    netlist, inverter, register = Netlist(), library().gates["INVX1"], library().gates["DFFPOSX1"]
    nets = [netlist.new_net("") for _ in range(9)]
    netlist.cells.append(Cell(register.name, "", {"CLK": CLOCK, "D": 0, "Q": nets[0]}, ""))
    for source, target in zip(nets, nets[1:]):
        netlist.cells.append(Cell(inverter.name, "", {"A": source, "Y": target}, ""))
        netlist.cells += [Cell(inverter.name, "", {"A": target, "Y": netlist.new_net("")}, "") for _ in range(3)]
    netlist.cells.append(Cell(register.name, "", {"CLK": CLOCK, "D": nets[-1], "Q": netlist.new_net("")}, ""))
    _, edges = slowest_paths(netlist, library(), {"chain": [len(netlist.cells) - 1]})["chain"]
    # Not the first two inverters, whose edges the register shapes, nor the last, which drives the other one.
    return (edges[7].ns - edges[3].ns) / 4
