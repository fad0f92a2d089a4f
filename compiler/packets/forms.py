"""Addresses of accesses, taken apart: what each loop steps, what they begin at."""

from __future__ import annotations

from tenon.acg.expr import Load

__all__ = ["base_of", "offset_of", "steps_of", "unit_of"]


def steps_of(load: Load) -> dict[str, int]:
    """Bytes that each loop steps an access by."""
    return {loop: factor for (loop, name), factor in load.address.terms if loop and not name}


def base_of(load: Load) -> str:
    """The parameter, or the instruction's field, that an access begins at."""
    return next(name for (loop, name), _ in load.address.terms if name and not loop)


def unit_of(load: Load) -> int:
    """Bytes that this field counts in."""
    return next(factor for (loop, name), factor in load.address.terms if name and not loop)


def offset_of(load: Load) -> int:
    """Bytes from there."""
    return sum(factor for (loop, name), factor in load.address.terms if not loop and not name)
