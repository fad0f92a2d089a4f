"""The reference: ONNX Runtime, pinned so that its integer kernels run exactly; nothing else opens a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime

from tenon.compiler.errors import CompileError

__all__ = ["VERSION", "Reference", "activation_type"]

#: The version whose arithmetic ``docs/numerics.md`` states.
VERSION = "1.32.0"


def activation_type(model: onnx.ModelProto) -> str:
    """``int8`` if any activation of the model is, else ``uint8``; the session's options depend on it."""
    constants = {i.name: i.data_type for i in model.graph.initializer}
    for node in model.graph.node:
        place = {"QuantizeLinear": 2, "QLinearConv": 7, "QLinearMatMul": 7, "QLinearAdd": 7, "QGemm": 8,
                 "QLinearAveragePool": 4, "QLinearGlobalAveragePool": 4}.get(node.op_type)
        if place is not None and len(node.input) > place and constants.get(node.input[place]) == onnx.TensorProto.INT8:
            return "int8"
    if any(i.type.tensor_type.elem_type == onnx.TensorProto.INT8 for i in model.graph.input):
        return "int8"
    return "uint8"


def _quantise_constants(model: onnx.ModelProto) -> None:
    """Carries out each QuantizeLinear of constants, by ONNX Runtime itself: its session pins the kernels of constant weights only."""
    graph = model.graph
    known = {i.name: i for i in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "QuantizeLinear" and all(i in known for i in n.input if i)]:
        alone = onnx.helper.make_graph([node], "constant", [], [onnx.ValueInfoProto(name=node.output[0])],
                                       [known[i] for i in node.input if i])
        opsets = list(model.opset_import)
        session = onnxruntime.InferenceSession(onnx.helper.make_model(alone, opset_imports=opsets, ir_version=model.ir_version)
                                               .SerializeToString(), providers=["CPUExecutionProvider"])
        (value,) = session.run(None, {})
        known[node.output[0]] = onnx.numpy_helper.from_array(value, node.output[0])
        graph.initializer.append(known[node.output[0]])
        graph.node.remove(node)


def _unshare_weights(model: onnx.ModelProto) -> None:
    """Gives each reader of an int8 constant one of its own: the session replaces such a constant by one of uint8 in place, and
    fails when it meets it again."""
    graph = model.graph
    constants = {i.name for i in graph.initializer}
    weights = {n.output[0]: n for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in constants}
    read: set[str] = set()
    nodes = []
    for node in graph.node:  # each reader of a dequantised constant gets a node of its own first, as the session does
        for place, name in enumerate(node.input):
            if name in weights and name in read:
                copy = onnx.NodeProto()
                copy.CopyFrom(weights[name])
                copy.name = copy.output[0] = node.input[place] = f"{name}.{node.name or node.output[0]}.{place}"
                nodes.append(copy)
            read.add(name)
        nodes.append(node)
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(nodes)
    shared = {i.name: i for i in graph.initializer if i.data_type == onnx.TensorProto.INT8}
    seen: set[str] = set()
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name in shared and name in seen:
                copy = onnx.TensorProto()
                copy.CopyFrom(shared[name])
                copy.name = f"{name}.{node.name or node.output[0]}.{place}"
                graph.initializer.append(copy)
                node.input[place] = copy.name
            seen.add(name)


class Reference:
    """Runs a model in ONNX Runtime and hands out its quantised tensors.

    Default optimisation, one thread; 16-bit pair sums off for uint8 models, integer kernels on for int8 models
    (without these two options the arithmetic depends on the processor, or is float).

    Parameters
    ----------
    tensors : sequence of str
        Further tensors to hand out, by their names in the model: quantised ones only, since exposing a float
        one changes what is fused.

    Raises
    ------
    CompileError
        If the installed ONNX Runtime is not the pinned version, or refuses the model.
    """

    def __init__(self, model: onnx.ModelProto, tensors: Sequence[str] = ()):
        if onnxruntime.__version__ != VERSION:
            raise CompileError(f"the reference is ONNX Runtime {VERSION}, but {onnxruntime.__version__} is installed: "
                               f"install onnxruntime=={VERSION}")
        exposed = onnx.ModelProto()
        exposed.CopyFrom(model)
        _quantise_constants(exposed)
        _unshare_weights(exposed)
        known = {o.name for o in exposed.graph.output}
        inputs = {i.name for i in exposed.graph.input}
        for name in tensors:
            if name not in known and name not in inputs:
                exposed.graph.output.append(onnx.ValueInfoProto(name=name))
                known.add(name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what it refuses is said once, by the exception
        if activation_type(exposed) == "int8":
            options.add_session_config_entry("session.qdqisint8allowed", "1")
        else:
            options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            self._session = onnxruntime.InferenceSession(exposed.SerializeToString(), options,
                                                         providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no common base of their own
            raise CompileError(f"ONNX Runtime refuses the model: {str(error).splitlines()[0]}") from None
        self.names = [o.name for o in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs and exposed tensors for ``inputs``, by name.

        Raises
        ------
        CompileError
            If ONNX Runtime fails.
        """
        try:
            return dict(zip(self.names, self._session.run(None, dict(inputs)), strict=True))
        except Exception as error:
            raise CompileError(f"ONNX Runtime fails to run the model: {str(error).splitlines()[0]}") from None
