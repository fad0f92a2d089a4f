"""What instructions move through the ports of on-chip memories: which operands hardware keeps, and which it reads again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tenon.acg.errors import CovenantError
from tenon.acg.formula import names
from tenon.acg.graph import Graph

__all__ = ["PortBytes", "port_bytes_of", "to_note"]

_NOTE = "port_bytes"
_WAYS = ("read", "write")


@dataclass(frozen=True)
class PortBytes:
    """``formula`` over an instruction's fields (``acg.formula``): bytes that it reads from ``memory``, or writes into it.

    An effect says what is read; how often the same is read again is a matter of the order in which hardware walks the nest, and of
    what it holds meanwhile. Reads are of whole lines, as memories have them. If a memory has copies, a write goes into each.
    """

    memory: str
    write: bool
    formula: str


def to_note(ports: Mapping[str, Sequence[PortBytes]]) -> dict[str, object]:
    """As a covenant's note: by mnemonic. It is not promised, and nothing that is right depends on it."""
    return {_NOTE: {name: [[p.memory, _WAYS[p.write], p.formula] for p in each] for name, each in ports.items()}}


def port_bytes_of(graph: Graph) -> dict[str, tuple[PortBytes, ...]]:
    """What ``graph`` notes, by mnemonic.

    Raises
    ------
    CovenantError
        If it notes nothing, as covenants by earlier versions do, or something else.
    """
    noted = graph.notes.get(_NOTE)
    if noted is None:
        raise CovenantError(f"the covenant of {graph.name} does not note what goes through its memories' ports: derive it anew")
    try:
        found = {m.name: tuple(PortBytes(memory, bool(_WAYS.index(way)), formula) for memory, way, formula in noted[m.name])
                 for m in graph.mnemonics}
        for mnemonic in graph.mnemonics:
            fields = {f.name for f in mnemonic.fields}
            for port in found[mnemonic.name]:
                if port.memory not in graph.memory_bytes or not names(port.formula) <= fields:
                    raise ValueError(f"{mnemonic.name} cannot have {port}")
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise CovenantError(f"the covenant of {graph.name} notes no bytes through ports: {error}") from None
    return found
