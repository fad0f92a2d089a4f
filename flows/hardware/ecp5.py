"""Timing on an FPGA: a module placed and routed on an ECP5, with a register at every port."""

from __future__ import annotations

from pathlib import Path

from tenon.flows.hardware import placement
from tenon.flows.hardware.design import CLOCK_GATE, Design
from tenon.flows.hardware.timing import CriticalPath, Step

__all__ = ["conditions", "critical_path"]

_WIRE = (f"module {CLOCK_GATE} #(parameter GATED = 1) (input clk, input enable, input test_enable, output gated); "
         "assign gated = clk; endmodule")


def conditions(tries: int, clock_mhz: float | None) -> str:
    """What the figures hold for."""
    enough = f", or the first with {clock_mhz:g} MHz" if clock_mhz else ""
    chosen = f"the fastest of {tries} placements{enough}" if tries > 1 else "once"
    return (f"{placement.DEVICE}, speed grade 6 (the slowest), placed and routed out of context with a register at every port, {chosen}; "
            "clock gates are wires")


def critical_path(design: Design, name: str, log: Path | None = None, tries: int = 1, clock_mhz: float | None = None) -> CriticalPath:
    """The slowest path of part ``name`` with all in it, in the fastest of ``tries`` placements, or the first with ``clock_mhz``;
    ``log`` is a file for what nextpnr says.

    Raises
    ------
    UserError
        If a tool is missing, or the part does not fit the device.
    """
    found = placement.placed(design.text_of(name, {CLOCK_GATE: _WIRE}) + design.registered(name), name, log, tries, clock_mhz)
    ns, routing, steps = 0.0, 0.0, []
    entered = False  # over routing; what follows without is in the same slice, or the next one of a carry chain
    for step in found["path"]:
        ns += step["delay"]
        if step["type"] == "routing":
            routing += step["delay"]
            entered = step["delay"] > 0
        elif step["type"] == "logic":
            if not entered and steps:
                steps.pop()
            steps.append(Step(_kind(step), placement.plain(step["to"]["cell"]), round(ns, 3)))
            entered = False
    return CriticalPath(name, design.instances()[name], round(ns, 3), len(steps), *found["ends"], tuple(steps),
                        routing_ns=round(routing, 3))


def _kind(step: dict) -> str:
    source, target = step["from"]["port"], step["to"]["port"]
    if source.startswith("FC") or target.startswith("FC"):
        return "carry"
    return "multiplier" if target.startswith("P") else "LUT"
