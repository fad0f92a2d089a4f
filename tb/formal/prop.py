"""A property: what is to hold of one emitted module, under which assumptions, and a bug that breaks it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from amaranth.hdl import Shape
from amaranth.lib import wiring

__all__ = ["Bug", "Property", "harness", "past"]


@dataclass(frozen=True)
class Bug:
    """One change of one generator: ``old``, which stands exactly once in ``file``, becomes ``new``."""

    file: str  # relative to the tree: "hw/fifo.py"
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class Property:
    """What is to hold of a module at every clock edge after its reset, whatever its inputs do within ``assumes``.

    Texts are SystemVerilog in which every port has its name in the emitted module. ``clk`` and ``rst`` are there: reset is high
    in the first cycle and low ever after. Registers have no initial values beside what that reset gives them.

    Members
    -------
    name, says, given : str
        A word; a sentence for the reader; what is assumed, in words, and for what sizes.
    component : callable
        Makes the component. Module-level, since planted bugs make it in a process of their own.
    model : str
        Registers and wires of the specification.
    assumes, asserts, covers : mapping
        Label to expression. Covers are states that must be reachable: they show that assumptions leave them and, for a bounded
        proof, that its bound does.
    helpers : mapping
        What else holds, of registers inside: proved along with the assertions, which may follow from it alone. A bug has to break an
        assertion, whatever becomes of these.
    observed : mapping
        Registers inside the module, by path ("counter0", "store.words"), with their bits: read in expressions as ``\\dut.PATH``.
    free : tuple of str
        Parts (names of modules) whose outputs may do anything.
    bound : int
        Cycles, or 0: for all times.
    induction : int
        Cycles of k-induction, which proves for all times that the assertions imply themselves; 0: PDR finds what implies them.
    bug : Bug
        With it, some assertion must fail: a counterexample.
    seconds : int
        Limit for one check.
    quick : bool
        Belongs to the tests that run at every change.
    """

    name: str
    says: str
    given: str
    component: Callable[[], wiring.Component]
    model: str = ""
    assumes: Mapping[str, str] = field(default_factory=dict)
    asserts: Mapping[str, str]
    covers: Mapping[str, str]
    helpers: Mapping[str, str] = field(default_factory=dict)
    observed: Mapping[str, int] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    bound: int = 0
    induction: int = 0
    bug: Bug
    seconds: int = 60
    quick: bool = False

    @property
    def method(self) -> str:
        if self.bound:
            return f"bounded, {self.bound} cycles"
        return f"all times, induction over {self.induction}" if self.induction else "all times, PDR"


def past(name: str, width: int = 1) -> str:
    """A register ``past_NAME`` with what ``NAME`` was in the cycle before; ``name`` may be any expression if it is given as "NAME = ...";
    0 in the first cycle after reset."""
    name, _, value = (part.strip() for part in name.partition("="))
    return f"reg [{width - 1}:0] past_{name} = 0; always @(posedge clk) past_{name} <= rst ? 0 : {value or name} ;\n"


def ports(component: wiring.Component) -> list[tuple[str, int, bool]]:
    """Name in Verilog, bits, and whether it is an input, of each port but clock and reset."""
    found = []
    for path, member, _ in component.signature.flatten(component):
        found.append(("__".join(map(str, path)), Shape.cast(member.shape).width, member.flow == wiring.In))
    return found


def harness(prop: Property, component: wiring.Component, verilog: str, goals: Mapping[str, str]) -> str:
    """Text of the module ``harness``: the module ``dut`` with free inputs, the model, and an output for each goal, high where it
    is reached, in their order."""
    declared = [f"input [{width - 1}:0] {name}" for name, width, free in ports(component) if free]
    outputs = [f"  wire [{width - 1}:0] {name};" for name, width, free in ports(component) if not free]
    inner = [f"  (* hierconn *) wire [{width - 1}:0] \\dut.{path} ;" for path, width in prop.observed.items()]
    head = verilog[verilog.index("module dut("):]
    clocked = [name for name in ("clk", "rst") if re.search(rf"\b{name}\b", head[:head.index(");")])]
    connections = ", ".join(f".{name}({name})" for name in [*clocked, *(name for name, _, _ in ports(component))])
    declared += [f"output goal_{label}" for label in goals]
    return "\n".join([
        f"module harness({', '.join(['input clk', *declared])});",
        "  reg rst = 1; always @(posedge clk) rst <= 0;",
        *outputs, *inner, f"  dut dut({connections});", *_spaced([prop.model,
        *(f"  always @* if (!rst) given_{label}: assume ({text});" for label, text in prop.assumes.items()),
        *(f"  assign goal_{label} = !rst && ({text});" for label, text in goals.items()),
        ]), "endmodule", ""])


def _spaced(texts: list[str]) -> list[str]:
    """Names of registers inside the module end with a space in Verilog."""
    return [re.sub(r"(\\dut\.[\w.]+)", r"\1 ", text) for text in texts]
