"""Packets of a piece of a kernel, by their time: what each slot begins, and which registers are free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic
from tenon.acg.packet import Loop, Operation, Packet, Reference
from tenon.compiler.errors import CompileError

__all__ = ["Registers", "Timeline", "looping", "stepped"]


def looping(graph: Graph, count: int, packets: int) -> Loop:
    """The next ``packets`` packets ``count`` times. CompileError if the sequencer does not count so far."""
    if packets > graph.sequencer.loop_packets or count > graph.sequencer.loop_count:
        raise CompileError(f"a loop of {packets} packets {count} times is more than the sequencer counts")
    return Loop(count, packets)


def stepped(values: Mapping[str, object]) -> dict[str, object]:
    """An instruction's fields, its address's stream stepping on behind it."""
    return {name: replace(v, step=True) if isinstance(v, Reference) else v for name, v in values.items()}


@dataclass
class Timeline:
    """Packets as they are filled."""

    graph: Graph
    length: int = 0
    _slots: dict[tuple[str, int], Operation | None] = field(default_factory=dict)

    def free(self, mnemonic: Mnemonic, time: int) -> bool:
        """Whether an instruction may begin in packet ``time``."""
        unit, cycles = mnemonic.unit, mnemonic.timing.cycles("occupancy", mnemonic.complete({}))
        return all((self._name(unit), time + k) not in self._slots for k in range(cycles))

    def put(self, mnemonic: Mnemonic, time: int, values: dict[str, object]) -> None:
        """Begins an instruction in packet ``time``."""
        name = self._name(mnemonic.unit)
        assert self.free(mnemonic, time), f"{mnemonic.name} comes into a slot that is taken"
        self._slots[name, time] = Operation(mnemonic, values)
        for k in range(1, mnemonic.timing.cycles("occupancy", mnemonic.complete({}))):
            self._slots[name, time + k] = None
        self.length = max(self.length, time + 1)

    def first(self, mnemonic: Mnemonic, low: int, high: int) -> int | None:
        """The first packet in ``low..high`` in which it may begin."""
        return next((time for time in range(low, high + 1) if self.free(mnemonic, time)), None)

    def packets(self, length: int | None = None) -> list[Packet]:
        """All of them, of which ``length`` are asked for."""
        length = self.length if length is None else length
        assert length >= self.length
        operations: list[list[Operation]] = [[] for _ in range(length)]
        for (_, time), op in self._slots.items():
            if op is not None:
                operations[time].append(op)
        return [Packet(tuple(some)) for some in operations]

    def stepping(self, stream: int) -> None:
        """The last access of a stream steps it."""
        time, name = max((time, name) for (name, time), op in self._slots.items() if op is not None and any(
            isinstance(v, Reference) and v.stream == stream for v in op.values.values()))
        op = self._slots[name, time]
        self._slots[name, time] = Operation(op.mnemonic, stepped(op.values))

    def _name(self, unit: str) -> str:
        return self.graph.sequencer.slot(unit).name


class Registers:
    """Words of a register memory."""

    def __init__(self, graph: Graph, memory: str):
        self.memory, self._free = memory, list(range(graph.memory(memory).words))[::-1]

    def take(self) -> int:
        """CompileError if there is none left."""
        if not self._free:
            raise CompileError(f"{self.memory} has too few registers")
        return self._free.pop()

    def rest(self) -> list[int]:
        """All that are left."""
        return self._free[::-1]
