"""A drive's covenant: its memories, how fast data go from one to another, which commands move them, and how long one alone takes.
``tenon drive check`` measures the rates and times of all that a host can see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from tenon.acg.formula import evaluate
from tenon.acg.parts import Edge
from tenon.hw.storage.flash.page import UnitFormat
from tenon.hw.storage.mover import HOST_BURST_BYTES
from tenon.hw.storage.nvme.commands import Namespace, command
from tenon.hw.storage.params import UNIT_BYTES, StorageParams
from tenon.hw.storage.prp import HOST_ADDRESS_BITS

__all__ = ["CLOCK_NS", "HOST_LATENCY", "CommandPromise", "DriveCovenant", "Move", "Store", "drive_covenant"]

#: Of a cycle: in what a drive's times are given.
CLOCK_NS = 4

#: Cycles until a host's memory answers, behind PCIe: what a command's latency is promised for.
HOST_LATENCY = 100

# Cycles of a command alone that are neither array's nor bus's: entry and completion, hardware, firmware; and what flash adds. Measured.
_AROUND = {"read": 500, "write": 1_050, "memory_read": 950, "memory_write": 950, "memory_copy": 2_600}
_AROUND_FLASH = {"read": 150, "write": 1_700, "memory_copy": 700}


@dataclass(frozen=True)
class Store:
    """Where a drive keeps data: ``words`` of ``word_bytes`` in ``banks``; ``kind``: dram | flash | host."""

    name: str
    word_bytes: int
    words: int
    banks: int = 1
    kind: str = "dram"

    @property
    def size(self) -> int:
        """Bytes."""
        return self.word_bytes * self.words


@dataclass(frozen=True)
class Move:
    """``bytes``, a formula over a command's fields, go from one memory to another."""

    source: str
    target: str
    bytes: str


@dataclass(frozen=True)
class CommandPromise:
    """A command as a mnemonic of the drive: where it goes, its fields, what it moves; ``latency``: cycles from submission until the host
    knows, of one of ``UNIT_BYTES`` alone, None if that is its program's to say."""

    name: str
    opcode: int
    namespace: int
    fields: tuple[str, ...]
    moves: tuple[Move, ...]
    latency: int | None

    def moved(self, **fields: int) -> int:
        """Bytes that it moves, of all its moves."""
        return sum(int(evaluate(move.bytes, fields)) for move in self.moves)


@dataclass(frozen=True)
class DriveCovenant:
    """What a drive promises whoever plans for it. ``accelerator`` is the fingerprint of the accelerator's covenant."""

    name: str
    memories: tuple[Store, ...]
    edges: tuple[Edge, ...]
    commands: tuple[CommandPromise, ...]
    accelerator: str
    notes: Mapping[str, object]

    @property
    def blocks(self) -> str:
        """What the memory is called that has the NVM namespace."""
        return self.memories[0].name

    def memory(self, name: str) -> Store:
        return next(m for m in self.memories if m.name == name)

    def rate(self, source: str, target: str) -> float:
        """Bytes in a cycle of the best stream.

        Raises
        ------
        KeyError
            If no data go that way.
        """
        for edge in self.edges:
            if (edge.src, edge.dst) == (source, target):
                return edge.bytes_per_cycle
        raise KeyError(f"{self.name} moves nothing from {source} to {target}")

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


def drive_covenant(params: StorageParams, *, fingerprint: str = "") -> DriveCovenant:
    """The covenant of ``params``."""
    p = params
    host, memory = p.host_bits / 8, p.memory_bits / 8
    blocks = "FLASH" if not p.ram_blocks else "RAM"
    both = min(host, memory)  # one way; what is copied within the memory passes its port twice
    reads, writes = memory, memory
    if not p.ram_blocks:
        buses = p.channels * UNIT_BYTES / UnitFormat(p).words
        reads = min(buses, p.all_dies * p.page_bytes * CLOCK_NS / p.read_ns)
        writes = min(buses, p.all_dies * p.page_bytes * CLOCK_NS / p.program_ns)
    edges = (
        Edge(blocks, "SLM", min(reads, memory / (2 if p.ram_blocks else 1)), UNIT_BYTES),
        Edge(blocks, "HOST", min(reads, host, memory / (1 if p.ram_blocks else 2)), UNIT_BYTES),
        Edge("HOST", blocks, min(writes, host, memory / (1 if p.ram_blocks else 2)), UNIT_BYTES),
        Edge("SLM", "HOST", both, HOST_BURST_BYTES), Edge("HOST", "SLM", both, HOST_BURST_BYTES),
        Edge("SLM", "ACCELERATOR", memory, p.burst_bytes), Edge("ACCELERATOR", "SLM", memory, p.burst_bytes),
    )
    latencies = _latencies(p)
    units = f"(nlb + 1) * {UNIT_BYTES}"
    commands = tuple(
        CommandPromise(name, command(name).opcode, namespace, fields, moves, latencies.get(name)) for name, namespace, fields, moves in (
            ("read", Namespace.BLOCKS, ("slba", "nlb"), (Move(blocks, "HOST", units),)),
            ("write", Namespace.BLOCKS, ("slba", "nlb"), (Move("HOST", blocks, units),)),
            ("memory_read", Namespace.MEMORY, ("sb", "length"), (Move("SLM", "HOST", "length"),)),
            ("memory_write", Namespace.MEMORY, ("sb", "length"), (Move("HOST", "SLM", "length"),)),
            ("memory_copy", Namespace.MEMORY, ("sdaddr", "length"), (Move(blocks, "SLM", "length"),)),
            ("execute_program", Namespace.COMPUTE, ("pind", "rsid", "cparam1"), ())))  # what it moves is the program's own
    memories = (Store(blocks, UNIT_BYTES, p.units, banks=1 if p.ram_blocks else p.all_dies, kind="dram" if p.ram_blocks else "flash"),
                Store("SLM", 1, p.slm_bytes), Store("HOST", 1, 1 << HOST_ADDRESS_BITS, kind="host"))
    notes = {"parameters": p.to_dict(), "clock_ns": CLOCK_NS, "host_latency": HOST_LATENCY}
    return DriveCovenant(p.name, memories, edges, commands, fingerprint, notes)


def _latencies(p: StorageParams) -> dict[str, int]:
    """Of each command that moves ``UNIT_BYTES``: what its data pass, one behind the other."""
    memory = UNIT_BYTES * 8 // p.memory_bits
    host = UNIT_BYTES * 8 // min(p.host_bits, p.memory_bits)
    found = {"read": host, "write": host, "memory_read": host, "memory_write": host, "memory_copy": 2 * memory}
    if not p.ram_blocks:
        unit = UnitFormat(p)
        read = p.read_ns // CLOCK_NS + unit.words + unit.lengths[1]  # a codeword waits until it is whole
        found |= {"read": read + host, "memory_copy": read,
                  "write": host + p.page_bytes // UNIT_BYTES * unit.words + p.program_ns // CLOCK_NS}
    return {name: cycles + _AROUND[name] + (0 if p.ram_blocks else _AROUND_FLASH.get(name, 0)) for name, cycles in found.items()}
