"""The order of layers: as the model has it, or so that as little as possible is live at any time.

What is live decides what can stay on chip, in every part of a network and not only where most is live: each part of it
that can be ordered by itself gets its own best order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tenon.compiler.errors import CompileError
from tenon.compiler.ir import Graph
from tenon.compiler.layer import Layer
from tenon.compiler.schedule.exact import schedule
from tenon.compiler.schedule.heuristics import greedy
from tenon.compiler.schedule.problem import Operator, Problem
from tenon.compiler.schedule.states import states_of

__all__ = ["SCHEDULES", "ordered"]

SCHEDULES = ("file", "greedy", "optimal")

_SECONDS = 600.0  # many times what so many states take: programs are to be the same every time
_STATES = 100_000  # for the proof that there is no better order; the best one found is taken anyway


def ordered(graph: Graph, layers: Sequence[Layer], parts: Mapping[str, Sequence[tuple[int, str]]], block: int, way: str,
            known: dict[tuple, Sequence[str]] | None = None) -> list[Layer]:
    """The layers in the order that ``way`` names.

    Parameters
    ----------
    parts :
        Tensors that consist of others (``compiler.fold``).
    block :
        Channels in a block: tensors between layers take whole ones.
    known :
        Orders that were found before, for the same way; a new one is added.

    Raises
    ------
    CompileError
        If there is no such way.
    """
    if way not in SCHEDULES:
        raise CompileError(f"schedule must be one of {', '.join(SCHEDULES)}, not {way!r}")
    if way == "file" or len(layers) < 3:
        return list(layers)
    known = {} if known is None else known
    key = tuple((layer.name, *layer.inputs, layer.writes) for layer in layers)
    if key not in known:
        problem = _problem(graph, layers, parts, block)
        if way == "greedy":
            known[key] = [problem.operators[v].name for v in greedy(states_of(problem), 0, (1 << len(layers)) - 1)]
        else:
            known[key] = schedule(problem, seconds=_SECONDS, most_states=_STATES, each=True).order
    by_name = {layer.name: layer for layer in layers}
    begun: set[str] = set()
    found = []
    for layer in (by_name[name] for name in known[key]):
        found.append(replace(layer, begins=layer.sums not in begun) if layer.sums and layer.products else layer)
        begun.add(layer.sums)
    return found


def _problem(graph: Graph, layers: Sequence[Layer], parts: Mapping[str, Sequence[tuple[int, str]]], block: int) -> Problem:
    def sources(name: str) -> list[str]:
        return [inner for _, piece in parts[name] for inner in sources(piece)] if name in parts else [name]

    operators = []
    for layer in layers:
        reads = dict.fromkeys(source for name in layer.inputs for source in sources(name) if source not in graph.constants)
        if layer.sums and not layer.products:
            reads[layer.sums] = None
        operators.append(Operator(layer.name, tuple(reads), (layer.writes,),
                                  accumulates=not layer.finishes))
    sizes = {layer.sums: 1 for layer in layers if layer.sums}  # they lie in a memory of their own
    for name in {n for op in operators for n in (*op.inputs, *op.outputs)} - sizes.keys():
        *outer, channels = graph.tensors[name].shape
        blocked = name not in graph.inputs and name not in graph.outputs  # the host's tensors lie row by row
        sizes[name] = math.prod(outer) * (math.ceil(channels / block) * block if blocked else channels)
    read = {name for op in operators for name in op.inputs}
    written = dict.fromkeys(name for op in operators for name in op.outputs)
    outputs = tuple(name for name in written if name in graph.outputs or name not in read)  # what nobody reads is kept too
    return Problem(graph.name, tuple(operators), sizes, tuple(n for n in graph.inputs if n in read), outputs)
