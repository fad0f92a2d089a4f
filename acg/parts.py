"""The parts of a covenant beside instructions: memories, segments of DRAM, edges, units."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["Edge", "Kind", "Memory", "Role", "Segment", "Unit"]


class Kind(enum.StrEnum):
    """What a memory is."""

    DRAM = "dram"  # outside, in segments
    SCRATCHPAD = "scratchpad"  # on chip, any bytes of it
    REGISTERS = "registers"  # on chip, word by word: an instruction's field names a word


class Role(enum.StrEnum):
    """What a segment of DRAM is for."""

    CONSTANTS = "constants"
    SCRATCH = "scratch"
    INPUTS = "inputs"
    OUTPUTS = "outputs"


@dataclass(frozen=True)
class Segment:
    """A part of DRAM with a base register of its own, by the name that effects call it."""

    name: str
    role: Role


@dataclass(frozen=True)
class Memory:
    """A place for data: ``words`` of ``word_bytes`` bytes in ``banks``.

    Measured: ``words``, ``banks`` (one access per cycle each and direction).
    """

    name: str
    word_bytes: int
    words: int
    banks: int = 1
    kind: Kind = Kind.SCRATCHPAD

    @property
    def size(self) -> int:
        """Bytes."""
        return self.word_bytes * self.words


@dataclass(frozen=True)
class Edge:
    """A way for data: ``bytes_per_cycle`` from ``src`` to ``dst``, memories or units by name, of the best stream.

    ``burst_bytes``: the longest transfer of one request (0: no requests).
    """

    src: str
    dst: str
    bytes_per_cycle: float
    burst_bytes: int = 0


@dataclass(frozen=True)
class Unit:
    """An engine with its own queue. ``ordered``: memories in which its instructions see each other's results
    although they overlap (an accumulator updated in place)."""

    name: str
    ordered: tuple[str, ...] = ()
    peak_macs_per_cycle: int = 0
