"""Walks through a model's nodes and builds the kernel graph; what it cannot, it lists."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
from onnx import numpy_helper

from tenon.compiler.errors import CompileError, NothingToComputeError, UnsupportedError
from tenon.compiler.evaluate import evaluate
from tenon.compiler.frontend.channels_last import channels_last
from tenon.compiler.frontend.fold import fold
from tenon.compiler.frontend.model import check_quantised
from tenon.compiler.frontend.prepare import Prepared, prepared
from tenon.compiler.frontend.quantisation import Quantisation
from tenon.compiler.frontend.split import Split
from tenon.compiler.frontend.values import Constant, Expression, FloatInput, Quantised, Reference, Value
from tenon.compiler.ir import Graph, Kernel, Tensor

__all__ = ["HANDLERS", "MOST_BYTES", "Reader", "Refused", "handles", "load_handlers", "read_graph", "read_parts"]


_NAMES = {number: name for name, number in onnx.TensorProto.DataType.items()}
MOST_BYTES = 1 << 31  # of a tensor; addresses have 32 bits
_MALFORMED = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


class Refused(Exception):
    """Why a node is not supported."""


HANDLERS: dict[str, Callable[[Reader, onnx.NodeProto], None]] = {}


def handles(*operators: str):
    """Registers a function that reads nodes of these operators."""

    def register(function):
        HANDLERS.update(dict.fromkeys(operators, function))
        return function

    return register


def load_handlers() -> None:
    """Fills ``HANDLERS``: the files of handlers need this module's names, so they are imported late."""
    from tenon.compiler.frontend import (  # noqa: F401
        channels,
        float_operators,
        functions,
        integer_operators,
        movement,
        pairs,
        prelu,
        reductions,
        rows,
        transpose,
    )


def read_graph(model: onnx.ModelProto) -> Graph:
    """The kernel graph of a quantised model (QDQ or QOperator form, also mixed).

    Raises
    ------
    CompileError
        For dynamic shapes, or a float model.
    UnsupportedError
        Once, naming every node that is not supported, its operator and the reason.
    """
    return read_parts(model)[0]


def read_parts(model: onnx.ModelProto) -> tuple[Graph, Split]:
    """As ``read_graph``, with what the host runs before and after it."""
    load_handlers()
    check_quantised(model)
    ready = prepared(model)
    return Reader(ready).read(), ready.parts


class Reader:
    """State of one walk: values of the model's tensors so far, and the graph that grows.

    ``shapes`` are those of the model's tensors, as far as ONNX infers them, of its inputs at least. ``uses`` counts how
    often the model reads each tensor.
    """

    def __init__(self, given: Prepared):
        model = given.parts.body
        self.parts = given.parts
        self.model, self.shapes, self.invented, self.floats = model, given.shapes, given.invented, given.floats
        self.uses = given.uses
        self.last = channels_last(model.graph)
        self.names: set[str] = set()  # of kernels
        self.unscaled: set[str] = set()  # inputs of 8-bit elements that nothing has read yet
        self.values: dict[str, Value | None] = {}  # None: of a node that was refused
        self.tensors: dict[str, Tensor] = {}
        self.inputs: list[str] = []
        self.kernels: list[Kernel] = []
        self.constants: dict[str, np.ndarray] = {}  # those of the tensors that nobody writes
        self.aliases: dict[str, Tensor] = {}
        self.node: onnx.NodeProto | None = None

    def read(self) -> Graph:
        graph = self.model.graph
        for initializer in graph.initializer:
            try:
                self.values[initializer.name] = Constant(numpy_helper.to_array(initializer))
            except (KeyError, TypeError, ValueError) as error:
                raise CompileError(f"constant {initializer.name!r} is malformed: {type(error).__name__}: {error}") from None
        for value in graph.input:
            if value.name not in self.values:
                self._input(value)
        reasons = []
        for node in graph.node:
            self.node = node
            label = f"{self.node_name} ({node.op_type})"
            handler = HANDLERS.get(node.op_type) if node.domain in ("", "ai.onnx", "com.microsoft") else None
            known = [self.values.get(n) for n in node.input if n]
            try:
                if known and all(isinstance(v, Constant) for v in known) and (folded := fold(self, node, known)) is not None:
                    self.values.update(folded)
                    continue
                if handler is None:
                    raise Refused("the operator is not supported")
                if all(v is not None for v in known):
                    try:
                        handler(self, node)
                        self._adopt(node)
                    except _MALFORMED as error:  # attributes or constants that no writer of models writes
                        raise Refused(f"it is malformed ({type(error).__name__}: {error})") from None
                    continue
                missing = [n for n in node.input if n and n not in self.values]
                if missing:
                    raise Refused(f"its input {missing[0]!r} is defined nowhere before it")
            except Refused as refusal:
                reasons.append(f"{label}: {refusal}")
            self.values.update(dict.fromkeys(node.output))
        outputs = [] if reasons else [self._output(value, reasons) for value in graph.output]
        if reasons:
            raise UnsupportedError(reasons)
        if not self.kernels:
            host = sorted({n.op_type for part in (self.parts.head, self.parts.tail) if part is not None for n in part.graph.node})
            raise NothingToComputeError(f"the accelerator would compute nothing: the host would run {', '.join(host)}" if host else
                                        "the model computes nothing: none of its outputs depends on an operator other than a copy")
        result = Graph(graph.name or "network", self.tensors, tuple(self.inputs), tuple(outputs), tuple(self._computed(outputs)),
                       self.aliases, self.constants)
        try:
            result.verify()
        except ValueError as error:
            raise CompileError(f"the model is malformed: {error}") from None
        return result

    def _adopt(self, node: onnx.NodeProto) -> None:
        """A tensor that has no name in the model gets that of the first tensor there that holds the same bytes."""
        for name in node.output:
            found = self.values.get(name)
            if isinstance(found, Quantised) and name not in self.invented and not self.tensors[found.reference.tensor].onnx_name:
                reference = found.reference
                self.tensors[reference.tensor] = replace(self.tensors[reference.tensor], onnx_name=name, onnx_shape=reference.shape,
                                                         onnx_order=reference.order)

    def _computed(self, outputs: list[str]) -> list[Kernel]:
        """The kernels that need to run: copies and tables of constants are carried out here."""
        kept = []
        for kernel in self.kernels:
            fixed = all(name in self.constants for name in kernel.inputs) and kernel.exact and kernel.y not in outputs
            if fixed:
                alone = Graph("constant", self.tensors, (), (kernel.y,), (kernel,), constants=self.constants)
                self.constants[kernel.y] = evaluate(alone, {})[kernel.y]
            else:
                kept.append(kernel)
        read = {name for kernel in kept for name in kernel.inputs}
        self.constants = {name: array for name, array in self.constants.items() if name in read}
        return kept

    def _input(self, value: onnx.ValueInfoProto) -> None:
        kind = value.type.tensor_type.elem_type
        shape = self.shapes[value.name]
        if kind == onnx.TensorProto.FLOAT:
            self.values[value.name] = FloatInput(value.name, shape)
        elif kind in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8):
            dtype = "int8" if kind == onnx.TensorProto.INT8 else "uint8"
            reference = self.input_tensor(value.name, value.name, shape, Quantisation(np.float32(1), 0, dtype))
            self.inputs.append(reference.tensor)
            self.unscaled.add(reference.tensor)
            self.values[value.name] = Quantised(reference)
        else:
            raise CompileError(f"input {value.name!r} must be float, int8 or uint8, "
                               f"not {_NAMES.get(kind, f'type {kind}').lower()}")

    def _output(self, value: onnx.ValueInfoProto, reasons: list[str]) -> str:
        found = self.values.get(value.name)
        if isinstance(found, Expression) and found.op == "dequantise" and found.clip is None:
            reference = found.operands[0]
        elif isinstance(found, Quantised):
            reference = found.reference
        else:
            reasons.append(f"output {value.name!r}: it must be the result of a QuantizeLinear, dequantised or not")
            return ""
        self.aliases[value.name] = self.view(reference, value.name)
        return reference.tensor

    # What handlers use.

    @property
    def node_name(self) -> str:
        return self.node.name or self.node.output[0]

    def value(self, index: int) -> Value | None:
        """The node's input ``index``, or None if it is not given."""
        inputs = self.node.input
        return self.values[inputs[index]] if index < len(inputs) and inputs[index] else None

    def constant(self, index: int, what: str) -> np.ndarray:
        value = self.value(index)
        if not isinstance(value, Constant):
            raise Refused(f"its {what} must be constant")
        return value.array if value.scale is None else value.real

    def attributes(self) -> dict[str, object]:
        return {a.name: onnx.helper.get_attribute_value(a) for a in self.node.attribute}

    def quantisation(self, scale: int, zero_point: int, default: str = "uint8") -> Quantisation:
        """Per-tensor parameters from the node's inputs of these indices."""
        scales = self.constant(scale, "scale")
        zero = self.constant(zero_point, "zero-point") if self.value(zero_point) is not None else np.zeros((), default)
        if scales.size != 1 or zero.size != 1:
            raise Refused("activations must be quantised per tensor")
        if zero.dtype not in (np.int8, np.uint8):
            raise Refused(f"activations must be int8 or uint8, not {zero.dtype}")
        if not (scales > 0).all() or not np.isfinite(scales).all():
            raise Refused(f"its scale must be positive, not {float(scales.reshape(())):g}")
        return Quantisation(np.float32(scales.reshape(())), int(zero.reshape(())), str(zero.dtype))

    def of_tensor(self, name: str) -> Quantisation:
        t = self.tensors[name]
        return Quantisation(np.float32(t.scale), t.zero_point, t.dtype)

    def read_as(self, reference: Reference, q: Quantisation) -> None:
        """Notes how a node reads a tensor: an input of 8-bit elements says nothing of its scale, its first use does."""
        t = self.tensors[reference.tensor]
        if t.dtype != q.dtype:
            raise Refused(f"it reads {t.dtype} elements as {q.dtype}")
        if t.name in self.unscaled:
            self.unscaled.remove(t.name)
            self.tensors[t.name] = replace(t, scale=float(q.scale), zero_point=q.zero_point)

    def tensor(self, name: str, shape: tuple[int, ...], q: Quantisation, *, nhwc: tuple[int, ...] | None = None,
               order: str = "same", invented: bool = False) -> Reference:
        """A new tensor of the graph for the model's tensor ``name``; a model's shape of four dimensions is NCHW unless
        ``nhwc`` is given. ``invented``: the model has no such tensor."""
        if nhwc is None:
            if len(shape) > 4:
                raise Refused(f"tensors must have at most 4 dimensions, not {len(shape)}")
            order = "NCHW" if len(shape) == 4 else "same"
            nhwc = (shape[0], *shape[2:], shape[1]) if order == "NCHW" else (1,) * (4 - len(shape)) + tuple(shape)
        if math.prod(nhwc) > MOST_BYTES:
            raise CompileError(f"tensor {name!r} of {math.prod(nhwc)} bytes is larger than any memory: at most {MOST_BYTES} are supported")
        invented = invented or name in self.invented
        self.tensors[name] = Tensor(name, tuple(nhwc), q.dtype, float(q.scale), q.zero_point, "" if invented else name,
                                    tuple(shape), order)
        return Reference(name, tuple(shape), order)

    def input_tensor(self, name: str, value: str, shape: tuple[int, ...], q: Quantisation) -> Reference:
        """The tensor ``name`` of the model's input ``value``, in the order in which the model has it."""
        return self.tensor(name, shape, q, nhwc=shape if value in self.last else None)

    def fresh_tensor(self, stem: str) -> str:
        """A name for a tensor that the model does not have."""
        return next(name for name in (f"{stem}.{i}" for i in itertools.count(1)) if name not in self.tensors and name not in self.uses)

    def constant_tensor(self, value: Constant) -> Reference:
        """A tensor of the graph for a constant, quantised per tensor, that stands where an activation may."""
        if value.scale is None:
            raise Refused("its constant operand is float: it must be quantised first (QuantizeLinear, DequantizeLinear)")
        if value.scale.size != 1 or value.zero_point.size != 1 or value.array.dtype not in (np.int8, np.uint8):
            raise Refused("its constant operand must be quantised per tensor to int8 or uint8")
        q = Quantisation(np.float32(value.scale.reshape(())), int(value.zero_point.reshape(())), str(value.array.dtype))
        reference = self.tensor(self.fresh_tensor(f"{self.node_name}.constant"), value.array.shape or (1,), q, invented=True)
        self.constants[reference.tensor] = np.ascontiguousarray(self.tensors[reference.tensor].from_onnx(value.array))
        return reference

    def like(self, name: str, reference: Reference, q: Quantisation) -> Reference:
        """A new tensor laid out and seen as ``reference`` is."""
        return self.tensor(name, reference.shape, q, nhwc=self.tensors[reference.tensor].shape, order=reference.order)

    def view(self, reference: Reference, onnx_name: str) -> Tensor:
        t = self.tensors[reference.tensor]
        return Tensor(t.name, t.shape, t.dtype, t.scale, t.zero_point, onnx_name, reference.shape, reference.order)

    def image(self, reference: Reference) -> Tensor:
        """The tensor, if the model sees it as the NCHW image that it is."""
        if len(reference.shape) != 4:
            raise Refused(f"its input must have 4 dimensions (NCHW), not {len(reference.shape)}")
        t = self.tensors[reference.tensor]
        n, h, w, c = t.shape
        if reference.shape != (n, c, h, w) or (reference.order != "NCHW" and h * w > 1):
            raise Refused(f"its input is no image: {list(reference.shape)}")
        return t

    def kernel_name(self, nodes: tuple[str, ...]) -> str:
        """A kernel's name: of its first node, if that is not taken."""
        name = nodes[0] if nodes[0] not in self.names else self.node.output[0]
        while name in self.names:
            name += "_"
        self.names.add(name)
        return name

    def add_kernel(self, kernel: Kernel, reference: Reference) -> None:
        self.kernels.append(kernel)
        self.values[self.node.output[0]] = Quantised(reference)
