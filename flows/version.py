"""The version of this software."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

__all__ = ["version"]


def version() -> str:
    """As installed, or as ``pyproject.toml`` says in a tree that is not."""
    try:
        return importlib.metadata.version("tenon-hw")
    except importlib.metadata.PackageNotFoundError:
        path = Path(__file__).resolve().parents[1] / "pyproject.toml"
        return tomllib.loads(path.read_text(encoding="utf-8"))["project"]["version"]
