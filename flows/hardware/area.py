"""What a configuration takes after mapping: cells of an ECP5, or gates of the OSU018 library, module by module."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from tenon.flows.hardware import osu018
from tenon.flows.hardware.counted import counted
from tenon.flows.hardware.design import CLOCK_GATE, Design

__all__ = ["Area", "ModuleArea", "area_of"]

#: Kinds of cells, and what they count as. A PFUMX or L6MUX21 is in the slices of the LUTs that it joins.
_ECP5 = {"LUT4": "LUT4", "CCU2C": "CCU2C", "TRELLIS_FF": "FF", "MULT18X18D": "MULT18", "DP16KD": "EBR", "PDPW16KD": "EBR",
         "TRELLIS_DPR16X4": "DPR16X4"}
_GATE = "NAND2X1"  # its area is that of one gate equivalent


@dataclass(frozen=True)
class ModuleArea:
    """What one instance of a module takes beside the modules in it: numbers by what they count."""

    module: str
    instances: int
    counts: dict[str, float]


@dataclass(frozen=True)
class Area:
    """Modules, those that take most first, and the sum over all their instances. ``conditions`` says what was counted."""

    config: str
    technology: str
    conditions: str
    modules: tuple[ModuleArea, ...]
    total: ModuleArea

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


def area_of(design: Design, config: str, technology: str, progress: Callable[[str], None] = lambda text: None) -> Area:
    """Counts of each module of ``design``.

    Raises
    ------
    UserError
        If a tool is missing, or a memory would become flip-flops.
    """
    if technology == "ecp5":
        conditions = ("synth_ecp5 with abc9 for 10 ns, each module by itself, nothing placed; what is unused in the whole counts too, "
                      "clock gates do not. CCU2C: two bits of carry and their LUTs; EBR: 18 kbit; DPR16X4: RAM of 16 x 4 bits in LUTs")
        counts = {}
        for number, name in enumerate(design.parts, 1):
            progress(f"synthesising {config}: {name}, {number} of {len(design.parts)}")
            counts[name] = _cells({} if design.parts[name].module == CLOCK_GATE else counted(design, name))
    else:
        conditions = (f"OSU018, each module mapped by itself, with the buffers that its nets need. gates: area over that of {_GATE}, "
                      "memories left out")
        progress(f"mapping {config}")
        counts = _gates(design)
    return _sum(design, config, technology, conditions, counts)


def _cells(kinds: Mapping[str, int]) -> dict[str, float]:
    found = dict.fromkeys(_ECP5.values(), 0)
    for kind, number in kinds.items():
        if kind in _ECP5:
            found[_ECP5[kind]] += number
    return found


def _gates(design: Design) -> dict[str, dict[str, float]]:
    """Of one instance: copies of a module differ by what they drive, so that these are means."""
    library = osu018.library()
    unit = library.gates[_GATE].area
    area, registers = Counter(), Counter()
    for cell in osu018.gates_of(design, design.top).cells:
        gate = library.gates[cell.kind]
        area[cell.part] += gate.area
        registers[cell.part] += bool(gate.clock)
    instances = design.instances()
    return {name: {"gates": round(area[name] / unit / instances[name], 1), "FF": registers[name] // instances[name]}
            for name in design.parts}


def _sum(design: Design, config: str, technology: str, conditions: str, counts: dict[str, dict[str, float]]) -> Area:
    instances = design.instances()
    modules = [ModuleArea(name, instances[name], counts[name] | {"memory bits": part.memory_bits}) for name, part in design.parts.items()]
    total: dict[str, float] = defaultdict(int)
    for module in modules:
        for what, number in module.counts.items():
            total[what] += module.instances * number
    first = next(iter(total))
    modules.sort(key=lambda m: (-m.instances * m.counts[first], m.module))
    return Area(config, technology, conditions, tuple(modules), ModuleArea("total", 1, dict(total)))
