"""Cases that no accelerator of 8-bit integers can run, by the types of their inputs and outputs."""

from __future__ import annotations

import onnx

from tenon.flows.conformance.cases import Case

__all__ = ["ACTIVATIONS", "foreign_type"]

_T = onnx.TensorProto
#: What quantisation makes 8-bit elements of, and those elements.
ACTIVATIONS = frozenset({_T.FLOAT, _T.UINT8, _T.INT8})
#: What says how to compute, beside activations: shapes, axes, indices, conditions, biases.
_PARAMETERS = frozenset({_T.INT64, _T.INT32, _T.BOOL})
_TRAINING = ("ai.onnx.preview.training", "ai.onnx.training")


def foreign_type(case: Case) -> str | None:
    """Why the case's types rule it out, or None: then the compiler has the say."""
    if any(node.domain in _TRAINING for node in case.model.graph.node):
        return "training: the accelerator runs inference only"
    graph = case.model.graph
    for what, values in (("inputs", graph.input), ("results", graph.output)):
        for value in values:
            if not value.type.HasField("tensor_type"):
                form = value.type.WhichOneof("value") or "untyped_type"
                return f"{what} of type {form.removesuffix('_type')}: the accelerator has tensors only"
        found = {value.type.tensor_type.elem_type for value in values}
        if other := found - ACTIVATIONS - _PARAMETERS:
            return _said(what, min(_T.DataType.Name(t) for t in other))
        if found and not found & ACTIVATIONS:
            return _said(what, min(_T.DataType.Name(t) for t in found))
    return None


def _said(what: str, name: str) -> str:
    return f"{what} of type {name.lower()}: the accelerator computes with 8-bit integers"
