"""Energy of a netlist in recorded cycles: its nets, what is within its cells, and the clock pins of its registers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tenon.flows.hardware.gates import Cell
from tenon.flows.hardware.power.energies import energies, net_pj
from tenon.flows.hardware.power.toggles import Gates, toggles

__all__ = ["Energy", "clock_pj", "energy_of", "toggle_pj"]


@dataclass
class Energy:
    """pJ by part: in each recorded cycle, of toggles and of clock pins; ``glitches_pj``: of toggles that were not needed, in all.

    ``clocks`` are pJ of clock pins in one cycle, by part, instance, and the cycles at whose end these rise. ``toggles`` counts all of
    them, ``outputs`` the nets with a driver. A part is what the function for cells says.
    """

    cycles: int
    toggles_pj: dict[str, np.ndarray] = field(default_factory=dict)
    clock_pj: dict[str, np.ndarray] = field(default_factory=dict)
    clocks: dict[tuple[str, str, int], float] = field(default_factory=lambda: defaultdict(float))
    glitches_pj: Counter = field(default_factory=Counter)
    toggles: Counter = field(default_factory=Counter)
    outputs: Counter = field(default_factory=Counter)
    leakage_nw: float = 0.0


def energy_of(gates: Gates, settled: dict[int, int], follows: int, ones: int, *, part: Callable[[Cell], str],
              clocked: Callable[[Cell], int], progress: Callable[[float], None] = lambda ns: None) -> Energy:
    """What happens in cycles ``follows``; ``part`` of a cell is where its energy counts, ``clocked`` are the cycles at whose end
    a register's clock rises.

    A cell without a part of the design stands for something outside: what it drives counts, itself it does not.
    """
    cycles = ones.bit_length()
    per_toggle, part_of = toggle_pj(gates), {net: part(cell) for net, (cell, _) in gates.drivers.items()}
    found = Energy(cycles, outputs=Counter(part_of.values()))
    found.leakage_nw = sum(energies(gates.library)[cell.kind].leakage_nw for cell in gates.netlist.cells if cell.part)
    for register in gates.registers:
        if register.part:
            found.clocks[part(register), register.path.rpartition(".")[0], clocked(register)] += clock_pj(gates, register)
    for name in {*part_of.values()}:
        found.toggles_pj[name], found.clock_pj[name] = np.zeros(cycles), np.zeros(cycles)
    for (name, _, edges), energy in found.clocks.items():
        found.clock_pj[name] += energy * _bits(edges & follows, cycles)
    counted: Counter = Counter()
    for net, where in toggles(gates, settled, follows, ones, progress):
        found.toggles_pj[part_of[net]] += per_toggle[net] * _bits(where, cycles)
        counted[net] += where.bit_count()
    for net, number in counted.items():
        value = settled[net]
        needed = ((value ^ value << 1) & follows).bit_count()
        found.toggles[part_of[net]] += number
        found.glitches_pj[part_of[net]] += (number - needed) * per_toggle[net]
    return found


def toggle_pj(gates: Gates) -> dict[int, float]:
    """pJ of one toggle of each net with a driver: of its capacitance, within what drives it, and within what it enters."""
    library, of_kind = gates.library, energies(gates.library)
    entered: dict[int, float] = defaultdict(float)
    for cell in gates.netlist.cells:
        if cell.part:
            for pin, energy in of_kind[cell.kind].inputs.items():
                entered[cell.pins[pin]] += energy
    found = {}
    for net, (cell, pin) in gates.drivers.items():
        inside = of_kind[cell.kind].output_pj(pin, gates.loads[net]) if cell.part else 0.0
        found[net] = net_pj(library, gates.loads[net]) + inside + entered[net]
    return found


def clock_pj(gates: Gates, register: Cell) -> float:
    """pJ of one cycle of the clock at a register's pin: of its capacitance, and within the register although nothing changes."""
    gate = gates.library.gates[register.kind]
    return 2 * (net_pj(gates.library, gate.inputs[gate.clock]) + energies(gates.library)[register.kind].inputs[gate.clock])


def _bits(value: int, cycles: int) -> np.ndarray:
    size = -(-cycles // 8)
    return np.unpackbits(np.frombuffer(value.to_bytes(size, "little"), np.uint8), count=cycles, bitorder="little")
