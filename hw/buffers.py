"""The on-chip byte memories of the systolic family: who reads, who writes, in which order."""

from __future__ import annotations

from tenon.hw.params import SystolicParams
from tenon.hw.scratchpad import Scratchpad

__all__ = ["VECTOR_BANKS", "activation_banks", "activation_buffer", "memory_bytes", "parameter_buffer", "vector_buffer", "weight_buffer"]

VECTOR_BANKS = 4


def memory_bytes(p: SystolicParams) -> dict[str, int]:
    """Size of every on-chip memory, by the name that instructions call it."""
    return {"ACT": p.activation_bytes, "WGT": p.weight_bytes, "ACC": p.accumulator_bytes,
            "VEC": p.vector_bytes, "PAR": p.parameter_bytes, "TAB": 256 * p.tables}


def activation_banks(p: SystolicParams) -> int:
    """Two, if WINDOW is to read in one what MATRIX does not read."""
    return 2 if p.window_taps else 1


def _window(p: SystolicParams, element_bytes: int) -> dict[str, int]:
    """WINDOW's read port, if there is a WINDOW."""
    return {"window": element_bytes * p.window_lanes} if p.window_taps else {}


def activation_buffer(p: SystolicParams) -> Scratchpad:
    """MATRIX, which cannot wait, reads words of ``rows`` bytes and WINDOW of ``window_lanes``; VECTOR, which cannot wait
    either, or LOAD writes."""
    return Scratchpad(role="activation_buffer", size=p.activation_bytes, line=p.line_bytes, banks=activation_banks(p),
                      reads={"matrix": p.rows} | _window(p, 1), writes={"vector": p.cols, "load": p.bus_bytes})


def weight_buffer(p: SystolicParams) -> Scratchpad:
    """MATRIX, which cannot wait, reads, and WINDOW; LOAD writes, which a memory of one port makes wait for either."""
    return Scratchpad(role="weight_buffer", size=p.weight_bytes, line=p.line_bytes, banks=1,
                      reads={"matrix": p.cols} | _window(p, 1), writes={"load": p.bus_bytes}, bank_ports=p.weight_ports)


def vector_buffer(p: SystolicParams, *, stream: str) -> Scratchpad:
    """One of two copies, so that VECTOR reads two words in any cycle: ``x``, or ``y`` with STORE behind it."""
    reads = {"x": {"x": p.cols}, "y": {"y": p.cols, "store": p.bus_bytes}}[stream]
    return Scratchpad(role=f"vector_buffer_{stream}", size=p.vector_bytes, line=p.line_bytes, banks=VECTOR_BANKS, reads=reads,
                      writes={"vector": p.cols, "load": p.bus_bytes})


def parameter_buffer(p: SystolicParams, *, reader: str) -> Scratchpad:
    """One of four copies: of MATRIX's biases ``b``, its zero-points ``z`` (read seldom: WINDOW is behind it), VECTOR's scales ``s``
    and its numbers ``x``. VECTOR, which cannot wait, or LOAD writes."""
    word = 4 * p.cols
    window = _window(p, 4) if reader == "z" else {}
    return Scratchpad(role="parameter_buffer_z" if window else "parameter_buffer", size=p.parameter_bytes,
                      line=max(word, p.bus_bytes), banks=1, reads={"word": word} | window,
                      writes={"vector": word, "load": p.bus_bytes})
