"""The on-chip byte memories of the systolic family: who reads, who writes, in which order."""

from __future__ import annotations

from hw.params import SystolicParams
from hw.scratchpad import Scratchpad

__all__ = ["VECTOR_BANKS", "activation_buffer", "memory_bytes", "parameter_buffer", "vector_buffer", "weight_buffer"]

VECTOR_BANKS = 4


def memory_bytes(p: SystolicParams) -> dict[str, int]:
    """Size of every on-chip memory, by the name that instructions call it."""
    return {"ACT": p.activation_bytes, "WGT": p.weight_bytes, "ACC": p.accumulator_bytes,
            "VEC": p.vector_bytes, "PAR": p.parameter_bytes, "TAB": 256 * p.tables}


def activation_buffer(p: SystolicParams) -> Scratchpad:
    """MATRIX reads words of ``rows`` bytes while VECTOR, which cannot wait, or LOAD writes."""
    return Scratchpad(size=p.activation_bytes, line=p.line_bytes, banks=1, reads={"matrix": p.rows},
                      writes={"vector": p.cols, "load": p.bus_bytes})


def weight_buffer(p: SystolicParams) -> Scratchpad:
    return Scratchpad(size=p.weight_bytes, line=p.line_bytes, banks=1, reads={"matrix": p.cols},
                      writes={"load": p.bus_bytes})


def vector_buffer(p: SystolicParams, *, stream: str) -> Scratchpad:
    """One of two copies, so that VECTOR reads two words in any cycle: ``x``, or ``y`` with STORE behind it."""
    reads = {"x": {"x": p.cols}, "y": {"y": p.cols, "store": p.bus_bytes}}[stream]
    return Scratchpad(size=p.vector_bytes, line=p.line_bytes, banks=VECTOR_BANKS, reads=reads,
                      writes={"vector": p.cols, "load": p.bus_bytes})


def parameter_buffer(p: SystolicParams) -> Scratchpad:
    """One copy for each of its three readers: biases, weight zero-points, scales."""
    word = 4 * p.cols
    return Scratchpad(size=p.parameter_bytes, line=max(word, p.bus_bytes), banks=1, reads={"word": word},
                      writes={"load": p.bus_bytes})
