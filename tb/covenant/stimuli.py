"""Instructions and programs that checks are made of, from a covenant's data alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tenon.acg.encoding import Header
from tenon.acg.expr import Aff, Op, Val, walk
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Access, Mnemonic, accesses
from tenon.compiler.instruction import Instruction

__all__ = ["DONE", "chosen", "gate", "image", "instruction", "long_level", "opened", "room", "scratch",
           "swept", "with_header"]


_SCRATCH = bytes(1 << 16)

#: The token that says that a gate is open.
DONE = 1


def instruction(mnemonic: Mnemonic, fields: Mapping[str, object] | None = None, **header) -> Instruction:
    """An instruction of complete fields: defaults, but guards wide open."""
    return Instruction(mnemonic, mnemonic.complete(opened(mnemonic, fields or {})), Header(**header))


def with_header(i: Instruction, **header) -> Instruction:
    return replace(i, header=Header(**header))


def image(graph: Graph, instructions: Sequence[Instruction]) -> bytes:
    return graph.sequencer.encoding.image(instructions)


def opened(mnemonic: Mnemonic, fields: Mapping[str, object]) -> dict[str, object]:
    """``fields`` with every guard such that everything passes."""
    fields = dict(fields)
    for guard in (e for e in walk(mnemonic.effect.expr) if isinstance(e, Op) and e.name == "within"):
        forms = [v.value for v in walk(guard.args[0]) if isinstance(v, Val) and isinstance(v.value, Aff)]
        fields.update({name: 0 for form in forms for (_, name), _ in form.terms if name})
        fields.update({name: mnemonic.field(name).high for (_, name), _ in guard.args[1].value.terms})
    return fields


def long_level(mnemonic: Mnemonic, count: int) -> str:
    """The innermost level of results that can have ``count`` steps: nothing else is done on the way."""
    written = {n for a in accesses(mnemonic) if a.write for _, n in a.terms}
    for level in (level for level in reversed(mnemonic.extents) if level in written):
        if mnemonic.field(level).high >= count and not mnemonic.violations(mnemonic.complete({level: count}), {}):
            return level
    raise ValueError(f"{mnemonic.name} has no level of {count} steps")


def swept(mnemonic: Mnemonic, fields: Mapping[str, object], level: str, count: int) -> dict[str, object]:
    """``fields`` with ``count`` steps of ``level``, along which every operand moves on by its unit."""
    moved = dict(fields) | {level: count}
    for a in accesses(mnemonic):
        moved.update({s: 1 for s, n in a.terms if n == level and isinstance(s, str)})
    return moved


def room(graph: Graph, mnemonic: Mnemonic, fields: Mapping[str, object], level: str) -> int:
    """Most steps of ``level`` that ``swept`` can have inside the on-chip memories."""
    most, fields = mnemonic.field(level).high, mnemonic.complete(opened(mnemonic, fields))
    for a in accesses(mnemonic):
        if a.memory in graph.memory_bytes and a.chosen(fields) and any(n == level for _, n in a.terms):
            low, high = a.corners(fields | {level: 1})
            most = min(most, (graph.memory_bytes[a.memory] - 1 - high) // a.unit + 1)
    return most


def chosen(access: Access) -> dict[str, int]:
    """Choices that lead to an access."""
    return {name: values[0] for name, values in access.conditions}


def gate(graph: Graph, unit: str, cycles: int) -> Instruction:
    """An instruction of another unit, without DRAM, that signals ``DONE`` after ``cycles`` at least: one a step.

    What waits for it finds its unit idle, and the bus quiet: all instructions after it have been fetched.
    """
    for m in graph.mnemonics:
        if m.unit != unit and all(a.memory in graph.memory_bytes for a in accesses(m)):
            return instruction(m, {long_level(m, 2 * cycles): 2 * cycles}, done=DONE)
    raise ValueError(f"nothing can make {unit} wait")


def scratch(graph: Graph) -> tuple[tuple[int, bytes], ...]:
    """Segments that may be written, where nobody looks at what is in them."""
    return tuple((i, _SCRATCH) for i in range(len(graph.segment_names)))
