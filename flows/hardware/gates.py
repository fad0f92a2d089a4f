"""A netlist of gates, flat: what a module becomes in a technology, with all in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["CLOCK", "CONSTANTS", "Cell", "Netlist"]

CONSTANTS = (0, 1)  # nets of these values
CLOCK = 2  # the net of the one clock


@dataclass(slots=True)
class Cell:
    """One gate: its kind in the library, its nets by pin, and its path, which ends in the name of a register that it is.

    ``part`` is the part of the design that it belongs to; empty for a register in place of a memory or at a port, which stands for
    something outside.
    """

    kind: str
    path: str
    pins: dict[str, int]
    part: str


@dataclass
class Netlist:
    """Cells, and the nearest names in the Verilog of the nets between them, with paths.

    ``ports`` are the nets of the ports of what it was made of, which have registers in place of what is outside; ``memories`` the
    parameters of the memories in it, by path, which has registers at its ports in their place.
    """

    cells: list[Cell] = field(default_factory=list)
    ports: dict[str, list[int]] = field(default_factory=dict)
    memories: dict[str, dict[str, int]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    nets: int = CLOCK + 1  # numbers given so far

    def new_net(self, name: str) -> int:
        self.nets += 1
        self.names[self.nets - 1] = name
        return self.nets - 1

    def verilog(self, module: str) -> str:
        """Structural Verilog with plain names: net 7 is ``n7``, cell 5 ``u5``; its one port is the clock, ``clk``."""
        return "".join(self._lines(module))

    def _lines(self, module: str) -> Iterator[str]:
        fixed = {net: f"1'b{net}" for net in CONSTANTS} | {CLOCK: "clk"}
        yield f"module {module} (input clk);\n"
        for net in sorted({net for cell in self.cells for net in cell.pins.values()} - set(fixed)):
            yield f"wire n{net};\n"
        for number, cell in enumerate(self.cells):
            pins = ", ".join(f".{pin}({fixed.get(net) or f'n{net}'})" for pin, net in cell.pins.items())
            yield f"{cell.kind} u{number} ({pins});\n"
        yield "endmodule\n"
