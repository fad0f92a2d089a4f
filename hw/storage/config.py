"""Turns what a user names, a preset or a TOML file, into a drive's parameters."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path

from tenon.hw.config import load_config
from tenon.hw.domain import ParameterError
from tenon.hw.storage.params import StorageParams
from tenon.hw.storage.presets import DRIVES

__all__ = ["load_drive"]


def load_drive(config: str) -> StorageParams:
    """Parameters of a preset's name or of a TOML file: flat keys, ``preset = "dscs8"`` starts from one, ``accelerator`` names one as
    ``hw.config`` reads it.

    Raises
    ------
    ParameterError
        One line that names the file, the key, what it may be and what it is.
    """
    if config in DRIVES:
        return DRIVES[config]
    path = Path(config)
    if not path.is_file():
        near = difflib.get_close_matches(config, DRIVES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f" (presets: {', '.join(DRIVES)})"
        raise ParameterError(f"drive {config!r} is neither a preset nor a TOML file{hint}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"{path}: is not TOML: {error}") from None
    except OSError as error:
        raise ParameterError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        base: dict[str, object] = {}
        if "preset" in values:
            name = values.pop("preset")
            if not isinstance(name, str) or name not in DRIVES:
                raise ParameterError(f"preset must be one of {', '.join(DRIVES)}, not {name!r}")
            base = DRIVES[name].to_dict()
        if "name" not in values:
            stem = "".join(c if c.isalnum() else "_" for c in path.stem)
            base["name"] = stem if stem.isidentifier() else f"drive_{stem}"
        if isinstance(values.get("accelerator"), str):
            near_file = path.parent / values["accelerator"]
            values["accelerator"] = load_config(near_file if near_file.is_file() else values["accelerator"]).to_dict()
        return StorageParams.from_dict(base | values)
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from None
