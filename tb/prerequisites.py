"""The system programs Tenon needs, checked with the standard library alone: ``make`` runs this before anything is installed."""

from __future__ import annotations

import ctypes.util
import importlib.util
import shutil
import sys
import sysconfig
from pathlib import Path

__all__ = ["PROGRAMS", "has_libpython", "main", "missing"]

#: Program -> (Debian package, what it is for).
PROGRAMS = {
    "g++": ("g++", "compiles what Verilator writes"),
    "make": ("make", "runs that compilation"),
    "perl": ("perl", "Verilator's launcher is a Perl script"),
}


def has_libpython() -> bool:
    """Whether this Python has a shared library, which cocotb loads into the simulator."""
    name = sysconfig.get_config_var("INSTSONAME") or ""
    folder = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    if ".so" in name and any((place / name).exists() for place in (folder, folder / multiarch)):
        return True
    return ctypes.util.find_library(f"python{sys.version_info.major}.{sys.version_info.minor}") is not None


def missing() -> list[str]:
    """One line for each thing that is not there, naming the Debian package that brings it."""
    lines = []
    if sys.version_info < (3, 11):
        lines.append(f"python3 must be at least 3.11, not {sys.version.split()[0]} (choose one with make PYTHON=...)")
    for program, (package, purpose) in PROGRAMS.items():
        if shutil.which(program) is None:
            lines.append(f"{program} ({purpose}) is missing: apt-get install {package}")
    if importlib.util.find_spec("ensurepip") is None:
        lines.append("python3 cannot make virtual environments: apt-get install python3-venv")
    if not has_libpython():
        lines.append("python3 has no shared library (cocotb loads it): apt-get install libpython3-dev, "
                     "or build Python with --enable-shared")
    return lines


def main() -> int:
    """Prints what is missing; 2 if anything is."""
    lines = missing()
    for line in lines:
        print(f"prerequisite: {line}", file=sys.stderr)
    return 2 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
