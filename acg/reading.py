"""Parts of a covenant's file, held to their types and bounds: a file may come from anywhere."""

from __future__ import annotations

import enum
import keyword
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from tenon.acg.errors import CovenantError

__all__ = ["each", "name_in", "number_in", "of_keys", "one_of", "whole_in"]

_MOST = 1 << 40
_Part = TypeVar("_Part")
_Option = TypeVar("_Option", bound=enum.StrEnum)


def of_keys(data: object, what: str, needed: Sequence[str], others: Sequence[str] = ()) -> Mapping[str, object]:
    """``data`` if it is an object with these keys and no strange ones.

    Raises
    ------
    CovenantError
        Naming ``what``, and the key; so do the other functions.
    """
    if not isinstance(data, dict):
        raise CovenantError(f"{what} must be an object, not {_short(data)}")
    for key in needed:
        if key not in data:
            raise CovenantError(f"{what} must have {key!r}")
    for key in data:
        if key not in (*needed, *others):
            raise CovenantError(f"{what} has an unknown key {_short(key)}; known are {', '.join((*needed, *others))}")
    return data


def whole_in(data: Mapping[str, object], key: str, what: str, low: int = 1, high: int = _MOST) -> int:
    value = data[key]
    if type(value) is not int or not low <= value <= high:
        raise CovenantError(f"{key} of {what} must be a whole number in {low}..{high}, not {_short(value)}")
    return value


def number_in(data: Mapping[str, object], key: str, what: str) -> int | float:
    value = data[key]
    if type(value) not in (int, float) or not 0 < value <= _MOST:
        raise CovenantError(f"{key} of {what} must be a number above 0, not {_short(value)}")
    return value


def one_of(options: type[_Option], data: Mapping[str, object], key: str, what: str) -> _Option:
    """The option of that name."""
    found = next((option for option in options if option.value == data[key]), None)
    if found is None:
        raise CovenantError(f"{key} of {what} must be {' or '.join(option.value for option in options)}, not {_short(data[key])}")
    return found


def name_in(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.isidentifier() or keyword.iskeyword(value):
        raise CovenantError(f"{what} must have a name of letters, digits and _, no word of Python, not {_short(value)}")
    return value


def each(data: Mapping[str, object], key: str, what: str, read: Callable[[object], _Part]) -> tuple[_Part, ...]:
    """A list's items, each read."""
    value = data[key]
    if not isinstance(value, list):
        raise CovenantError(f"{key} of {what} must be a list, not {_short(value)}")
    return tuple(map(read, value))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
