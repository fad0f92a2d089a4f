"""Puts the mapped modules of a design together into one netlist of gates."""

from __future__ import annotations

from tenon.flows.hardware.design import CLOCK_GATE, SEAMS, Design, Part
from tenon.flows.hardware.gates import CLOCK, CONSTANTS, Cell, Netlist
from tenon.flows.hardware.liberty import Library
from tenon.flows.hardware.mapped import Mapped, mapped

__all__ = ["flatten"]


def flatten(design: Design, top: str, library: Library) -> Netlist:
    """Part ``top`` with all in it, a register at each of its ports but the clock, and registers in place of memories.

    A memory takes its inputs into registers and gives its read data out of registers; a clock gate is a wire whose enable goes
    into a register.
    """
    return _Flattening(design, library).run(top)


class _Flattening:
    def __init__(self, design: Design, library: Library):
        self.design, self.library = design, library
        self.netlist = Netlist()
        self.same = [*CONSTANTS, CLOCK]  # of each net, one that it is connected to; itself, if that is the one to keep
        self.modules: dict[str, Mapped] = {}
        plain = [g for g in library.gates.values() if g.clock and g.data and len(g.inputs) == 2]
        self.register = min(plain, key=lambda gate: gate.area)

    def run(self, top: str) -> Netlist:
        ports = self.netlist.ports
        ports["clk"] = [CLOCK]
        for port in self.design.parts[top].ports:
            if port.name != "clk":
                path = f"port {port.name}"
                ports[port.name] = [self._net(path) for _ in range(port.width)]
                self._registers(path, ports[port.name], drive=port.is_input)
        self._instance(top, "", ports)
        for cell in self.netlist.cells:
            cell.pins = {pin: self._kept(net) for pin, net in cell.pins.items()}
        self.netlist.ports = {port: [self._kept(net) for net in nets] for port, nets in ports.items()}
        return self.netlist

    def _instance(self, name: str, path: str, outside: dict[str, list[int]]) -> None:
        part = self.design.parts[name]
        if part.module in SEAMS:
            self._seam(part, path, outside)
            return
        module = self.modules.get(name) or self.modules.setdefault(name, mapped(self.design, name, self.library))
        nets: dict[int | str, int] = {"0": 0, "1": 1, "x": 0}

        def net(bit: int | str) -> int:
            if bit not in nets:
                nets[bit] = self._net(path + module.names.get(bit, ""))
            return nets[bit]

        for port, bits in module.ports.items():
            for bit, outer in zip(bits, outside.get(port, ())):
                self._join(net(bit), outer)
        for kind, instance, pins in module.cells:
            if kind in self.design.parts:
                self._instance(kind, f"{path}{instance}.", {pin: [net(bit) for bit in bits] for pin, bits in pins.items()})
            else:
                output = pins[self.library.gates[kind].outputs[0]][0]
                inner = {pin: net(bits[0]) for pin, bits in pins.items()}
                self.netlist.cells.append(Cell(kind, path + module.names.get(output, instance), inner, name))

    def _seam(self, part: Part, path: str, outside: dict[str, list[int]]) -> None:
        if part.module == CLOCK_GATE:
            self._join(outside["gated"][0], outside["clk"][0])
        else:
            self.netlist.memories[path] = part.parameters
        for port in part.ports:
            if port.name not in ("clk", "gated") and port.name in outside:
                self._registers(path + port.name, outside[port.name], drive=not port.is_input)

    def _registers(self, path: str, nets: list[int], *, drive: bool) -> None:
        """Registers that drive ``nets``, or take them."""
        gate = self.register
        for n, net in enumerate(nets):
            name = f"{path}[{n}]" if len(nets) > 1 else path
            data, output = (CONSTANTS[0], net) if drive else (net, self._net(name))
            self.netlist.names[output] = name
            self.netlist.cells.append(Cell(gate.name, name, {gate.clock: CLOCK, gate.data: data, gate.outputs[0]: output}, ""))

    def _net(self, name: str) -> int:
        net = self.netlist.new_net(name)
        self.same.append(net)
        return net

    def _kept(self, net: int) -> int:
        while self.same[net] != net:
            self.same[net] = self.same[self.same[net]]
            net = self.same[net]
        return net

    def _join(self, one: int, other: int) -> None:
        low, high = sorted((self._kept(one), self._kept(other)))
        self.same[high] = low  # constants and the clock have the lowest numbers
