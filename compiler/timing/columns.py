"""Fields of many instructions of one mnemonic as columns, and what is computed from them all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tenon.acg.access import Access
from tenon.acg.expr import Aff

__all__ = ["Columns", "affine", "chosen", "columns_of", "corners"]

Columns = Mapping[str, np.ndarray]


def columns_of(fields: Sequence[Mapping[str, object]], names: Iterable[str]) -> dict[str, np.ndarray]:
    """For each name an int64 of each instruction."""
    return {name: np.fromiter((f[name] for f in fields), np.int64, len(fields)) for name in names}


def affine(form: Aff, loop: str, columns: Columns, count: int) -> np.ndarray:
    """The coefficient of ``loop`` in ``form`` (``""``: the constant) for each instruction."""
    total = np.zeros(count, np.int64)
    for (name, field), value in form.terms:
        if name == loop:
            total += value * columns[field] if field else value
    return total


def chosen(access: Access, columns: Columns, count: int) -> np.ndarray:
    """A mask: the instructions that make this access."""
    mask = np.ones(count, bool)
    for field, values in access.conditions:
        mask &= np.isin(columns[field], values)
    return mask


def corners(access: Access, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """First and last byte that each instruction touches (``Access.corners``)."""
    low = columns[access.base].copy()
    high = low.copy()
    for stride, extent in access.terms:
        reach = (columns[stride] if isinstance(stride, str) else stride) * (columns[extent] - 1)
        low += np.minimum(reach, 0)
        high += np.maximum(reach, 0)
    return low * access.unit, high * access.unit + access.span - 1
