"""Timing of a configuration, module by module or as a whole."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path

from tenon.flows.errors import UserError
from tenon.flows.hardware import ecp5, osu018
from tenon.flows.hardware.design import SEAMS, Design, take_apart
from tenon.flows.hardware.opensta import find_sta
from tenon.flows.hardware.placement import find_placer
from tenon.flows.hardware.timing import Timing
from tenon.flows.hardware.yosys import find_yosys
from tenon.hw.params import SystolicParams
from tenon.tb.gateware import verilog_of

__all__ = ["check_clock", "check_tools", "design_of", "paths_of", "timing_of"]

_COPIES = 2  # more of one module in another, such as rows and lanes, and placing them all takes long and tells little


def check_tools(area: str | None, timing: str | None) -> None:
    """Refuses an analysis whose tools are missing: before any work for it.

    Raises
    ------
    UserError
        One line that names the tool, and how to get it.
    """
    if area or timing:
        find_yosys()
    if "osu018" in (area, timing):
        osu018.library()
    if timing is not None:
        find_placer() if timing == "ecp5" else find_sta()


def design_of(params: SystolicParams) -> Design:
    """The Verilog of ``params``, taken apart."""
    return take_apart(verilog_of(params), params.name)


def timing_of(params: SystolicParams, technology: str, modules: Sequence[str] = (), *, whole: bool = False,
              log: Path | None = None, tries: int = 1, clock_mhz: float | None = None,
              progress: Callable[[str], None] = lambda text: None) -> Timing:
    """The slowest path of each module of ``params``, or of those named; see ``paths_of``.

    Raises
    ------
    UserError
        If a tool or a module is missing, or does not fit the device.
    """
    design = design_of(params)
    progress(f"timing of {params.name}")
    return paths_of(design, params.name, technology, modules, whole=whole, log=log, tries=tries, clock_mhz=clock_mhz, progress=progress)


def paths_of(design: Design, config: str, technology: str, modules: Sequence[str] = (), *, whole: bool = False,
             log: Path | None = None, tries: int = 1, clock_mhz: float | None = None,
             progress: Callable[[str], None] = lambda text: None) -> Timing:
    """The slowest path of each module by itself, with those in it; or of the ``whole``, and there into each module.

    On an FPGA, modules with many copies of another are left out unless ``modules`` names them, and there is one path of the
    whole, into whatever module. ``log`` is a file for what nextpnr says, ``tries`` how many placements it tries, unless one
    reaches ``clock_mhz``.
    """
    names = [_known(design, name) for name in modules]
    if whole:
        paths = [ecp5.critical_path(design, design.top, log, tries, clock_mhz)] if technology == "ecp5" else osu018.paths_by_end(design)
        paths = [path for path in paths if not names or path.module in names]
        scope = "the slowest path of the whole" if technology == "ecp5" else "the slowest path in the whole into each module"
    else:
        paths = []
        names = names or _worth_while(design, technology)
        for number, name in enumerate(names, 1):
            progress(f"timing of {config}: {name}, {number} of {len(names)}")
            paths.append(osu018.critical_path(design, name) if technology == "osu018" else
                         ecp5.critical_path(design, name, log, tries, clock_mhz))
        scope = "the slowest path of each module, with those in it"
    paths.sort(key=lambda path: -path.ns)
    conditions = ecp5.conditions(tries, clock_mhz) if technology == "ecp5" else osu018.conditions()
    return Timing(config, technology, scope, conditions, tuple(paths))


def check_clock(timing: Timing, mhz: float) -> None:
    """Refuses a clock that the slowest path does not allow.

    Raises
    ------
    UserError
        One line that names the module, and the path.
    """
    slowest = timing.paths[0]
    if slowest.mhz < mhz:
        raise UserError(f"{timing.config} does not reach {mhz:g} MHz: {slowest.module} allows {slowest.mhz:.1f} "
                        f"({slowest.ns:.2f} ns from {slowest.start} to {slowest.end})")


def _worth_while(design: Design, technology: str) -> list[str]:
    left_out = {design.top}
    names = []
    for name in design.within(design.top):
        part = design.parts[name]
        copies = max((times for child, times in part.children.items() if design.parts[child].module not in SEAMS), default=0)
        if technology == "ecp5" and (copies > _COPIES or left_out & set(part.children)):
            left_out.add(name)
        elif part.module not in SEAMS and name != design.top:
            names.append(name)
    return names


def _known(design: Design, name: str) -> str:
    for candidate in (name, f"tenon_{name}"):
        if candidate in design.parts and design.parts[candidate].module not in SEAMS:
            return candidate
    known = [part.removeprefix("tenon_") for part in design.parts if design.parts[part].module not in SEAMS]
    close = difflib.get_close_matches(name.removeprefix("tenon_"), known, 1)
    raise UserError(f"--module: {design.top} has no module {name!r}; " +
                    (f"did you mean {close[0]}?" if close else "their names are in its Verilog"))
