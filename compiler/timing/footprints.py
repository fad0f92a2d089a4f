"""What many instructions read and write, as rows of numbers: ``compiler.hazards.footprints`` for all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic, accesses
from tenon.compiler.code import Code
from tenon.compiler.timing.columns import chosen, columns_of, corners

__all__ = ["footprint_rows", "memories_of"]

_PRINT = 4  # memory by its number (-1: no such access), first and last byte, whether it is written


def footprint_rows(graph: Graph, code: Code) -> np.ndarray:
    """Rows of instruction, memory by its number in ``memories_of``, first and last byte, and whether it is written; by instruction."""
    most = max(len(accesses(m)) for m in graph.mnemonics)
    prints = code.rows(graph, _prints, most * _PRINT).reshape(-1, _PRINT)
    made = prints[:, 0] >= 0
    return np.column_stack([np.repeat(np.arange(len(code)), most)[made], prints[made]])


def _prints(graph: Graph, mnemonic: Mnemonic, fields: Sequence[Mapping[str, object]]) -> np.ndarray:
    """The accesses of each, one behind the other."""
    kinds, memories, count = accesses(mnemonic), memories_of(graph), len(fields)
    columns = columns_of(fields, frozenset().union(*(a.fields for a in kinds)))
    most = max(len(accesses(m)) for m in graph.mnemonics)
    rows = np.zeros((count, most, _PRINT), np.int64)
    rows[:, :, 0] = -1
    for k, access in enumerate(kinds):
        rows[:, k, 0] = np.where(chosen(access, columns, count), memories[access.memory], -1)
        rows[:, k, 1], rows[:, k, 2] = corners(access, columns)
        rows[:, k, 3] = access.write
    return rows.reshape(count, -1)


def memories_of(graph: Graph) -> dict[str, int]:
    """A number for each memory and segment."""
    names = dict.fromkeys(a.memory for m in graph.mnemonics for a in accesses(m))
    return {name: number for number, name in enumerate(names)}
