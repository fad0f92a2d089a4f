"""Who is served first where several units want the same bank of a memory in the same cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenon.acg.errors import CovenantError
from tenon.acg.graph import Graph

__all__ = ["Precedence", "precedence_of", "to_note"]

_NOTE = "precedence"
_WAYS = ("read", "write")


@dataclass(frozen=True)
class Precedence:
    """Ports of the banks of ``memory``, for reading or for writing: (unit, bytes of one access as ``port_bytes`` counts them). A unit
    gets its access in a cycle in which nobody before it wants the same bank; else it waits."""

    memory: str
    write: bool
    ports: tuple[tuple[str, int], ...]


def to_note(order: Sequence[Precedence]) -> dict[str, object]:
    """As a covenant's note. It is not promised, and nothing that is right depends on it."""
    return {_NOTE: [[p.memory, _WAYS[p.write], [list(port) for port in p.ports]] for p in order]}


def precedence_of(graph: Graph) -> tuple[Precedence, ...]:
    """What ``graph`` notes; where it notes nothing, nobody is known to wait for anybody.

    Raises
    ------
    CovenantError
        If it notes something else.
    """
    try:
        found = tuple(Precedence(memory, bool(_WAYS.index(way)), tuple((unit, number) for unit, number in ports))
                      for memory, way, ports in graph.notes.get(_NOTE, []))
        units = {u.name for u in graph.units}
        for order in found:
            if order.memory not in graph.memory_bytes or not {unit for unit, _ in order.ports} <= units:
                raise ValueError(f"there is no {order}")
            if any(type(number) is not int or number < 1 for _, number in order.ports):
                raise ValueError(f"{order} has accesses of no bytes")
    except (LookupError, TypeError, ValueError) as error:
        raise CovenantError(f"the covenant of {graph.name} notes no precedence: {error}") from None
    return found
