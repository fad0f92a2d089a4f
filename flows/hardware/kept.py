"""Results of tools that take long, kept in the cache under everything that they depend on."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from tenon.compiler.cache import cache_folder

__all__ = ["kept"]


def kept(kind: str, recipe: list, make: Callable[[], object]):
    """What ``make`` returned when it was last called for ``recipe``, its own module being the same but for comments; all is JSON."""
    source = ast.parse(Path(sys.modules[make.__module__].__file__).read_text(encoding="utf-8"))
    key = hashlib.sha256(json.dumps([recipe, ast.dump(source)]).encode()).hexdigest()[:24]
    path = cache_folder() / "hardware" / f"{kind}-{key}.json"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(make()), encoding="utf-8")
        partial.rename(path)
    return json.loads(path.read_text(encoding="utf-8"))
