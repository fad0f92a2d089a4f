"""What a program does, counted from its instructions and the covenant: operations, bytes through memories' ports, words of the bus."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenon.acg.expr import Choose, Expr, Load, Lookup, Loop, Op, Reduce, Val, walk
from tenon.acg.formula import evaluate_all, names
from tenon.acg.graph import Graph as Covenant
from tenon.acg.mnemonic import Mnemonic
from tenon.acg.port_bytes import port_bytes_of
from tenon.compiler.instruction import Instruction
from tenon.compiler.timing.columns import Columns, columns_of
from tenon.compiler.timing.transfers import bus_words, moves, transfer_fields, transfers

__all__ = ["Activity", "Operation", "activity_of"]


class Operation(enum.Enum):
    """``MAC``: 8 bits times 8 bits, added to 32 bits. ``ADD``, ``MULTIPLY`` and ``FMA`` are of binary32; ``INTEGER_ADD`` stands for
    additions, subtractions and comparisons of integers, and for comparisons of binary32, which are those of their bits."""

    MAC = "mac"
    INTEGER_ADD = "integer add"
    ADD = "binary32 add"
    MULTIPLY = "binary32 multiply"
    FMA = "binary32 multiply-add"


@dataclass(frozen=True)
class Activity:
    """``port_bytes``: by memory and whether written. DRAM in whole words of the bus, in bytes: tensors and constants read, results
    written, instructions (END with them) fetched."""

    operations: Mapping[Operation, int]
    port_bytes: Mapping[tuple[str, bool], int]
    dram_read_bytes: int
    dram_written_bytes: int
    fetched_bytes: int
    instructions: int


_FLOAT = {"add": Operation.ADD, "sub": Operation.ADD, "mul": Operation.MULTIPLY, "fma": Operation.FMA, "max": Operation.INTEGER_ADD,
          "min": Operation.INTEGER_ADD}
_INTEGER = dict.fromkeys(("add", "sub", "max", "min"), Operation.INTEGER_ADD)


def activity_of(covenant: Covenant, instructions: Sequence[Instruction]) -> Activity:
    """Counts all instructions of a mnemonic at once; END is not among them, but is fetched.

    Raises
    ------
    CovenantError
        If the covenant does not note what goes through its memories' ports.
    """
    ports, on_chip = port_bytes_of(covenant), frozenset(covenant.memory_bytes)
    operations: Counter[Operation] = Counter()
    port_bytes: Counter[tuple[str, bool]] = Counter()
    read = written = 0
    kinds: dict[str, list[Instruction]] = {}
    for instruction in instructions:
        kinds.setdefault(instruction.mnemonic.name, []).append(instruction)
    for mine in kinds.values():
        mnemonic, fields = mine[0].mnemonic, [i.fields for i in mine]
        far = moves(mnemonic, on_chip)
        wanted = frozenset().union(*(names(port.formula) for port in ports[mnemonic.name]))
        columns = columns_of(fields, wanted | (transfer_fields(mnemonic) if far else _choices(mnemonic) | {*mnemonic.extents}))
        for port in ports[mnemonic.name]:
            port_bytes[port.memory, port.write] += _total(evaluate_all(port.formula, columns), len(mine))
        if far:
            words = bus_words(transfers(mnemonic, columns, len(mine), on_chip), covenant.bus_bytes)
            read, written = read + words[0], written + words[1]
        else:
            operations += _operations(mnemonic, columns, len(mine))
    fetched = (len(instructions) + 1) * max(covenant.sequencer.encoding.bytes, covenant.bus_bytes)
    return Activity({o: operations[o] for o in Operation}, dict(port_bytes), read * covenant.bus_bytes, written * covenant.bus_bytes,
                    fetched, len(instructions))


def _total(values: np.ndarray | int, count: int) -> int:
    return int(np.broadcast_to(values, count).sum())


def _choices(mnemonic: Mnemonic) -> frozenset[str]:
    return frozenset(e.field for e in walk(mnemonic.effect.expr) if isinstance(e, Choose))


def _operations(mnemonic: Mnemonic, columns: Columns, count: int) -> Counter[Operation]:
    """Of the slots that instructions choose, at each step of the loops around them.

    Zero-points of products' operands are subtracted where operands enter an array, not in each cell: that is not counted.
    """
    nest = mnemonic.effect
    outer = _steps(nest.loops, columns, count)
    chosen: dict[int, np.ndarray] = {id(nest.expr): np.ones(count, bool)}
    steps: dict[int, np.ndarray] = {id(nest.expr): outer}
    integer_operands: set[int] = set()
    found: Counter[Operation] = Counter()
    for node in reversed([*walk(nest.expr)]):  # parents first
        mask, here, inside = chosen[id(node)], steps[id(node)], id(node) in integer_operands
        of_children, times = here, here
        operation = None
        if isinstance(node, Reduce):
            of_children = here * _steps(node.loops, columns, count)
            integer = not _is_float(node.body)
            if integer and node.op == "add" and _is_product(node.body):
                operation, times = Operation.MAC, of_children
            else:
                operation, times = (_INTEGER if integer else _FLOAT)[node.op], of_children - here
            inside = integer
        elif isinstance(node, Op) and not inside:
            operation = (_FLOAT if _is_float(node) else _INTEGER).get(node.name)
        if operation is not None:
            found[operation] += int(times[mask].sum())
        for number, child in enumerate(node.children):
            reached = mask & (columns[node.field] == number) if isinstance(node, Choose) else mask
            chosen[id(child)] = chosen.get(id(child), False) | reached
            steps[id(child)] = np.where(reached, of_children, steps.get(id(child), of_children))
            if inside:
                integer_operands.add(id(child))
    return found


def _steps(loops: Sequence[Loop], columns: Columns, count: int) -> np.ndarray:
    total = np.ones(count, np.int64)
    for loop in loops:
        total *= columns[loop.extent] if isinstance(loop.extent, str) else loop.extent
    return total


def _is_product(expr: Expr) -> bool:
    return isinstance(expr, Op) and expr.name == "mul"


def _is_float(expr: Expr) -> bool:
    """Of a slot's alternatives, all are or none is: constants that fit both do not decide."""
    if isinstance(expr, Val):
        return expr.element == "f32"
    if isinstance(expr, Load):
        return expr.operand.element == "f32"
    if isinstance(expr, Lookup):
        return False
    if isinstance(expr, Op):
        if expr.name in ("rne", "u8", "within", "and"):
            return False
        return expr.name in ("f32", "fma", "guess_reciprocal", "guess_root") or any(map(_is_float, expr.args))
    return any(map(_is_float, expr.children))
