"""Fields of many instructions of one mnemonic as columns, and what is computed from them all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tenon.acg.access import Access
from tenon.acg.expr import Aff

__all__ = ["Columns", "affine", "chosen", "columns_of"]

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
