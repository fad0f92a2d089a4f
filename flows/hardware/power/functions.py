"""Boolean functions of a library's cells, on integers that hold one bit for each of many cycles."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["Function", "function"]

#: From (values of the inputs, by number; all ones) to a value.
Function = Callable[[list[int], int], int]

_TOKEN = re.compile(r"\s*([A-Za-z_]\w*|[!()+^*&|'])")


def function(text: str, inputs: list[str]) -> Function:
    """The function that Liberty's ``text`` describes of pins ``inputs``: ``!a`` and ``a'``, ``a^b``, ``a b`` and ``a*b``, ``a+b``."""
    tokens = [*_TOKEN.findall(text), ""]
    at = 0

    def take(*marks: str) -> bool:
        nonlocal at
        found = tokens[at] in marks
        at += found
        return found

    def either() -> Function:
        found = both()
        while take("+", "|"):
            found = _or(found, both())
        return found

    def both() -> Function:
        found = differ()
        while take("*", "&") or tokens[at] not in ("", ")", "+", "|"):
            found = _and(found, differ())
        return found

    def differ() -> Function:
        found = single()
        while take("^"):
            found = _xor(found, single())
        return found

    def single() -> Function:
        nonlocal at
        if take("!"):
            return _not(single())
        if take("("):
            found = either()
            at += 1
        else:
            found = _pin(inputs.index(tokens[at]))
            at += 1
        return _not(found) if take("'") else found

    return either()


def _pin(number: int) -> Function:
    return lambda values, ones: values[number]


def _not(a: Function) -> Function:
    return lambda values, ones: ones ^ a(values, ones)


def _and(a: Function, b: Function) -> Function:
    return lambda values, ones: a(values, ones) & b(values, ones)


def _or(a: Function, b: Function) -> Function:
    return lambda values, ones: a(values, ones) | b(values, ones)


def _xor(a: Function, b: Function) -> Function:
    return lambda values, ones: a(values, ones) ^ b(values, ones)
