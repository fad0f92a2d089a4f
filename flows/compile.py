"""A model becomes a program folder: compiled, checked, and kept beside the model that it was made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from tenon.acg.graph import Graph as Covenant
from tenon.compiler.checker import check_program
from tenon.compiler.compile import compile_graph
from tenon.compiler.frontend import Split, load_model, read_parts
from tenon.compiler.ir import Graph
from tenon.compiler.mapping import NetworkMapping
from tenon.compiler.program import Program
from tenon.flows.errors import UserError
from tenon.flows.outputs import new_folder
from tenon.flows.source import Source

__all__ = ["FILES", "Compiled", "Placement", "compile_source", "load_folder", "placements", "read_source", "save_folder"]

#: Every file of a program folder.
FILES = ("program.bin", "program.json", "constants.bin", "image.bin", "listing.txt", "acg.json",
         "model.onnx")


@dataclass(frozen=True)
class Compiled:
    """A program with the model and the kernel graph that it was made of."""

    program: Program
    model: onnx.ModelProto
    graph: Graph
    parts: Split  # what of the model the host runs


def read_source(source: Source) -> tuple[Graph, Split]:
    """The kernel graph of ``source``, and what of it the host runs.

    Raises
    ------
    CompileError
        If the model is not supported.
    """
    graph, parts = read_parts(source.model)
    return replace(graph, name=source.name), parts  # not what an exporter calls every graph


def compile_source(source: Source, covenant: Covenant, *, schedule: str = "optimal", on_chip: bool = False,
                   mapping: NetworkMapping | None = None, progress: Callable[[str], None] | None = None) -> Compiled:
    """Compiles ``source`` for the hardware of ``covenant``, and has the static checker prove the program legal.

    ``schedule``, ``on_chip``, ``mapping``, ``progress``: as ``compile_graph`` has them.

    Raises
    ------
    CompileError
        If the model is not supported, or the configuration cannot hold a layer.
    """
    graph, parts = read_source(source)
    program = compile_graph(graph, covenant, schedule=schedule, on_chip=on_chip, mapping=mapping, progress=progress)
    check_program(covenant, program.image(), program.segments)
    return Compiled(program, source.model, graph, parts)


def save_folder(compiled: Compiled, folder: Path) -> list[Path]:
    """Writes the program folder; returns its files.

    Raises
    ------
    UserError
        If ``folder`` holds something that is not ours.
    """
    with new_folder(folder, FILES) as work:
        compiled.program.save(work)
        (work / "model.onnx").write_bytes(compiled.model.SerializeToString())
    return [folder / name for name in FILES]


def load_folder(folder: Path, covenant: Covenant | None) -> Compiled:
    """What ``save_folder`` wrote, for the hardware of ``covenant``.

    Raises
    ------
    CompileError
        If it is not a program folder, or was compiled for other hardware.
    """
    program = Program.load(folder, covenant)
    model = load_model(folder / "model.onnx")
    graph, parts = read_parts(model)
    unknown = [name for name in program.tensors if name not in graph.tensors]
    if unknown:
        raise UserError(f"{folder}: model.onnx has no tensor {unknown[0]!r}: it is not the model that the program was made of")
    return Compiled(program, model, graph, parts)


@dataclass(frozen=True)
class Placement:
    """Where a node of the model runs, and why not on the array if it does not."""

    node: str
    op: str
    where: str
    why: str


def placements(compiled: Compiled) -> list[Placement]:
    """Where each node of the model runs."""
    by_node = {node: layer for layer in compiled.program.layers for node in layer.nodes}
    constants = {i.name for i in compiled.model.graph.initializer}
    inputs = {i.name for i in compiled.model.graph.input} - constants
    outputs = {o.name for o in compiled.model.graph.output}
    edges = {o: why for part, why in ((compiled.parts.head, "float, before anything is quantised"),
                                      (compiled.parts.tail, "float, after the last quantised tensor")) if part is not None
             for node in part.graph.node for o in node.output}
    found = []
    for node in compiled.model.graph.node:
        name = node.name or node.output[0]
        if all(n in constants for n in node.input):
            constants.update(node.output)
        layer = by_node.get(name)
        if layer is not None:
            where, why = layer.engine, "" if layer.macs else "no products of activations and weights"
        elif node.output[0] in edges and node.output[0] not in constants:
            where, why = "host", edges[node.output[0]]
        elif node.output[0] in constants:
            where, why = "compiler", "constant"
        elif node.op_type == "QuantizeLinear" and node.input[0] in inputs:
            where, why = "host", "quantises an input"
        elif node.op_type == "DequantizeLinear" and node.output[0] in outputs:
            where, why = "host", "dequantises an output"
        else:
            where, why = "nowhere", _NO_WORK.get(node.op_type, "another name for the same bytes")
        found.append(Placement(name, node.op_type, where, why))
    return found


_NO_WORK: Mapping[str, str] = {
    "QuantizeLinear": "part of the kernel before it",
    "DequantizeLinear": "part of the kernel after it",
}
