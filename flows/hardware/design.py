"""A configuration's Verilog taken apart: modules, their ports, which is in which, and a module with registers at its ports."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tenon.flows.hardware.yosys import run_yosys
from tenon.flows.port import Port

__all__ = ["CLOCK_GATE", "MEMORY", "REGISTERED", "SEAMS", "Design", "Part", "part_name", "take_apart"]

MEMORY = "tenon_memory"
CLOCK_GATE = "tenon_clock_gate"
SEAMS = (MEMORY, CLOCK_GATE)  # modules that users replace by their own: no logic of ours
REGISTERED = "registered"  # name of the module of ``Design.registered``; what is in it is called ``dut``

#: No latches but those of the clock gates, no combinational loops in a module, no wires with two drivers.
_SCRIPT = """
read_verilog design.v
hierarchy -check -top {top}
proc -norom
opt_clean
check -assert
select -assert-none *tenon_clock_gate*/* %n t:$dlatch t:$adlatch %u t:$dlatchsr %u t:$sr %u %i
write_json design.json
"""


@dataclass(frozen=True)
class Part:
    """One module: its text, its ports, bits of memory in it, and how often it instantiates others, by their names here.

    ``name`` is that of the Verilog module, and the values of its parameters, if it has any: each set is a part of its own.
    """

    name: str
    module: str
    parameters: dict[str, int]
    text: str
    ports: tuple[Port, ...]
    memory_bits: int
    children: dict[str, int]

    @property
    def stub(self) -> str:
        """What has to be known of the part where it is instantiated: its ports alone, unless parameters set their widths."""
        if self.parameters:
            return self.text
        ports = ", ".join(f"{'input' if p.is_input else 'output'} {p.range} \\{p.name} " for p in self.ports)
        return f"module \\{self.module} ({ports}); endmodule"

    def instance(self, name: str) -> str:
        """An instance of the part called ``name``, each port connected to a signal of its name."""
        values = ", ".join(f".{key}({value})" for key, value in self.parameters.items())
        pins = ", ".join(f".\\{p.name} (\\{p.name} )" for p in self.ports)
        return f"\\{self.module} {f'#({values}) ' if values else ''}{name} ({pins});"


@dataclass(frozen=True)
class Design:
    """All modules of the one called ``top``, by name."""

    top: str
    parts: dict[str, Part]

    def within(self, name: str) -> list[str]:
        """Part ``name`` and all in it, children before parents."""
        found: dict[str, None] = {}

        def visit(part: str) -> None:
            for child in self.parts[part].children:
                if child not in found:
                    visit(child)
            found[part] = None

        visit(name)
        return list(found)

    def instances(self) -> Counter[str]:
        """How often each part is in ``top``."""
        counted = Counter({self.top: 1})
        for name in reversed(self.within(self.top)):
            for child, times in self.parts[name].children.items():
                counted[child] += times * counted[name]
        return counted

    def text_of(self, name: str, others: Mapping[str, str] = MappingProxyType({})) -> str:
        """Verilog of part ``name`` and of all in it; ``others`` are texts of modules to take in place of their own."""
        parts = (self.parts[part] for part in self.within(name))
        return "\n".join([*dict.fromkeys(others.get(part.module, part.text) for part in parts), ""])

    def alone(self, name: str) -> str:
        """Verilog of part ``name``, as a module of that name without parameters, and of stubs for those in it."""
        part = self.parts[name]
        ports = ", ".join(f"{'input' if p.is_input else 'output'} {p.range} \\{p.name} " for p in part.ports)
        wrapper = [f"module {name} ({ports}); {part.instance('part')} endmodule"] if part.parameters else []
        return "\n".join([part.text, *dict.fromkeys(self.parts[child].stub for child in part.children), *wrapper, ""])

    def registered(self, name: str) -> str:
        """Module ``REGISTERED``: part ``name`` with a register at each port but ``clk``.

        Tools that count from register to register then see all of its paths.
        """
        part = self.parts[name]
        ports = [p for p in part.ports if p.name != "clk"]
        head = ["input clk", *(f"{'input' if p.is_input else 'output reg'} {p.range} \\port_{p.name} " for p in ports)]
        body = []
        for p in ports:
            target, source = (f"\\{p.name} ", f"\\port_{p.name} ") if p.is_input else (f"\\port_{p.name} ", f"\\{p.name} ")
            body += [f"  {'reg' if p.is_input else 'wire'} {p.range} \\{p.name} ;", f"  always @(posedge clk) {target} <= {source};"]
        return "\n".join([f"module {REGISTERED} ({', '.join(head)});", *body, f"  {part.instance('dut')}", "endmodule", ""])


def take_apart(verilog: str, config: str, top: str = "tenon") -> Design:
    """Reads the Verilog of a configuration; Yosys says what ports and instances there are.

    Raises
    ------
    UserError
        If Yosys is missing, or finds a latch, a loop, or a wire with two drivers.
    """
    texts = {re.match(r"module\s+\\?([^\s(#;]+)", text)[1]: text
             for text in re.findall(r"^module\b.*?\bendmodule\b", verilog, re.M | re.S)}
    with tempfile.TemporaryDirectory(prefix="tenon-design-") as folder:
        work = Path(folder)
        (work / "design.v").write_text(verilog, encoding="utf-8")
        run_yosys(_SCRIPT.format(top=top), work, f"synthesis of {config}")
        modules = json.loads((work / "design.json").read_text(encoding="utf-8"))["modules"]
    parts = {}
    for name, module in modules.items():
        plain = _unparameterised(name)
        ports = tuple(Port(port, p["direction"] == "input", len(p["bits"])) for port, p in module["ports"].items())
        bits = sum(memory["width"] * memory["size"] for memory in module.get("memories", {}).values())
        children = Counter(part_name(cell["type"], modules) for cell in module["cells"].values() if cell["type"] in modules)
        part = Part(part_name(name, modules), plain, _parameters(module), texts[plain], ports, bits, dict(children))
        parts[part.name] = part
    return Design(top, parts)


def part_name(name: str, modules: dict[str, dict]) -> str:
    """The part's name of a module in Yosys's JSON, which calls one with parameters by a hash of them."""
    return "_".join([_unparameterised(name), *map(str, _parameters(modules[name]).values())])


def _unparameterised(name: str) -> str:
    return next(part for part in name.split("\\") if part and not part.startswith("$"))


def _parameters(module: dict) -> dict[str, int]:
    return {key: int(value, 2) for key, value in sorted(module.get("parameter_default_values", {}).items())}
