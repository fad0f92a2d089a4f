"""Keeps models that take long to make."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import onnx

__all__ = ["cached"]


def cached(folder: Path, name: str, recipe: Sequence[str], make: Callable[[], onnx.ModelProto]) -> onnx.ModelProto:
    """The model that ``make`` makes; kept in ``folder`` as long as the files that it depends on, ``recipe``, stay the same."""
    digest = hashlib.sha256(b"".join(Path(file).read_bytes() for file in recipe)).hexdigest()[:16]
    path = folder / f"{name}-{digest}.onnx"
    if path.is_file():
        return onnx.load(path)
    folder.mkdir(parents=True, exist_ok=True)
    model = make()
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(model.SerializeToString())
    os.replace(file.name, path)
    return model
