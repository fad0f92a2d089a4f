"""Turns what a user names, a preset or a TOML file, into parameters."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path

from tenon.hw.params import ParameterError, SystolicParams
from tenon.hw.presets import PRESETS

__all__ = ["load_config"]


def load_config(config: str | Path, **changes: object) -> SystolicParams:
    """Parameters of a preset's name or of a TOML file (flat keys; ``preset = "edge16"`` starts from one), with ``changes``.

    Raises
    ------
    ParameterError
        One line that names the file, the key, the accepted range and the value.
    """
    text = str(config)
    if changes:
        base = load_config(config).to_dict()
        if "cols" in changes:
            del base["lanes"]
        return SystolicParams.from_dict(base | {"name": f"{base['name']}_changed"} | changes)
    if text in PRESETS:
        return PRESETS[text]
    path = Path(text)
    if not path.is_file():
        near = difflib.get_close_matches(text, PRESETS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f" (presets: {', '.join(PRESETS)})"
        raise ParameterError(f"configuration {text!r} is neither a preset nor a TOML file{hint}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"{path}: is not TOML: {error}") from None
    except OSError as error:
        raise ParameterError(f"{path}: cannot be read: {error.strerror}") from None
    base: dict[str, object] = {}
    if "preset" in values:
        name = values.pop("preset")
        if not isinstance(name, str) or name not in PRESETS:
            raise ParameterError(f"{path}: preset must be one of {', '.join(PRESETS)}, not {name!r}")
        base = PRESETS[name].to_dict()
        if "cols" in values:
            del base["lanes"]
    if "name" not in values:
        stem = "".join(c if c.isalnum() else "_" for c in path.stem)
        base["name"] = stem if stem.isidentifier() else f"config_{stem}"
    try:
        return SystolicParams.from_dict(base | values)
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from None
