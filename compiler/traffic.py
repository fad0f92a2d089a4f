"""How many bytes a program moves between DRAM and the chip."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tenon.acg.graph import Graph as Covenant
from tenon.acg.interpret import guarded
from tenon.acg.mnemonic import accesses
from tenon.compiler.instruction import Instruction

__all__ = ["Traffic", "traffic_of"]


@dataclass(frozen=True)
class Traffic:
    """Bytes of tensors and constants ``read`` and ``written``, and of instructions ``fetched``. What only fills is no traffic."""

    read: int
    written: int
    fetched: int

    @property
    def total(self) -> int:
        return self.read + self.written + self.fetched


def traffic_of(covenant: Covenant, instructions: Iterable[Instruction]) -> Traffic:
    """Counted instruction by instruction; a bus that moves whole words may move more."""
    on_chip = covenant.memory_bytes
    moved = {False: 0, True: 0}
    fetched = 1  # the end
    for instruction in instructions:
        fetched += 1
        nest, fields = instruction.mnemonic.effect, instruction.fields
        for write in {a.write for a in accesses(instruction.mnemonic) if a.memory not in on_chip and a.chosen(fields)}:
            moved[write] += math.prod(l.count(fields) for l in nest.loops) if write else guarded(nest, fields)
    return Traffic(moved[False], moved[True], fetched * covenant.sequencer.encoding.bytes)
