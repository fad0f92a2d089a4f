"""What ONNX Runtime's quantiser does not take, though it means the same, is said in another way first."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

__all__ = ["quantisable"]

_OPSET = 13  # the first one with scales per channel
_IR = 4  # the first one where constants need not be inputs


def quantisable(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the opset that quantised models need, with plain biases of Gemm."""
    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if copy.ir_version < _IR:  # constants had to be inputs as well, which the quantiser then asks samples for
        constants = {i.name for i in copy.graph.initializer}
        inputs = [i for i in copy.graph.input if i.name not in constants]
        del copy.graph.input[:]
        copy.graph.input.extend(inputs)
        copy.ir_version = _IR
    if versions and versions[0] < _OPSET:
        try:
            copy = onnx.version_converter.convert_version(copy, _OPSET)
        except Exception:  # of C++; it has no word on every operator, and the quantiser may take the model as it is
            pass
    constants = {i.name: i for i in copy.graph.initializer}
    for node in copy.graph.node:
        if node.op_type == "Gemm" and len(node.input) == 3 and all(n in constants for n in node.input[1:]):
            _plain_bias(node, constants, copy.graph)
    return copy


def _plain_bias(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto], graph: onnx.GraphProto) -> None:
    """Multiplies the bias by beta, which the quantiser drops, and makes one row of it, whose channels it looks for in the
    first dimension."""
    attributes = {a.name: a for a in node.attribute}
    columns = constants[node.input[1]].dims[0 if "transB" in attributes and attributes["transB"].i else 1]
    before = numpy_helper.to_array(constants[node.input[2]])
    bias = before
    if "beta" in attributes:
        bias = bias * np.float32(attributes["beta"].f)
        node.attribute.remove(attributes["beta"])
    if bias.shape in ((), (1,), (1, 1), (1, columns)):
        bias = np.array(np.broadcast_to(bias.reshape(-1), (columns,)))
    if bias is before or bias.shape == before.shape and (bias == before).all():
        return
    name = next(n for n in (f"{node.input[2]}.plain{i}" for i in range(len(constants) + 1)) if n not in constants)
    constants[name] = numpy_helper.from_array(bias, name)
    graph.initializer.append(constants[name])
    node.input[2] = name
