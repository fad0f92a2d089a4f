"""From a kernel graph and a covenant to a program."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from tenon.acg.graph import Graph as Covenant
from tenon.compiler.errors import CompileError
from tenon.compiler.frontend import read_graph
from tenon.compiler.ir import Graph
from tenon.compiler.mapping import NetworkMapping
from tenon.compiler.network import Network
from tenon.compiler.program import Program
from tenon.compiler.search import DEFAULT_EFFORT

__all__ = ["compile_graph", "compile_model"]


def compile_model(model: onnx.ModelProto, covenant: Covenant, **options) -> Program:
    """Compiles a quantised ONNX model: ``compile_graph`` of what the frontend reads."""
    return compile_graph(read_graph(model), covenant, **options)


def compile_graph(graph: Graph, covenant: Covenant, *, mapping: NetworkMapping | None = None, effort: int = DEFAULT_EFFORT,
                  progress: Callable[[str], None] | None = None, schedule: str = "file", on_chip: bool = False) -> Program:
    """The program of ``graph`` for the hardware of ``covenant``.

    Parameters
    ----------
    mapping :
        Mappings to replay; layers that it does not name are searched. Refused if a layer has none such any more.
    effort : int
        Mappings of each layer that are lowered and timed, at most.
    progress :
        Called with each layer's name.
    schedule :
        In which order layers come: "file", "greedy" (what frees most memory next) or "optimal" (least memory).
    on_chip :
        Whether tensors may stay on chip between layers. They are in none of the program's ``tensors``.

    Raises
    ------
    CompileError
        Naming layer and nodes: a configuration cannot hold or compute a layer.
    """
    network = Network(graph, covenant, schedule=schedule, on_chip=on_chip)
    if mapping is not None and mapping.places:
        if not on_chip:
            raise CompileError("the mapping keeps tensors on chip: allow that (--on-chip)")
        network = network.placed(mapping.places)
    strange = sorted(set(mapping.layers if mapping else ()) - {layer.name for layer in network.layers})
    if strange:
        raise CompileError(f"the mapping is of a layer {strange[0]}, which {graph.name} does not have")
    chosen = {}
    for number, layer in enumerate(network.layers):
        if progress is not None:
            progress(layer.name)
        if mapping is not None and layer.name in mapping.layers:
            chosen[layer.name] = mapping.layers[layer.name]
            try:
                network.space(number).point(chosen[layer.name])
            except CompileError as error:
                raise CompileError(f"layer {layer.name}: {error}") from None
        else:
            chosen[layer.name] = network.searched(number, effort)
    return network.program(chosen)
