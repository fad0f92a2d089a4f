"""ONNX models as problems of order: which nodes hold memory, and how much."""

from __future__ import annotations

import math
from collections.abc import Iterator

import onnx

from tenon.compiler.errors import CompileError
from tenon.compiler.schedule.inference import types_of
from tenon.compiler.schedule.problem import Operator, Problem

__all__ = ["problem_of"]

#: Operators whose result is another name of what they read.
_NAMES = frozenset(("DequantizeLinear", "Identity", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze"))
#: Operators that are part of the kernel before them, or work in place, if nobody else reads what they read.
_FUSED = frozenset(("QuantizeLinear", "Relu", "Clip", "LeakyRelu", "Cast"))
_CONVOLUTIONS = frozenset(("Conv", "QLinearConv", "ConvInteger"))
_CONCATENATIONS = frozenset(("Concat", "QLinearConcat"))


def problem_of(model: onnx.ModelProto, name: str) -> Problem:
    """The activations of a model, float or quantised, in file order.

    A quantised tensor has a byte for each element: what QuantizeLinear and DequantizeLinear stand around is one tensor.
    So is what a view or a fused activation gives.

    Raises
    ------
    CompileError
        For shapes that are dynamic or cannot be inferred, and for what ``Problem`` refuses.
    """
    return _Reading(model, name).problem()


class _Reading:
    def __init__(self, model: onnx.ModelProto, name: str):
        self.graph, self.name = model.graph, name
        self.types = types_of(model, name)
        self.constants = {i.name for i in self.graph.initializer}
        self.extents = {i.name: tuple(i.dims) for i in self.graph.initializer}
        self.tensor: dict[str, str] = {}  # of each value, the tensor that holds it
        self.root: dict[str, str] = {}  # of each value, the one that it is another name of
        self.sizes: dict[str, int] = {}
        self.results = {v.name for v in self.graph.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.graph.node:
            for value in dict.fromkeys(_read_by(node)):
                self.readers.setdefault(value, []).append(node)

    def problem(self) -> Problem:
        operators = []
        inputs = [v.name for v in self.graph.input if v.name not in self.constants]
        for value in inputs:
            self.hold(value, value)
        for number, node in enumerate(self.graph.node):
            reads = [n for n in _read_by(node) if n not in self.constants]
            if not reads:
                self.constants.update(node.output)
                continue
            unknown = [n for n in reads if n not in self.tensor]
            if unknown:
                raise CompileError(f"{self.name}: node {node.name or node.op_type!r} reads {unknown[0]!r}, which nothing before it writes")
            writes = [n for n in node.output if n]
            if node.op_type in _NAMES or node.op_type in _FUSED and self.reads(self.root[reads[0]]) == 1:
                for n in writes[:1]:
                    self.hold(n, self.tensor[reads[0]])
                    self.root[n] = self.root[reads[0]] if node.op_type in _NAMES else n
                continue
            for n in writes:
                self.hold(n, n)
            sources = tuple(dict.fromkeys(self.tensor[n] for n in reads))
            operators.append(Operator(node.name or f"{node.op_type.lower()}_{number}", sources, tuple(writes), self.kind(node)))
        read = {t for op in operators for t in op.inputs}
        outputs = tuple(dict.fromkeys(self.tensor[v.name] for v in self.graph.output if v.name in self.tensor))
        used = tuple(dict.fromkeys(self.tensor[v] for v in inputs if self.tensor[v] in read or self.tensor[v] in outputs))
        return Problem(self.name, tuple(self._distinct(operators)), self.sizes, used, outputs)

    def hold(self, value: str, tensor: str) -> None:
        """``value`` is in the memory of ``tensor``, which is as large as the smallest form of it."""
        self.tensor[value], self.root[value] = tensor, value
        size = self.bytes_of(value)
        self.sizes[tensor] = min(self.sizes.get(tensor, size), size)

    def reads(self, value: str) -> int:
        """How many read this value under any of its names, the host included."""
        names = [n.output[0] for n in self.readers.get(value, ()) if n.op_type in _NAMES]
        return (value in self.results) + len(self.readers.get(value, ())) - len(names) + sum(map(self.reads, names))

    def bytes_of(self, value: str) -> int:
        kind = self.types.get(value)
        if kind is None or not kind.HasField("shape"):
            raise CompileError(f"{self.name}: the shape of {value!r} cannot be inferred")
        extents = [d.dim_value if d.HasField("dim_value") else 0 for d in kind.shape.dim]
        if any(d.HasField("dim_param") or not d.HasField("dim_value") for d in kind.shape.dim):
            raise CompileError(f"{self.name}: the shape of {value!r} is dynamic; fix every dimension")
        return math.prod(extents) * onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).itemsize

    def kind(self, node: onnx.NodeProto) -> str:
        number = {a.name: a.i for a in node.attribute}
        if node.op_type in _CONCATENATIONS:
            rank = len(self.types[node.output[0]].shape.dim)
            return "concat" if number.get("axis", 0) in (1, 1 - rank) else ""  # channels; anything else cannot be told apart later
        if node.op_type in _CONVOLUTIONS:
            weight = node.input[3 if node.op_type == "QLinearConv" else 1]
            if weight not in self.constants:
                return ""
            if number.get("group", 1) == 1:
                return "conv"
            extents = self.extents.get(weight) or tuple(d.dim_value for d in self.types[weight].shape.dim)
            return "depthwise" if tuple(extents[1:2]) == (1,) else ""  # larger groups cannot be cut anywhere
        return ""

    @staticmethod
    def _distinct(operators: list[Operator]) -> list[Operator]:
        """Models may name two nodes alike."""
        seen: dict[str, int] = {}
        found = []
        for op in operators:
            seen[op.name] = count = seen.get(op.name, 0) + 1
            found.append(op if count == 1 else Operator(f"{op.name}#{count}", op.inputs, op.outputs, op.kind))
        return found


def _read_by(node: onnx.NodeProto) -> Iterator[str]:
    """Values that a node reads, also inside of its bodies."""
    yield from (n for n in node.input if n)
    for attribute in node.attribute:
        for body in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
            own = {v.name for v in body.input} | {i.name for i in body.initializer} | {n for inner in body.node for n in inner.output}
            outer = [n for inner in body.node for n in _read_by(inner)] + [v.name for v in body.output]
            yield from (n for n in outer if n not in own)
