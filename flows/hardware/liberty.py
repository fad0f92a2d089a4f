"""Reads a library of standard cells in the Liberty format: areas, pins, and how strong each cell's output is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

__all__ = ["SLEW_NS", "Gate", "Group", "Library", "parse", "read_library"]

# A comment, a line that goes on, white space, a text, a mark, or a word.
_TOKEN = re.compile(r'/\*.*?\*/|\\\n|\s+|"([^"]*)"|([{}();:,])|([^\s{}();:,"]+)', re.S)
SLEW_NS = 0.18  # of the edge at an input for which delays are taken; those of OSU018 that drive two or three inputs make such


@dataclass
class Group:
    """``kind (arguments) { name : value; name (values); groups }``; everything is text, in the library's units."""

    kind: str
    arguments: list[str]
    values: dict[str, list[str]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def all(self, kind: str) -> list[Group]:
        return [group for group in self.groups if group.kind == kind]

    def floats(self, name: str) -> list[list[float]]:
        """Numbers of each text of a value: ``index_1 ("1, 2")`` is [[1, 2]]."""
        return [[float(number) for number in text.split(",")] for text in self.values[name]]


@dataclass(frozen=True)
class Gate:
    """One cell: capacitances of its inputs in pF; its delay is about ``ns + ns_per_pf * load``, from the slowest input.

    ``clock`` and ``data`` are a flip-flop's pins, empty for others.
    """

    name: str
    area: float
    inputs: dict[str, float]
    outputs: tuple[str, ...]
    ns: float
    ns_per_pf: float
    clock: str
    data: str

    def delay(self, load_pf: float) -> float:
        return self.ns + self.ns_per_pf * load_pf


@dataclass(frozen=True, eq=False)
class Library:
    """A library's cells by name; ``root`` is all that the file says."""

    path: Path
    gates: dict[str, Gate]
    root: Group


@cache
def read_library(path: Path) -> Library:
    root = parse(path.read_text(encoding="utf-8", errors="replace"))
    return Library(path, {cell.arguments[0]: _gate(cell) for cell in root.all("cell")}, root)


def parse(text: str) -> Group:
    """The library's outermost group."""
    # Texts are pairs with True: a mark inside one is none.
    tokens = [(match[match.lastindex], match.lastindex == 1) for match in _TOKEN.finditer(text) if match.lastindex]
    outside = Group("", [])
    open_groups, at = [outside], 0
    while at < len(tokens):
        word = tokens[at][0]
        at += 1
        if word == "}":
            open_groups.pop()
        elif word != ";":
            values, at = _values(tokens, at)
            if tokens[at:at + 1] == [("{", False)]:
                group = Group(word, values)
                open_groups[-1].groups.append(group)
                open_groups.append(group)
                at += 1
            else:
                open_groups[-1].values[word] = values
    return outside.groups[0]


def _values(tokens: list[tuple[str, bool]], at: int) -> tuple[list[str], int]:
    """What follows a name, ``: value`` or ``(values)``, and where that ends."""
    end = at + 1
    if tokens[at][0] == ":":
        while tokens[end] not in ((";", False), ("}", False)):
            end += 1
        return [" ".join(word for word, _ in tokens[at + 1:end])], end
    while tokens[end] != (")", False):
        end += 1
    return [word for word, is_text in tokens[at + 1:end] if is_text or word != ","], end + 1


def _gate(cell: Group) -> Gate:
    pins = {pin.arguments[0]: pin for pin in cell.all("pin")}
    inputs = {name: pin.floats("capacitance")[0][0] for name, pin in pins.items() if pin.values["direction"] == ["input"]}
    outputs = tuple(name for name, pin in pins.items() if pin.values["direction"] == ["output"])
    arcs = [_line(arc) for name in outputs for arc in pins[name].all("timing")
            if not arc.values.get("timing_type", [""])[0].startswith("three_state")]
    ns, ns_per_pf = max(arcs, key=lambda line: line[0] + 0.1 * line[1])  # 0.1 pF are some six inputs
    flip_flop = next((ff.values for ff in cell.all("ff")), {"clocked_on": [""], "next_state": [""]})
    clock, data = (flip_flop[name][0] if flip_flop[name][0] in inputs else "" for name in ("clocked_on", "next_state"))
    return Gate(cell.arguments[0], cell.floats("area")[0][0], inputs, outputs, ns, ns_per_pf, clock, data)


def _line(arc: Group) -> tuple[float, float]:
    """Delay without a load, and what a pF adds, from one input: means of the rising and the falling edge."""
    lines = []
    for table in (*arc.all("cell_rise"), *arc.all("cell_fall")):
        (loads,), (slews,) = table.floats("index_1"), table.floats("index_2")
        rows = table.floats("values")
        column = min(range(len(slews)), key=lambda n: abs(slews[n] - SLEW_NS))
        low, high = 1, len(loads) // 2 + 1  # the range in which most loads are
        slope = (rows[high][column] - rows[low][column]) / (loads[high] - loads[low])
        lines.append((rows[low][column] - slope * loads[low], slope))
    return sum(ns for ns, _ in lines) / len(lines), sum(slope for _, slope in lines) / len(lines)
