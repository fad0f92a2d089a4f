"""Compiles core.cpp on first use and keeps it in the cache."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from tenon.compiler.cache import cache_folder
from tenon.compiler.errors import CompileError

__all__ = ["run_events"]

_SOURCE = Path(__file__).with_name("core.cpp")
_FLAGS = ("-std=c++17", "-O2", "-shared", "-fPIC")


def run_events(machine: np.ndarray, program: np.ndarray, transfers: np.ndarray, units: int) -> tuple[np.ndarray, ...]:
    """core.cpp's ``tenon_time`` on arrays of int64: moments (an instruction a row), busy and waited cycles by unit, totals."""
    count = len(program)
    moments, busy, waited, totals = (np.zeros(shape, np.int64) for shape in ((count, 5), units, units, 5))
    arrays = [np.ascontiguousarray(a, np.int64) for a in (machine, program, transfers)]
    machine_at, program_at, transfers_at, *results = (ctypes.c_void_p(a.ctypes.data) for a in (*arrays, moments, busy, waited, totals))
    _core().tenon_time(machine_at, program_at, ctypes.c_int32(count), transfers_at, ctypes.c_int32(units), *results)
    return moments, busy, waited, totals


@functools.cache
def _core() -> ctypes.CDLL:
    compiler = shutil.which("g++")
    if compiler is None:
        raise CompileError("g++ is missing, which compiles the timing of programs: install it (Debian: g++)")
    text = _SOURCE.read_bytes()
    key = hashlib.sha256(b"\0".join([text, *(f.encode() for f in (*_FLAGS, platform.machine()))])).hexdigest()[:24]
    library = cache_folder() / "timing" / f"core-{key}.so"
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent, prefix="build-") as folder:
            built = Path(folder) / "core.so"
            done = subprocess.run([compiler, *_FLAGS, "-o", str(built), str(_SOURCE)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise CompileError(f"g++ cannot compile the timing of programs: {(done.stderr.splitlines() or ['no reason given'])[0]}")
            os.replace(built, library)  # whoever builds it at the same time replaces it by the same
    return ctypes.CDLL(str(library))
