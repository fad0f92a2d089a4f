"""The order in which engines are served at the banks of on-chip memories, from the memories' own ports."""

from __future__ import annotations

from collections.abc import Mapping

from tenon.acg.precedence import Precedence
from tenon.hw.accumulators import Accumulators
from tenon.hw.buffers import users
from tenon.hw.params import SystolicParams

__all__ = ["precedence"]

#: The engine behind each port of a byte memory.
_ENGINES = {"matrix": "MATRIX", "window": "WINDOW", "vector": "VECTOR", "load": "LOAD", "store": "STORE", "x": "VECTOR", "y": "VECTOR"}


def precedence(p: SystolicParams) -> tuple[Precedence, ...]:
    """Of every memory that several engines read, or write. Of the parameters each reader has a copy."""
    found, byte_memories = [], users(p)
    for name, (reads, writes) in {"ACT": byte_memories["ACT"], "WGT": byte_memories["WGT"], "VEC": byte_memories["VEC y"]}.items():
        found.append(_order(name, False, dict.fromkeys(reads, p.line_bytes)))  # a line is read, whatever is wanted of it
        found.append(_order(name, True, writes))
    word = 4 * p.cols
    writes = {"MATRIX": word, "WINDOW": 4 * p.window_lanes}
    found.append(Precedence("ACC", False, tuple((engine, word) for engine in Accumulators.readers(p))))
    found.append(Precedence("ACC", True, tuple((engine, writes[engine]) for engine in Accumulators.writers(p))))
    return tuple(order for order in found if len(order.ports) > 1)


def _order(memory: str, write: bool, ports: Mapping[str, int]) -> Precedence:
    return Precedence(memory, write, tuple((_ENGINES[port], size) for port, size in ports.items()))
