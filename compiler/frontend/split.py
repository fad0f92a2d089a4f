"""What the accelerator cannot run stands at a model's edges, or the model is refused: a float head before the first
QuantizeLinear and a float tail after the last one are models of their own, for the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx

from tenon.compiler.errors import CompileError
from tenon.compiler.frontend.commute import EXTREMES, MOVING, SHAPING
from tenon.compiler.frontend.surgery import Surgery, needed

__all__ = ["Split", "split"]


@dataclass(frozen=True)
class Split:
    """``head`` makes of the model's inputs those of ``body`` that the model does not have; ``tail`` the model's outputs of the
    model's inputs and of the outputs of ``body``. None: there is nothing to do."""

    head: onnx.ModelProto | None
    body: onnx.ModelProto
    tail: onnx.ModelProto | None


def split(surgery: Surgery, shapes: dict[str, tuple[int, ...]]) -> Split:
    """The parts of a model.

    Raises
    ------
    CompileError
        If the shape of a tensor between two parts is not known.
    """
    tail = _tail(surgery)
    head = _head(surgery, tail)
    if not head and not tail:
        return Split(None, surgery.write(), None)
    made_by_tail = {o for node in tail for o in node.output}
    pulled = _with_float_ancestors(surgery, tail, head)
    ends = _read_from_outside(surgery, pulled)
    given = {name for node in head for name in node.output}
    kept = {id(node) for node in (*head, *tail)}
    wanted = [name for name in surgery.outputs if name not in made_by_tail]
    results = list(dict.fromkeys([*wanted, *(n for n in ends if n not in surgery.inputs and n not in given)]))
    rest = needed([node for node in surgery.nodes if id(node) not in kept], results)
    starts = [n for n in dict.fromkeys(n for node in rest for n in node.input) if n in given]
    inputs = [n for n in surgery.inputs if any(n in node.input for node in rest)]
    body = _model(surgery, shapes, rest, [*inputs, *starts], results)
    before = list(dict.fromkeys([*starts, *(n for n in ends if n in given)]))
    return Split(_model(surgery, shapes, head, surgery.inputs, before) if head else None, body,
                 _model(surgery, shapes, pulled, ends, [n for n in surgery.outputs if n in made_by_tail]) if tail else None)


def _quantises(node: onnx.NodeProto) -> bool:
    return node.op_type.startswith(("QuantizeLinear", "QLinear", "QGemm"))


def _tail(s: Surgery) -> list[onnx.NodeProto]:
    """Nodes after which nothing is quantised any more, but for those that need no arithmetic."""
    alive: set[int] = set()  # nodes that something quantised depends on
    for node in reversed(s.nodes):
        if _quantises(node) or any(id(r) in alive for o in node.output for r in s.readers[o]):
            alive.add(id(node))
    elements, real = _elements(s), set()  # bytes, and what the host has to dequantise only
    found = []
    for node in s.nodes:
        data = [n for n in node.input if n and n not in s.constants]
        if node.op_type == "DequantizeLinear" and data or node.op_type in SHAPING and data and all(n in real for n in data):
            real.update(node.output)
        elif id(node) not in alive and data and not elements.issuperset(node.output):
            found.append(node)
    return found


def _elements(s: Surgery) -> set[str]:
    """Tensors of 8-bit elements that the accelerator makes or moves."""
    found = {i.name for i in s.model.graph.input if i.type.tensor_type.elem_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)}
    for node in s.nodes:
        data = [n for n in node.input if n and n not in s.constants]
        if _quantises(node) or node.op_type in MOVING | EXTREMES and data and all(n in found for n in data):
            found.update(node.output)
    return found


def _head(s: Surgery, tail: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Nodes that depend on no quantised tensor."""
    after = {id(node) for node in tail}
    raw = set(s.inputs)
    elements = _elements(s)
    found = []
    for node in s.nodes:
        data = [n for n in node.input if n and n not in s.constants]
        if id(node) in after or _quantises(node) or node.op_type == "DequantizeLinear" or not data or not all(n in raw for n in data):
            continue
        if elements.issuperset(node.output):
            continue
        raw.update(node.output)
        found.append(node)
    read = {n for node in s.nodes if id(node) not in {id(f) for f in found} for n in node.input} | set(s.outputs)
    return needed(found, [n for node in found for n in node.output if n in read])


def _with_float_ancestors(s: Surgery, tail: Sequence[onnx.NodeProto], head: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The tail with the float results that it shares with the body: the host computes them anew."""
    chosen, before = {id(node) for node in tail}, {id(node) for node in head}
    waiting = list(tail)
    while waiting:
        for name in waiting.pop().input:
            maker = s.maker.get(name)
            if maker is None or name in s.constants or id(maker) in chosen or id(maker) in before:
                continue
            if _quantises(maker) or maker.op_type == "DequantizeLinear" or _only_shape(s, maker):
                continue
            chosen.add(id(maker))
            waiting.append(maker)
    return [node for node in s.nodes if id(node) in chosen]


def _only_shape(s: Surgery, node: onnx.NodeProto) -> bool:
    """Whether it sees a dequantised tensor in another shape."""
    while node is not None and node.op_type in SHAPING:
        node = s.maker.get(node.input[0])
    return node is not None and node.op_type == "DequantizeLinear"


def _read_from_outside(s: Surgery, nodes: Sequence[onnx.NodeProto]) -> list[str]:
    made = {o for node in nodes for o in node.output}
    return list(dict.fromkeys(n for node in nodes for n in node.input if n and n not in made and n not in s.constants))


def _model(s: Surgery, shapes: dict[str, tuple[int, ...]], nodes: Sequence[onnx.NodeProto], inputs: Sequence[str],
           outputs: Sequence[str]) -> onnx.ModelProto:
    """A model of ``nodes`` and of what makes their constants."""
    own = {id(node) for node in nodes}
    makers, waiting = set(), [n for node in nodes for n in node.input]
    while waiting:
        maker = s.maker.get(waiting.pop())
        if maker is not None and id(maker) not in own | makers and set(maker.output) & s.constants:
            makers.add(id(maker))
            waiting += maker.input
    nodes = [node for node in s.nodes if id(node) in own | makers]
    read = {n for node in nodes for n in node.input}
    declared = {i.name: i for i in s.model.graph.input}
    values = []
    for name in inputs:
        if name not in declared and name not in shapes:
            raise CompileError(f"the shape of {name!r}, between what the host and what the accelerator runs, is not known: "
                               f"let the exporter infer shapes")
        values.append(declared[name] if name in declared else
                      onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shapes[name]))
    results = [next((o for o in s.model.graph.output if o.name == n), onnx.ValueInfoProto(name=n)) for n in outputs]
    graph = onnx.helper.make_graph(nodes, s.model.graph.name, values, results, [i for n, i in s.initialisers.items() if n in read])
    return onnx.helper.make_model(graph, opset_imports=list(s.model.opset_import), ir_version=s.model.ir_version)
