"""Which banks many instructions use, and how often, where several engines that compute want the same memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tenon.acg.formula import evaluate_all, names
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic, accesses
from tenon.acg.port_bytes import port_bytes_of
from tenon.acg.precedence import Precedence, precedence_of
from tenon.compiler.code import Code
from tenon.compiler.timing.columns import chosen, columns_of, corners
from tenon.compiler.timing.transfers import moves

__all__ = ["port_uses"]

_USE = 5  # first and last byte (of a memory that is not used: 1 and 0), accesses, cycles before the first of them, and behind issues


def port_uses(graph: Graph, code: Code) -> tuple[np.ndarray, np.ndarray]:
    """Of each instruction and kind of port a row of events.cpp's ``Use``, and the units' ranks.

    Shapes (instructions, ports, 4) and (ports, units): the lower rank is served first, -1 has no such port. Transfers have none:
    nobody who moves data is known to wait for a bank, or to keep one busy.
    """
    ports = _ports(graph)
    units = [u.name for u in graph.units]
    ranks = np.full((len(ports), len(units)), -1)
    for k, port in enumerate(ports):
        for rank, (unit, _) in enumerate(port.ports):
            ranks[k, units.index(unit)] = rank
    if not ports:
        return np.zeros((len(code), 0, 4), np.int64), ranks
    rows = code.rows(graph, _uses, len(ports) * _USE).reshape(-1, len(ports), _USE)
    memories = [graph.memory(port.memory) for port in ports]
    size = np.array([m.size // m.banks for m in memories])
    first, last = rows[:, :, 0] // size, rows[:, :, 1] // size
    used = (rows[:, :, 1] >= rows[:, :, 0]) & (rows[:, :, 2] > 0)
    banks = np.where(used, (1 << (last + 1)) - (1 << first), 0)
    return np.concatenate([banks[:, :, None], rows[:, :, 2:]], axis=2), ranks


def _ports(graph: Graph) -> list[Precedence]:
    """Those that engines that compute share."""
    on_chip = frozenset(graph.memory_bytes)
    computing = {m.unit for m in graph.mnemonics if not moves(m, on_chip)}
    found = (replace(order, ports=tuple((unit, size) for unit, size in order.ports if unit in computing)) for order in precedence_of(graph))
    return [order for order in found if len(order.ports) > 1]


def _uses(graph: Graph, mnemonic: Mnemonic, fields: Sequence[Mapping[str, object]]) -> np.ndarray:
    """A row of each instruction and kind of port.

    What an effect does not read, but hardware does, is what it writes: sums, from the second step of a reduction on. What is written,
    and what is read to be written anew, comes as late as results.
    """
    count, kinds = len(fields), _ports(graph)
    rows = np.tile(np.array([1, 0, 0, 0, 0]), (count, len(kinds), 1))
    made = [a for a in accesses(mnemonic) if any(a.memory == kind.memory for kind in kinds)]
    moved = [p for p in port_bytes_of(graph)[mnemonic.name] if any(p.memory == kind.memory for kind in kinds)]
    formulas = [p.formula for p in moved] + [mnemonic.timing.occupancy, mnemonic.timing.visible]
    columns = columns_of(fields, frozenset().union(*(a.fields for a in made), *map(names, formulas)))
    work, latency = (evaluate_all(formula, columns) for formula in formulas[-2:])
    written = {a.memory for a in made if a.write}

    def counted(memory: str, write: bool, size: int) -> np.ndarray:
        return sum((evaluate_all(p.formula, columns) // size for p in moved if (p.memory, p.write) == (memory, write)),
                   np.zeros(count, np.int64))

    for kind, row in zip(kinds, rows.transpose(1, 0, 2)):
        size = dict(kind.ports).get(mnemonic.unit)
        if size is None:
            continue
        row[:, 2] = counted(kind.memory, kind.write, size)
        row[:, 4] = latency if kind.memory in written else 0
        for write in (kind.write, not kind.write):
            none = row[:, 1] < row[:, 0]
            for access in (a for a in made if (a.memory, a.write) == (kind.memory, write)):
                low, high = corners(access, columns)
                first, there = row[:, 1] < row[:, 0], none & chosen(access, columns, count)
                row[there, 0] = np.where(first, low, np.minimum(low, row[:, 0]))[there]
                row[there, 1] = np.where(first, high, np.maximum(high, row[:, 1]))[there]
                if write != kind.write:
                    row[there, 3] = (work - work * row[:, 2] // np.maximum(counted(kind.memory, write, size), 1))[there]
    return rows.reshape(count, -1)
