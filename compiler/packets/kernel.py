"""Kernels: packets that carry out one statement on operands in the scratchpad."""

from __future__ import annotations

from dataclasses import dataclass

from tenon.acg.packet import Packet
from tenon.compiler.packets.streams import Stream

__all__ = ["Kernel"]


@dataclass(frozen=True)
class Kernel:
    """``setup`` brings ``scalars``, bytes that lie together in the scratchpad where stream 0 begins, into registers; ``packets`` do the
    rest, from where all ``streams`` (1 and up) are at their beginnings to where everything is written."""

    setup: tuple[Packet, ...]
    packets: tuple[Packet, ...]
    streams: tuple[Stream, ...]
    scalars: bytes
