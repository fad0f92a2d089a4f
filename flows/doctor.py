"""Looks over the machine: is everything there that generating, compiling and simulating need?"""

from __future__ import annotations

import importlib.metadata
import sys
from dataclasses import dataclass

from tenon.flows.errors import UserError
from tenon.tb import toolchain

__all__ = ["Check", "examine"]

_PYTHON = (3, 11)


@dataclass(frozen=True)
class Check:
    """One thing looked at: found (or not), in which version, and how to mend it."""

    name: str
    state: str  # "ok" | "missing" | "optional"
    version: str
    purpose: str
    remedy: str = ""  # empty if nothing is to be done


def examine() -> list[Check]:
    """Every check, in the order in which a user would mend them."""
    return [_python(), *map(_tool, toolchain.survey()), *_packages(), *_hardware(), *_drive()]


def _python() -> Check:
    ok = sys.version_info >= _PYTHON
    return Check("python", "ok" if ok else "missing", sys.version.split()[0], "runs Tenon",
                 "" if ok else f"install Python {_PYTHON[0]}.{_PYTHON[1]} or newer")


def _tool(tool: toolchain.Tool) -> Check:
    if tool.path is not None:
        return Check(tool.name, "ok", tool.version or str(tool.path), tool.purpose)
    return Check(tool.name, "optional" if tool.optional else "missing", "", tool.purpose, tool.remedy)


def _packages() -> list[Check]:
    from tenon.tb.reference import VERSION

    checks = []
    for name, wanted, purpose in (("amaranth", "", "the hardware's language"), ("onnx", "", "reads models"),
                                  ("onnxruntime", VERSION, "the reference: equality holds for one version")):
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = ""
        ok = bool(found) and wanted in ("", found)
        pin = f"=={wanted}" if wanted else ""
        checks.append(Check(name, "ok" if ok else "missing", found, purpose, "" if ok else f"pip install {name}{pin}"))
    return checks


def _hardware() -> list[Check]:
    from tenon.flows.hardware import osu018
    from tenon.flows.hardware.opensta import sta_version
    from tenon.flows.hardware.placement import find_placer
    from tenon.flows.hardware.yosys import find_yosys

    checks = []
    for name, find, purpose in (("yosys", lambda: find_yosys().version, "synthesis: generate --area and --timing"),
                                ("nextpnr-ecp5", find_placer, "timing on an FPGA: generate --timing ecp5"),
                                ("sta", sta_version, "timing in standard cells: generate --timing osu018"),
                                ("osu018", lambda: str(osu018.library().path), "the standard cells")):
        try:
            checks.append(Check(name, "ok", find(), purpose))
        except UserError as error:
            checks.append(Check(name, "optional", "", purpose, str(error).partition(": ")[2]))
    return checks


def _drive() -> list[Check]:
    from tenon.tb.drive.uml.kernel import missing, present

    checks = []
    for name, purpose in (("pythondata-cpu-vexriscv", "the drive's processor"), ("ziglang", "compiles the drive's firmware")):
        try:
            checks.append(Check(name, "ok", importlib.metadata.version(name), purpose))
        except importlib.metadata.PackageNotFoundError:
            checks.append(Check(name, "optional", "", purpose, "pip install 'tenon-hw[drive]'"))
    purpose, absent = "drive linux: stock Linux beside the RTL", missing()
    if absent:
        checks.append(Check("linux", "optional", "", purpose, f"apt-get install {' '.join(absent)}"))
    else:
        built = present()
        checks.append(Check("linux", "ok", "built" if built else "its sources are here; built when first used", purpose))
    return checks
