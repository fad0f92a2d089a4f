"""Loads an ONNX model and checks what the reader relies on: static shapes, quantised tensors."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from tenon.compiler.errors import CompileError

_QCDQ = "convert it to QuantizeLinear and DequantizeLinear with 8 bits"
#: Operators of quantised models in forms that have no integer arithmetic of 8 bits, and how to export instead.
_OTHER_FORMS = {
    **dict.fromkeys(("Quant", "IntQuant", "FloatQuant", "BipolarQuant", "Trunc"),
                    f"QONNX's arbitrary precision; {_QCDQ} (Brevitas: export_onnx_qcdq; qonnx: its QCDQ conversion)"),
    "DynamicQuantizeLinear": "it is quantised dynamically, with scales from each input; quantise it statically (tenon quantize)",
    **dict.fromkeys(("MatMulInteger", "ConvInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"),
                    "it is quantised dynamically, without scales of results; quantise it statically (tenon quantize)"),
    "MatMulNBits": "its weights have fewer than 8 bits; quantise the float model (tenon quantize)",
}

_OLDEST = 10  # operator set

__all__ = ["check_operator_sets", "check_quantised", "checked", "input_shapes", "load_model"]


def load_model(path: str | Path) -> onnx.ModelProto:
    """The model in a file.

    Raises
    ------
    CompileError
        If the file cannot be read, is not ONNX, or is cut short.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CompileError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        model = onnx.load_model_from_string(data)
    except (DecodeError, ValueError):
        raise CompileError(f"{path}: is not an ONNX model, or is truncated") from None
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise CompileError(f"{path}: its weights in other files cannot be read: {str(error).splitlines()[0]}") from None
    return checked(model, str(path))


def checked(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """``model``, with its outputs' shapes; ``where`` names it in messages.

    Raises
    ------
    CompileError
        If it is not valid ONNX.
    """
    texts = (t for n in model.graph.node for t in (n.name, n.op_type, n.domain, *n.input, *n.output, *(a.name for a in n.attribute)))
    values = (v.name for v in (*model.graph.input, *model.graph.output, *model.graph.initializer))
    if not all(isinstance(t, str) for t in (model.graph.name, *texts, *values)):  # protobuf leaves what is no text as bytes
        raise CompileError(f"{where}: is not an ONNX model, or is damaged (a name is not UTF-8 text)")
    if not model.graph.node:
        raise CompileError(f"{where}: is not an ONNX model, or is truncated (it has no nodes)")
    if any(not o.type.tensor_type.HasField("shape") for o in model.graph.output):
        model = _with_shapes(model)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        # Operators of other domains are the frontend's to refuse, node by node.
        text = str(error).splitlines()[0]
        if "No opset import for domain" not in text and "No Op registered" not in text:
            raise CompileError(f"{where}: is not a valid ONNX model: {text}") from None
    return model


def _with_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the shapes that its outputs leave out, where ONNX infers them."""
    try:
        return onnx.shape_inference.infer_shapes(model)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise CompileError(f"shapes of the model do not fit: {str(error).splitlines()[0]}") from None


def input_shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes of the model's inputs.

    Raises
    ------
    CompileError
        If one is dynamic or missing.
    """
    initialised = {i.name for i in model.graph.initializer}
    shapes = {}
    for value in model.graph.input:
        if value.name in initialised:
            continue
        kind = value.type.tensor_type
        dims = [d.dim_param or d.dim_value for d in kind.shape.dim]
        if any(d.HasField("dim_value") and d.dim_value == 0 for d in kind.shape.dim):
            raise CompileError(f"input {value.name!r} must have elements, but has the shape [{', '.join(map(str, dims))}]")
        if not kind.HasField("shape") or any(not isinstance(d, int) or d <= 0 for d in dims):
            shown = ", ".join(str(d or "?") for d in dims)
            raise CompileError(f"input {value.name!r} has the dynamic shape [{shown}]: fix every dimension of it, "
                               f"with --shape NAME=SIZE, or all with --shape {value.name}=1x3x224x224, say")
        shapes[value.name] = tuple(dims)
    return shapes


def check_operator_sets(model: onnx.ModelProto) -> None:
    """Raises CompileError if operators may mean something else than what is known of them, or belong to no set at all."""
    known = {entry.domain: entry.version for entry in model.opset_import}
    version = known.get("", known.get("ai.onnx", _OLDEST))
    newest = onnx.defs.onnx_opset_version()
    if version > newest:
        raise CompileError(f"the model's operator set {version} is newer than {newest}, the newest that onnx {onnx.__version__} knows: "
                           f"export it with an older one")
    if version < _OLDEST:
        raise CompileError(f"the model's operator set {version} is older than {_OLDEST}, the first one with QuantizeLinear: "
                           f"convert it (onnx.version_converter), or export it with a newer one")
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx", *known):
            raise CompileError(f"{node.name or node.output[0]} ({node.domain}.{node.op_type}): the model does not import its domain, "
                               f"and Tenon knows no operator of it: leave it out, or write it in ONNX's own operators")


def check_quantised(model: onnx.ModelProto) -> None:
    """Raises CompileError if the model is float, quantised in a form that says something else, or in no known operator set."""
    check_operator_sets(model)
    kinds = {node.op_type for node in (*model.graph.node, *(n for f in model.functions for n in f.node))}
    for kind, why in _OTHER_FORMS.items():
        if kind in kinds:
            raise CompileError(f"the model has {kind} nodes: {why}")
    real = any(i.type.tensor_type.elem_type == onnx.TensorProto.FLOAT for i in model.graph.input)
    if real and not any(kind.startswith(("QuantizeLinear", "QLinear", "QGemm")) for kind in kinds):
        raise CompileError("the model is float: quantise it first, with calibration data: "
                           "tenon quantize MODEL.onnx --calibration FILE.npz -o QUANTISED.onnx")
