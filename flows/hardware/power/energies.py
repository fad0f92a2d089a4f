"""Energies of a library's cells, out of its power tables and capacitances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from tenon.flows.hardware.liberty import SLEW_NS, Gate, Group, Library

__all__ = ["CellEnergy", "energies", "net_pj", "volts"]


@dataclass(frozen=True)
class CellEnergy:
    """pJ within one cell for one edge, means of rising and falling ones: of an output, by pin, as (loads in pF, energies); of an
    input by itself, by pin. ``leakage_nw``: at rest."""

    outputs: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]
    inputs: Mapping[str, float]
    leakage_nw: float

    def output_pj(self, pin: str, load_pf: float) -> float:
        """Linear between the loads of the table, constant beyond."""
        loads, values = self.outputs[pin]
        if load_pf <= loads[0]:
            return values[0]
        for low, high, a, b in zip(loads, loads[1:], values, values[1:]):
            if load_pf <= high:
                return a + (b - a) * (load_pf - low) / (high - low)
        return values[-1]


def volts(library: Library) -> float:
    return library.root.floats("nom_voltage")[0][0]


def net_pj(library: Library, load_pf: float) -> float:
    """Of one edge of a net: half of what the supply gives to charge it and the ground takes, on average, C V^2 / 2."""
    return load_pf * volts(library) ** 2 / 2


@cache
def energies(library: Library) -> dict[str, CellEnergy]:
    """Every cell's. The tables' unit is that of capacitance times voltage squared: pJ."""
    return {cell.arguments[0]: _cell(cell, library.gates[cell.arguments[0]]) for cell in library.root.all("cell")}


def _cell(cell: Group, gate: Gate) -> CellEnergy:
    outputs, inputs = {}, {}
    for pin in cell.all("pin"):
        name = pin.arguments[0]
        tables = [table for power in pin.all("internal_power") for table in (*power.all("rise_power"), *power.all("fall_power"))]
        if name in gate.outputs:
            found = [_by_load(table) for table in tables if "index_2" in table.values]
            loads = found[0][0] if found else (0.0,)
            values = tuple(sum(column) / len(found) for column in zip(*(values for _, values in found))) if found else (0.0,)
            outputs[name] = (loads, values)
        else:
            inputs[name] = sum(_by_slew(table) for table in tables) / max(len(tables), 1)
    return CellEnergy(outputs, inputs, cell.floats("cell_leakage_power")[0][0])


def _by_load(table: Group) -> tuple[tuple[float, ...], tuple[float, ...]]:
    (loads,), (slews,) = table.floats("index_1"), table.floats("index_2")
    column = min(range(len(slews)), key=lambda n: abs(slews[n] - SLEW_NS))
    return tuple(loads), tuple(row[column] for row in table.floats("values"))


def _by_slew(table: Group) -> float:
    (slews,), (values,) = table.floats("index_1"), table.floats("values")
    return values[min(range(len(slews)), key=lambda n: abs(slews[n] - SLEW_NS))]
