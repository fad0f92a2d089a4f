"""Inputs of models that were made with channels last: which ones."""

from __future__ import annotations

import onnx

__all__ = ["channels_last"]

_TURN = [0, 3, 1, 2]  # of a Transpose that puts channels first


def channels_last(graph: onnx.GraphProto) -> frozenset[str]:
    """Inputs of four dimensions that, quantised or not, the model only ever reads through a Transpose from NHWC to NCHW: the
    accelerator's own order, so that nothing has to move."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    results = {o.name for o in graph.output}

    def turned(name: str) -> bool:
        mine = readers.get(name, [])
        return bool(mine) and name not in results and all(
            any(a.name == "perm" and list(a.ints) == _TURN for a in node.attribute) if node.op_type == "Transpose"
            else node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[0] == name and turned(node.output[0])
            for node in mine)

    return frozenset(i.name for i in graph.input if len(i.type.tensor_type.shape.dim) == 4 and turned(i.name))
