"""Measurements kept until a source changes, so that a run of the benchmarks that was interrupted goes on where it was."""

from __future__ import annotations

import hashlib
import pickle
import platform
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tenon.compiler.cache import cache_folder

__all__ = ["kept"]

_ROOT = Path(__file__).resolve().parents[2]
_SOURCES = ("acg", "compiler", "firmware", "flows", "hw", "tb", "pyproject.toml")


def kept(name: str, measure: Callable, *arguments, **options):
    """What ``measure`` returns: measured now, or before with the same sources on the same machine."""
    path = cache_folder() / "bench" / f"{_version()}-{name}.pickle"
    if path.is_file():
        return pickle.loads(path.read_bytes())
    found = measure(*arguments, **options)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(pickle.dumps(found))
    partial.rename(path)
    return found


@cache
def _version() -> str:
    """Of all sources, of Python and of the machine."""
    digest = hashlib.sha256(f"{platform.node()} {platform.machine()} {sys.version}".encode())
    files = [f for name in _SOURCES for f in ([_ROOT / name] if (_ROOT / name).is_file() else (_ROOT / name).rglob("*"))]
    for path in sorted(f for f in files if f.is_file() and "__pycache__" not in f.parts):
        digest.update(str(path.relative_to(_ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]
