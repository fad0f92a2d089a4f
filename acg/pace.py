"""How quickly a program's instructions come to their engines, and how long the way to DRAM is: what no instruction's cost says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from tenon.acg.errors import CovenantError
from tenon.acg.graph import Graph

__all__ = ["Pace", "pace_of"]

_NOTE = "pace"


@dataclass(frozen=True)
class Pace:
    """Cycles, unless another unit is given. A covenant's note, from the generator: not promised, and nothing that is right depends on it.

    ``start``: from START to the first request for an instruction on the bus; ``fetch``: from an instruction's last beat to its check;
    ``fetch_interval``: between two requests; ``fetch_ahead``: instructions that are requested before they are needed; ``check``: from
    there to the queue, besides one for each term of its addresses on chip; ``head``: from the queue to where tokens are asked for;
    ``load_request``, ``store_request``: from an engine's begin to its first request on the bus; ``guard``: of a round trip between
    engines and bus; ``answer``: the part of that behind the bus; ``load_finish``: from a load's last word to done; ``end``: from the last
    result to the interrupt.
    """

    start: int
    fetch: int
    fetch_interval: int
    fetch_ahead: int
    check: int
    head: int
    load_request: int
    store_request: int
    guard: int
    answer: int
    load_finish: int
    end: int

    def to_note(self) -> dict[str, dict[str, int]]:
        return {_NOTE: asdict(self)}


def pace_of(graph: Graph) -> Pace:
    """What ``graph`` notes; where it notes nothing, nothing takes any time, and an instruction is fetched ahead.

    Raises
    ------
    CovenantError
        If it notes something else.
    """
    noted = graph.notes.get(_NOTE, {})
    known = Pace.__dataclass_fields__.keys()
    if not isinstance(noted, Mapping) or not noted.keys() <= known or not all(type(value) is int for value in noted.values()):
        raise CovenantError(f"the covenant of {graph.name} notes no pace: {', '.join(known)} are whole numbers")
    return Pace(**dict.fromkeys(known, 0) | {"fetch_ahead": 1} | noted)
