"""Maps one module to standard cells by Yosys, with those in it as black boxes."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tenon.flows.hardware.design import Design, part_name
from tenon.flows.hardware.kept import kept
from tenon.flows.hardware.liberty import Library
from tenon.flows.hardware.yosys import find_yosys, run_yosys

__all__ = ["Mapped", "mapped"]

#: Prefix adders, since it is delays that count: ABC's own script has `dc2`, which makes ripple-carry adders of them again.
#: ABC's mapper takes any delay; what its library calls one is without the buffers that come later.
_SCRIPT = """
read_verilog module.v
hierarchy -check -top {top}
blackbox * {top} %d
synth -noabc -top {top} -extra-map +/choices/kogge-stone.v
dfflibmap -liberty {liberty}
abc -liberty {liberty} -D 1000 {dont_use} -script "+strash;&get,-n;&st;&dch,-f;&nf,-D,1000;&put;stime"
opt_clean -purge
autoname
write_json mapped.json
"""
_DONT_USE = ("OAI33*", "NOR4*", "OR4*", "AOI222*")  # slow for what they do: three or four transistors in a row


@dataclass(frozen=True)
class Mapped:
    """A module's cells and the modules in it (kind, name, bits by pin), bits of its ports, names of bits; "0" and "1" are constants."""

    cells: list[tuple[str, str, dict[str, list]]]
    ports: dict[str, list]
    names: dict[int, str]


def mapped(design: Design, name: str, library: Library) -> Mapped:
    """Part ``name`` in cells of a library; kept by the texts of the module and of the ports of those in it.

    Raises
    ------
    UserError
        If Yosys is missing, or refuses the text.
    """
    text = design.alone(name)
    script = _SCRIPT.format(top=name, liberty=library.path, dont_use=" ".join(f"-dont_use {cell}" for cell in _DONT_USE))
    recipe = [text, script, find_yosys().version, library.path.read_text(encoding="utf-8", errors="replace")]
    found = kept("mapped", recipe, lambda: _mapped(text, script, name))
    return Mapped(found["cells"], found["ports"], _names(found["nets"], library))


def _mapped(text: str, script: str, name: str) -> dict:
    with tempfile.TemporaryDirectory(prefix="tenon-mapped-") as folder:
        work = Path(folder)
        (work / "module.v").write_text(text, encoding="utf-8")
        run_yosys(script, work, f"synthesis of {name}")
        modules = json.loads((work / "mapped.json").read_text(encoding="utf-8"))["modules"]
    module = modules[name]
    cells = [(part_name(cell["type"], modules) if cell["type"] in modules else cell["type"], instance, cell["connections"])
             for instance, cell in module["cells"].items()]
    return {"cells": cells, "ports": {port: p["bits"] for port, p in module["ports"].items()},
            "nets": {net: found["bits"] for net, found in module["netnames"].items()}}


def _names(nets: dict[str, list], library: Library) -> dict[int, str]:
    """The best name of each bit: one in the Verilog, else the one that Yosys derived its name from."""
    # Yosys calls a net after the nearest one with a name of its own, and appends the cells and pins between the two.
    derived = re.compile(rf"_(?:{'|'.join(library.gates)}|\$\w+)_.*")
    names: dict[int, str] = {}
    for net, bits in sorted(nets.items(), key=lambda item: (derived.search(item[0]) is not None, "$" in item[0], len(item[0]))):
        plain = derived.sub("", net).replace("\\", "")
        for n, bit in enumerate(bits):
            names.setdefault(bit, f"{plain}[{n}]" if len(bits) > 1 and not derived.search(net) else plain)
    return names
