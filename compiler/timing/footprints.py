"""What many instructions read and write, as rows of numbers: ``compiler.hazards.footprints`` for all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tenon.acg.graph import Graph
from tenon.acg.mnemonic import accesses
from tenon.compiler.instruction import Instruction
from tenon.compiler.timing.columns import chosen, columns_of

__all__ = ["footprint_rows", "memories_of", "places_by_mnemonic"]


def places_by_mnemonic(instructions: Sequence[Instruction]) -> dict[str, list[int]]:
    """Where the instructions of each mnemonic are."""
    places: dict[str, list[int]] = {}
    for place, instruction in enumerate(instructions):
        places.setdefault(instruction.mnemonic.name, []).append(place)
    return places


def footprint_rows(instructions: Sequence[Instruction], memories: Mapping[str, int]) -> np.ndarray:
    """Rows of instruction, memory by its number in ``memories``, first and last byte, and whether it is written; by instruction."""
    found = [np.zeros((0, 5), np.int64)]
    for mine in places_by_mnemonic(instructions).values():
        kinds = accesses(instructions[mine[0]].mnemonic)
        wanted = frozenset().union(*(a.fields for a in kinds))
        columns, here = columns_of([instructions[k].fields for k in mine], wanted), np.array(mine)
        for access in kinds:
            low = columns[access.base].copy()
            high = low.copy()
            for stride, extent in access.terms:
                reach = (columns[stride] if isinstance(stride, str) else stride) * (columns[extent] - 1)
                low += np.minimum(reach, 0)
                high += np.maximum(reach, 0)
            rows = np.empty((len(mine), 5), np.int64)
            rows[:, 0], rows[:, 1], rows[:, 4] = here, memories[access.memory], access.write
            rows[:, 2], rows[:, 3] = low * access.unit, high * access.unit + access.span - 1
            found.append(rows[chosen(access, columns, len(mine))])
    rows = np.concatenate(found)
    return rows[np.argsort(rows[:, 0], kind="stable")]


def memories_of(graph: Graph) -> dict[str, int]:
    """A number for each memory and segment."""
    names = dict.fromkeys(a.memory for m in graph.mnemonics for a in accesses(m))
    return {name: number for number, name in enumerate(names)}
