"""ONNX models as problems of order: which nodes hold memory, and how much."""

from __future__ import annotations

import math

import onnx

from compiler.errors import CompileError
from compiler.schedule.problem import Operator, Problem

__all__ = ["problem_of"]

#: Operators whose result needs no memory of its own: another name, or part of the kernel around them.
_VIEWS = frozenset(("QuantizeLinear", "DequantizeLinear", "Relu", "Clip", "LeakyRelu", "Identity", "Dropout", "Reshape", "Flatten",
                    "Squeeze", "Unsqueeze", "Cast"))
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
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=False)
    except (onnx.shape_inference.InferenceError, ValueError) as error:
        raise CompileError(f"{name}: shapes cannot be inferred: {str(error).splitlines()[0]}") from None
    return _Reading(inferred.graph, name).problem()


class _Reading:
    def __init__(self, graph: onnx.GraphProto, name: str):
        self.graph, self.name = graph, name
        self.types = {v.name: v.type.tensor_type for v in (*graph.input, *graph.value_info, *graph.output)}
        self.constants = {i.name: tuple(i.dims) for i in graph.initializer}
        self.tensor: dict[str, str] = {}  # of each value, the tensor that holds it
        self.sizes: dict[str, int] = {}

    def problem(self) -> Problem:
        operators = []
        inputs = [v.name for v in self.graph.input if v.name not in self.constants]
        for value in inputs:
            self.hold(value, value)
        for number, node in enumerate(self.graph.node):
            reads = [n for n in node.input if n and n not in self.constants]
            if not reads:
                self.constants.update(dict.fromkeys(node.output, ()))
                continue
            unknown = [n for n in reads if n not in self.tensor]
            if unknown:
                raise CompileError(f"{self.name}: node {node.name or node.op_type!r} reads {unknown[0]!r}, which nothing before it writes")
            writes = [n for n in node.output if n]
            if node.op_type in _VIEWS:
                for n in writes[:1]:
                    self.hold(n, self.tensor[reads[0]])
                continue
            for n in writes:
                self.hold(n, n)
            sources = tuple(dict.fromkeys(self.tensor[n] for n in reads))
            operators.append(Operator(node.name or f"{node.op_type.lower()}_{number}", sources, tuple(writes), self.kind(node)))
        read = {t for op in operators for t in op.inputs}
        outputs = tuple(dict.fromkeys(self.tensor[v.name] for v in self.graph.output if v.name in self.tensor))
        used = tuple(dict.fromkeys(self.tensor[v] for v in inputs if self.tensor[v] in read))
        return Problem(self.name, tuple(self._distinct(operators)), self.sizes, used, tuple(o for o in outputs if o not in used))

    def hold(self, value: str, tensor: str) -> None:
        """``value`` is in the memory of ``tensor``, which is as large as the smallest form of it."""
        self.tensor[value] = tensor
        size = self.bytes_of(value)
        self.sizes[tensor] = min(self.sizes.get(tensor, size), size)

    def bytes_of(self, value: str) -> int:
        kind = self.types.get(value)
        if kind is None or not kind.HasField("shape"):
            raise CompileError(f"{self.name}: the shape of {value!r} cannot be inferred")
        extents = [d.dim_value if d.HasField("dim_value") else 0 for d in kind.shape.dim]
        if any(d.HasField("dim_param") or not d.HasField("dim_value") for d in kind.shape.dim):
            raise CompileError(f"{self.name}: the shape of {value!r} is dynamic; fix every dimension")
        return math.prod(extents) * onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).itemsize

    def kind(self, node: onnx.NodeProto) -> str:
        if node.op_type in _CONCATENATIONS:
            return "concat"
        if node.op_type in _CONVOLUTIONS:
            group = next((a.i for a in node.attribute if a.name == "group"), 1)
            weight = self.types.get(node.input[3 if node.op_type == "QLinearConv" else 1])
            single = weight is not None and len(weight.shape.dim) > 1 and weight.shape.dim[1].dim_value == 1
            return "conv" if group == 1 else "depthwise" if single else ""  # larger groups cannot be cut anywhere
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
