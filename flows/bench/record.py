"""A file of results that were long in coming: one a line, with what they depend on, so that whoever was interrupted goes on."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["Record"]


class Record:
    """JSON by key, a tuple of what JSON has. Several processes may add to one file: a line is written at once."""

    def __init__(self, path: Path):
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        self._found = {tuple(key): value for key, value in map(json.loads, lines)}

    def __contains__(self, key: tuple) -> bool:
        return key in self._found

    def __getitem__(self, key: tuple):
        return self._found[key]

    def add(self, key: tuple, value) -> None:
        """Keeps ``value``."""
        self._found[key] = value
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([key, value], separators=(",", ":")) + "\n")
