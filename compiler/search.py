"""Search for a layer's mapping: every point is estimated at once, the best few are lowered and timed."""

from __future__ import annotations

from tenon.compiler.cost import cost
from tenon.compiler.errors import CompileError
from tenon.compiler.estimate import ranked
from tenon.compiler.home import Home
from tenon.compiler.ir import Graph
from tenon.compiler.layer import Layer
from tenon.compiler.lower import lower
from tenon.compiler.lower.emitter import Constants
from tenon.compiler.machine import Machine
from tenon.compiler.mapping import Mapping
from tenon.compiler.space import space_of
from tenon.compiler.tokens import place_tokens

__all__ = ["search"]

_PATIENCE = 40  # points that cannot be lowered before the layer is given up


def search(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], *, effort: int = 6) -> Mapping:
    """The quickest of the ``effort`` most promising mappings.

    Raises
    ------
    CompileError
        If none can be lowered: the reason of the most promising one.
    """
    space = space_of(machine, graph, layer, homes)
    best: tuple[int, Mapping] | None = None
    reason: CompileError | None = None
    timed = failed = 0
    for mapping in ranked(machine, graph, layer, homes, space):
        try:
            code = lower(machine, graph, layer, homes, mapping, Constants())
            if effort > 1:
                code = place_tokens(machine.graph, code)
        except CompileError as error:
            reason = reason or error
            failed += 1
            if failed == _PATIENCE:
                break
            continue
        if effort == 1:
            return mapping
        cycles = cost(machine.graph, code).cycles
        if best is None or cycles < best[0]:
            best = cycles, mapping
        timed += 1
        if timed == effort:
            break
    if best is None:
        if reason is None:  # nothing seems to fit: the smallest tiles say why
            lower(machine, graph, layer, homes, space[0], Constants())
            return space[0]
        raise reason
    return best[1]
