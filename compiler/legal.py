"""What instructions must not do whatever their order: checked of many at once, as soon as their addresses are known.

Selection has seen to everything that does not depend on addresses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tenon.acg.access import Access
from tenon.acg.formula import evaluate_all, names
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic, accesses
from tenon.compiler.code import Code
from tenon.compiler.timing.columns import chosen, columns_of, corners
from tenon.compiler.timing.footprints import footprint_rows, memories_of

__all__ = ["first_problem"]


def first_problem(graph: Graph, code: Code) -> str | None:
    """What is wrong with one of the instructions: it leaves a memory, breaks a rule, or reads what it writes; None if nothing is."""
    memories, sizes = list(memories_of(graph)), graph.memory_bytes
    room = np.array([sizes.get(name, 0) for name in memories])  # 0: a segment, of no known size yet
    place, memory, low, high, _ = footprint_rows(graph, code).T
    beyond = np.flatnonzero((room[memory] > 0) & ((low < 0) | (high >= room[memory])))
    if len(beyond):
        first = beyond[0]
        return (f"{_name(code, place[first])} would touch bytes {low[first]}..{high[first]} of {memories[memory[first]]}, which has "
                f"{room[memory[first]]}")
    width = max(len(_pairs(m)) for m in graph.mnemonics)
    gaps = code.rows(graph, _gaps, 2 * width).reshape(len(code), width, 2)
    meeting = np.flatnonzero((gaps <= 0).all(axis=2).any(axis=1))
    if len(meeting):
        return f"{_name(code, meeting[0])} would read bytes that it writes"
    for number in np.unique(code.form).tolist():
        template = code.forms.templates[number]
        for rule in template.mnemonic.rules:
            if names(rule) & template.linear.keys():
                fields = code.fields[code.form == number]
                columns = dict(template.fields) | {name: fields[:, k] for k, name in enumerate(template.linear)}
                if not np.all(evaluate_all(rule, columns)):
                    return f"{template.mnemonic.name} would break its rule {rule}"
    return None


def _name(code: Code, place: int) -> str:
    return code.forms.templates[code.form[place]].mnemonic.name


def _pairs(mnemonic: Mnemonic) -> list[tuple[Access, Access]]:
    """Writes, and reads that may be of the same bytes."""
    found = accesses(mnemonic)
    return [(w, r) for w in found if w.write for r in found if r.meets(w)]


def _gaps(graph: Graph, mnemonic: Mnemonic, fields: Sequence[Mapping[str, object]]) -> np.ndarray:
    """Of each pair by how much the read begins behind the write, and the write behind the read: 1 and more is apart."""
    pairs, count = _pairs(mnemonic), len(fields)
    rows = np.ones((count, max(len(_pairs(m)) for m in graph.mnemonics), 2), np.int64)
    columns = columns_of(fields, frozenset().union(*(a.fields for pair in pairs for a in pair)))
    for k, (written, read) in enumerate(pairs):
        (low, high), (first, last) = corners(written, columns), corners(read, columns)
        both = chosen(written, columns, count) & chosen(read, columns, count)
        rows[:, k] = np.where(both[:, None], np.column_stack([first - high, low - last]), 1)
    return rows.reshape(count, -1)
