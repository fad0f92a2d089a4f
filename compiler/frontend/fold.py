"""Constant means computed from constants: such nodes are carried out while the model is read, by ONNX's own evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from tenon.compiler.frontend.values import Constant

if TYPE_CHECKING:
    from tenon.compiler.frontend.reader import Reader

__all__ = ["fold"]

#: Handlers keep the parameters of a constant that these read.
_KEEPING = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout"}
_QUANTISING = {"QuantizeLinear", "DequantizeLinear"}
_LARGEST = 1 << 28  # elements of what is folded


def fold(reader: Reader, node: onnx.NodeProto, values: Sequence[Constant]) -> dict[str, Constant] | None:
    """Results of a node that reads constants alone; None if it is not to be folded: the node's handler tells what becomes
    of quantised constants, and the evaluator does not know every operator."""
    if node.op_type in _QUANTISING or node.op_type in _KEEPING and values[0].scale is not None:
        return None
    if any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute):
        return None
    given = {name: v.array if v.scale is None else v.real for name, v in zip((n for n in node.input if n), values, strict=True)}
    graph = onnx.helper.make_graph([node], "constant", [_info(n, a) for n, a in given.items()],
                                   [onnx.ValueInfoProto(name=n) for n in node.output if n])
    model = onnx.helper.make_model(graph, opset_imports=list(reader.model.opset_import), ir_version=reader.model.ir_version)
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, given)
    except Exception:  # the evaluator raises what numpy does; the handler, if there is one, says what is wrong
        return None
    if not all(isinstance(r, np.ndarray | np.generic) and r.size <= _LARGEST for r in results):
        return None
    return {n: Constant(np.asarray(r)) for n, r in zip((n for n in node.output if n), results, strict=True)}


def _info(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
