"""Types and shapes of all values of a model, those of ONNX Runtime's own operators (com.microsoft) included."""

from __future__ import annotations

import onnx

from tenon.compiler.errors import CompileError

__all__ = ["types_of"]

#: Of operators that ONNX does not know: the one whose result has the same shape, and which inputs that one takes.
_ALIKE: dict[str, tuple[str, slice]] = {
    "QLinearAdd": ("Add", slice(0, 6, 3)), "QLinearMul": ("Mul", slice(0, 6, 3)), "QLinearWhere": ("Where", slice(0, 5)),
    "QLinearConcat": ("Concat", slice(2, None, 3)), "QGemm": ("Gemm", slice(0, 6, 3)), "QLinearReduceMean": ("ReduceMean", slice(0, 1)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", slice(0, 1)), "QLinearAveragePool": ("AveragePool", slice(0, 1)),
    **dict.fromkeys(("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "Gelu", "FastGelu", "QuickGelu", "QuantizeLinear",
                     "DequantizeLinear"), ("Identity", slice(0, 1))),
}
_OTHERS = {"channels_last"}  # attributes that change what a shape means


def types_of(model: onnx.ModelProto, name: str) -> dict[str, onnx.TypeProto.Tensor]:
    """Type and shape of each value, as far as they are given or can be inferred.

    Raises
    ------
    CompileError
        If inference fails.
    """
    known = onnx.ModelProto()
    known.CopyFrom(model)
    for node in known.graph.node:
        alike = _ALIKE.get(node.op_type) if node.domain == "com.microsoft" else None
        if alike is None or any(a.name in _OTHERS and a.i for a in node.attribute):
            continue
        operator, taken = alike
        inputs = list(node.input)[taken]
        if operator == "Where":
            inputs = [inputs[0], inputs[1], inputs[4]]
        kept = [a for a in node.attribute if operator != "Identity" and a.name not in _OTHERS]
        node.CopyFrom(onnx.NodeProto(op_type=operator, name=node.name, input=inputs, output=node.output, attribute=kept))
    try:
        graph = onnx.shape_inference.infer_shapes(known, strict_mode=False).graph
    except (onnx.shape_inference.InferenceError, ValueError) as error:
        raise CompileError(f"{name}: shapes cannot be inferred: {str(error).splitlines()[0]}") from None
    return {v.name: v.type.tensor_type for v in (*graph.input, *graph.value_info, *graph.output)}
