"""Streams of a kernel: which addresses an operand's accesses are at, one round of the kernel after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenon.acg.sequencer import PacketSequencer
from tenon.compiler.errors import CompileError

__all__ = ["Stream", "stream_levels"]


@dataclass(frozen=True)
class Stream:
    """Addresses that begin ``offset`` bytes behind parameter ``base``, and step along ``levels``: (extent, bytes), innermost first. A
    kernel steps it as often as its levels have steps, no further."""

    base: str
    offset: int
    levels: tuple[tuple[int, int], ...]


def stream_levels(sequencer: PacketSequencer, levels: Sequence[tuple[int, int]], what: str) -> tuple[tuple[int, int], ...]:
    """Levels that are needed: those of one step are none, and one that goes on where another ends is one with it.

    Raises
    ------
    CompileError
        If a stream has not so many, or a step is no whole number of granules.
    """
    found: list[tuple[int, int]] = []
    for extent, step in levels:
        if extent == 1:
            continue
        if step % sequencer.granule:
            raise CompileError(f"{what} would step by {step} bytes, which is no multiple of {sequencer.granule}")
        if found and step == found[-1][0] * found[-1][1]:
            found[-1] = found[-1][0] * extent, found[-1][1]
        else:
            found.append((extent, step))
    if len(found) > sequencer.stream_levels:
        raise CompileError(f"{what} would step in {len(found)} levels, of which a stream has {sequencer.stream_levels}")
    return tuple(found)
