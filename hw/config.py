"""Turns what a user names, a preset or a TOML file, into parameters, and a clock if the file has one."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tenon.hw.params import ParameterError, SystolicParams
from tenon.hw.presets import PRESETS

__all__ = ["MHZ_RANGE", "Configuration", "load_config", "read_config"]

MHZ_RANGE = (1, 10_000)  # what a clock may be
_CLOCK = "clock_mhz"


@dataclass(frozen=True)
class Configuration:
    """``params``, and ``clock_mhz``: how fast they are to be clocked, if that is said.

    The clock is no parameter: it changes times, but nothing of the hardware, of its covenant, or of a program.
    """

    params: SystolicParams
    clock_mhz: float | None = None


def load_config(config: str | Path, **changes: object) -> SystolicParams:
    """Parameters of a preset's name or of a TOML file, as ``read_config`` reads it, with ``changes``. Raises as it does."""
    params = read_config(config).params
    if not changes:
        return params
    base = params.to_dict()
    if "cols" in changes:
        del base["lanes"]
    return SystolicParams.from_dict(base | {"name": f"{base['name']}_changed"} | changes)


def read_config(config: str | Path) -> Configuration:
    """What a preset's name or a TOML file says (flat keys; ``preset = "edge16"`` starts from one).

    Raises
    ------
    ParameterError
        One line that names the file, the key, the accepted range and the value.
    """
    text = str(config)
    if text in PRESETS:
        return Configuration(PRESETS[text])
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
        clock_mhz = _clock(values.pop(_CLOCK)) if _CLOCK in values else None
        return Configuration(SystolicParams.from_dict(base | values), clock_mhz)
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from None


def _clock(value: object) -> float:
    low, high = MHZ_RANGE
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ParameterError(f"{_CLOCK} must be a number in {low}..{high}, not {value!r}")
    return float(value)
