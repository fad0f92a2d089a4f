"""The on-chip byte memories of the systolic family: who reads, who writes, in which order."""

from __future__ import annotations

from tenon.hw.params import SystolicParams
from tenon.hw.scratchpad import Scratchpad

__all__ = ["VECTOR_BANKS", "activation_banks", "activation_buffer", "memory_bytes", "parameter_buffer", "users", "vector_buffer",
           "weight_buffer"]

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


def users(p: SystolicParams) -> dict[str, tuple[dict[str, int], dict[str, int]]]:
    """Of each byte memory who reads and who writes, and bytes of their words, in the order in which they are served.

    MATRIX and VECTOR come first, which cannot wait. ``x`` and ``y`` are VECTOR's streams, each with a copy of the vector buffer.
    """
    return {"ACT": ({"matrix": p.rows} | _window(p, 1), {"vector": p.cols, "load": p.bus_bytes}),
            "WGT": ({"matrix": p.cols} | _window(p, 1), {"load": p.bus_bytes}),
            "VEC x": ({"x": p.cols}, {"vector": p.cols, "load": p.bus_bytes}),
            "VEC y": ({"y": p.cols, "store": p.bus_bytes}, {"vector": p.cols, "load": p.bus_bytes})}


def activation_buffer(p: SystolicParams) -> Scratchpad:
    """MATRIX reads words of ``rows`` bytes and WINDOW of ``window_lanes``; VECTOR or LOAD writes."""
    reads, writes = users(p)["ACT"]
    return Scratchpad(role="activation_buffer", size=p.activation_bytes, line=p.line_bytes, banks=activation_banks(p),
                      reads=reads, writes=writes)


def weight_buffer(p: SystolicParams) -> Scratchpad:
    """MATRIX reads, and WINDOW; LOAD writes, which a memory of one port makes wait for either."""
    reads, writes = users(p)["WGT"]
    return Scratchpad(role="weight_buffer", size=p.weight_bytes, line=p.line_bytes, banks=1,
                      reads=reads, writes=writes, bank_ports=p.weight_ports)


def vector_buffer(p: SystolicParams, *, stream: str) -> Scratchpad:
    """One of two copies, so that VECTOR reads two words in any cycle: ``x``, or ``y`` with STORE behind it."""
    reads, writes = users(p)[f"VEC {stream}"]
    return Scratchpad(role=f"vector_buffer_{stream}", size=p.vector_bytes, line=p.line_bytes, banks=VECTOR_BANKS,
                      reads=reads, writes=writes)


def parameter_buffer(p: SystolicParams, *, reader: str) -> Scratchpad:
    """One of four copies: of MATRIX's biases ``b``, its zero-points ``z`` (read seldom: WINDOW is behind it), VECTOR's scales ``s``
    and its numbers ``x``. VECTOR, which cannot wait, or LOAD writes."""
    word = 4 * p.cols
    window = _window(p, 4) if reader == "z" else {}
    return Scratchpad(role="parameter_buffer_z" if window else "parameter_buffer", size=p.parameter_bytes,
                      line=max(word, p.bus_bytes), banks=1, reads={"word": word} | window,
                      writes={"vector": word, "load": p.bus_bytes})
