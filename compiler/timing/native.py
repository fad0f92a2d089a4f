"""Compiles events.cpp and tokens.cpp on first use, keeps them in the cache, and calls them."""

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

__all__ = ["GUARDS", "LEVELS", "available", "run_events", "run_tokens"]

_SOURCES = tuple(Path(__file__).with_name(name) for name in ("events.cpp", "tokens.cpp"))
_COMPILER = "g++"
LEVELS, GUARDS = 4, 2  # of a transfer at most
_FLAGS = ("-std=c++17", "-O3", "-shared", "-fPIC", f"-DLEVELS={LEVELS}", f"-DGUARDS={GUARDS}")


@functools.cache
def available() -> bool:
    """Whether they are compiled, or can be: there is a compiler for them, and a place to keep them."""
    try:
        _core()
    except CompileError:
        return False
    return True


def run_events(machine: np.ndarray, program: np.ndarray, transfers: np.ndarray, uses: np.ndarray,
               ranks: np.ndarray) -> tuple[np.ndarray, ...]:
    """events.cpp's ``tenon_time`` on arrays of int64: moments (an instruction a row), busy and waited cycles by unit, totals.

    ``uses`` (instructions, ports, 2); ``ranks`` (ports, units).
    """
    count, (ports, units) = len(program), ranks.shape
    moments, busy, waited, totals = (np.zeros(shape, np.int64) for shape in ((count, 5), units, units, 5))
    arrays = [np.ascontiguousarray(a, np.int64) for a in (machine, program, transfers, uses, ranks)]
    machine_at, program_at, transfers_at, uses_at, ranks_at, *results = (
        ctypes.c_void_p(a.ctypes.data) for a in (*arrays, moments, busy, waited, totals))
    _core().tenon_time(machine_at, program_at, ctypes.c_int32(count), transfers_at, uses_at, ranks_at, ctypes.c_int32(ports),
                       ctypes.c_int32(units), *results)
    return moments, busy, waited, totals


def run_tokens(unit: np.ndarray, units: int, footprints: np.ndarray, ordered: np.ndarray, tokens: int, most: int) -> tuple[int, np.ndarray]:
    """tokens.cpp's ``tenon_tokens``: the counters that are needed; waits, releases and dones, a row each."""
    count = len(unit)
    masks = np.zeros((3, count), np.int64)
    arrays = [np.ascontiguousarray(a, np.int64) for a in (unit, footprints, ordered)]
    unit_at, footprints_at, ordered_at = (ctypes.c_void_p(a.ctypes.data) for a in arrays)
    numbers = [ctypes.c_int32(n) for n in (count, units, len(footprints), ordered.shape[1], tokens, most)]
    needed = _core().tenon_tokens(unit_at, *numbers[:2], footprints_at, *numbers[2:4], ordered_at, *numbers[4:],
                                  *(ctypes.c_void_p(mask.ctypes.data) for mask in masks))
    return needed, masks


@functools.cache
def _core() -> ctypes.CDLL:
    texts = [source.read_bytes() for source in _SOURCES]
    key = hashlib.sha256(b"\0".join([*texts, *(f.encode() for f in (*_FLAGS, platform.machine()))])).hexdigest()[:24]
    library = cache_folder() / "timing" / f"core-{key}.so"
    try:
        if not library.exists():
            _build(library)
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise CompileError(f"the compiled timing of programs cannot be kept in {library.parent}: {error}") from None


def _build(library: Path) -> None:
    compiler = shutil.which(_COMPILER)
    if compiler is None:
        raise CompileError(f"{_COMPILER} is missing, which compiles the timing of programs: install it (Debian: {_COMPILER})")
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent, prefix="build-") as folder:
        built = Path(folder) / "core.so"
        done = subprocess.run([compiler, *_FLAGS, "-o", str(built), *map(str, _SOURCES)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise CompileError(f"{_COMPILER} cannot compile the timing of programs: {(done.stderr.splitlines() or ['no reason given'])[0]}")
        os.replace(built, library)  # whoever builds it at the same time replaces it by the same
