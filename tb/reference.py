"""The reference: ONNX Runtime, pinned so that its integer kernels run exactly; nothing else opens a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime

from compiler.errors import CompileError

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
        known = {o.name for o in exposed.graph.output}
        inputs = {i.name for i in exposed.graph.input}
        for name in tensors:
            if name not in known and name not in inputs:
                exposed.graph.output.append(onnx.ValueInfoProto(name=name))
                known.add(name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if activation_type(model) == "int8":
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
        """Outputs and exposed tensors for ``inputs``, by name."""
        return dict(zip(self.names, self._session.run(None, dict(inputs)), strict=True))
