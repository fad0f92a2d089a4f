"""QDQ models: float operators between DequantizeLinear and QuantizeLinear become one integer kernel each.

The docstring of each handler is its line in the operator table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import numpy_helper

from tenon.compiler.frontend.build import Epilogue, build_conv, build_matrices, build_pool, build_product, window_of
from tenon.compiler.frontend.copies import requantised
from tenon.compiler.frontend.operands import bias_of, dequantised, weight_of
from tenon.compiler.frontend.quantisation import table_of
from tenon.compiler.frontend.reader import Reader, Refused, handles
from tenon.compiler.frontend.realise import REALISE, realises
from tenon.compiler.frontend.shapes import flattened, reshaped, squeezed, unsqueezed
from tenon.compiler.frontend.values import Constant, Expression, FloatInput, Quantised, Reference, along
from tenon.compiler.frontend.views import as_lines, seen_as
from tenon.compiler.ir import Lookup

__all__: list[str] = []


@dataclass(frozen=True)
class _Product:
    """Attributes of a product; ``plain``: without factors, which the reference would multiply in float."""

    op: str
    transpose: bool = False
    alpha: float = 1.0
    plain: bool = True


_NUMBERS = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}


@handles("Constant")
def _constant(reader: Reader, node) -> None:
    """Of a tensor, a number or a list of numbers."""
    a = reader.attributes()
    if "value" in a:
        array = numpy_helper.to_array(a["value"])
    else:
        array = next((np.asarray(a[name], kind) for name, kind in _NUMBERS.items() if name in a), None)
        if array is None:
            raise Refused(f"its value must be a tensor or numbers, not {', '.join(a) or 'missing'}")
    reader.values[node.output[0]] = Constant(array)


@handles("Shape")
def _shape_of(reader: Reader, node) -> None:
    """Of any tensor: a constant."""
    shape = reader.shapes.get(node.input[0])
    if shape is None:
        raise Refused(f"the shape of {node.input[0]!r} is not known")
    a = reader.attributes()
    reader.values[node.output[0]] = Constant(np.asarray(shape[a.get("start", 0):a.get("end")], np.int64))


@handles("DequantizeLinear")
def _dequantise(reader: Reader, node) -> None:
    """Activations per tensor; constants per tensor or along any axis; not in blocks."""
    x = reader.value(0)
    if reader.attributes().get("block_size", 0):
        raise Refused("blocked quantisation is not supported")
    if isinstance(x, Constant):
        scale = reader.constant(1, "scale").astype(np.float32)
        zero = reader.constant(2, "zero-point") if reader.value(2) is not None else np.zeros(scale.shape, x.array.dtype)
        reader.values[node.output[0]] = Constant(x.array, scale, zero, reader.attributes().get("axis", 1))
        return
    if not isinstance(x, Quantised):
        raise Refused("its input is not quantised")
    q = reader.quantisation(1, 2, reader.tensors[x.reference.tensor].dtype)
    reader.read_as(x.reference, q)
    if q != reader.of_tensor(x.reference.tensor):
        raise Refused("its scale and zero-point are not those that the tensor was quantised with")
    reader.values[node.output[0]] = Expression("dequantise", (x.reference,), (), ())


@handles("QuantizeLinear")
def _quantise(reader: Reader, node) -> None:
    """Per tensor, int8 or uint8. Of an input of the model: the host does it. Alone after a DequantizeLinear: a table, or
    nothing if the parameters are the same."""
    x, name = reader.value(0), node.output[0]
    if reader.attributes().get("block_size", 0):
        raise Refused("blocked quantisation is not supported")
    if isinstance(x, Constant):
        reader.values[name] = _quantised_constant(reader, x)
        return
    wanted = reader.attributes().get("output_dtype", 0) or onnx.TensorProto.UINT8
    y = reader.quantisation(1, 2, onnx.helper.tensor_dtype_to_np_dtype(wanted).name)
    if isinstance(x, FloatInput):
        reference = reader.input_tensor(name, x.name, x.shape, y)
        reader.tensors[name] = replace(reader.tensors[name], onnx_name=x.name)
        reader.inputs.append(name)
        reader.values[name] = Quantised(reference)
    elif isinstance(x, Expression):
        # A float result that something else reads too is a float result in the reference.
        alone = not x.loose and all(reader.uses[output] == 1 for output in x.outputs) and reader.floats.isdisjoint(
            (*x.nodes, reader.node_name))
        REALISE[x.op](reader, x, Epilogue(y, (*x.nodes, reader.node_name), x.clip, alone))
    else:
        raise Refused("its input is not a float tensor that can be quantised")


def _quantised_constant(reader: Reader, x: Constant) -> Constant:
    """A float constant quantised in the model, per tensor or along an axis."""
    scale = reader.constant(1, "scale").astype(np.float32)
    zero = reader.constant(2, "zero-point") if reader.value(2) is not None else np.zeros(scale.shape, np.uint8)
    if zero.dtype not in (np.int8, np.uint8):
        raise Refused(f"constants must be quantised to int8 or uint8, not {zero.dtype}")
    axis = reader.attributes().get("axis", 1)
    steps = np.rint(x.real / along(scale, x.array.ndim, axis)) + along(zero, x.array.ndim, axis).astype(np.float64)
    info = np.iinfo(zero.dtype)
    return Constant(np.clip(steps, info.min, info.max).astype(zero.dtype))


def _expression(reader: Reader, op: str, operands, *, attributes=None, bias=None) -> None:
    name = reader.node.output[0]
    reader.values[name] = Expression(op, tuple(operands), (reader.node_name,), (name,), attributes, bias)


def _extended(reader: Reader, x: Expression, **changes) -> None:
    """The node's result: ``x`` with one more operator in it."""
    name = reader.node.output[0]
    reader.values[name] = replace(x, nodes=(*x.nodes, reader.node_name), outputs=(*x.outputs, name), **changes)


@handles("Conv")
def _conv(reader: Reader, node) -> None:
    """One- or two-dimensional; constant weights; any kernel, strides, dilations, pads, auto_pad and groups; bias int32 or
    float."""
    reference, w, b = dequantised(reader, 0), weight_of(reader, 1), bias_of(reader, 2)
    if w.array.ndim == 3 and len(reference.shape) == 3:
        w = replace(w, array=w.array[:, :, None], axis=w.axis % 3 + (w.axis % 3 > 1))
    x, lines = as_lines(reader, reference)
    _expression(reader, "conv", (x, w), attributes=(window_of(reader, reader.image(x), w.array.shape[2:], lines), lines), bias=b)


@handles("MatMul")
def _matmul(reader: Reader, node) -> None:
    """With a constant matrix: a following Add of a constant is its bias; after a Flatten of an image, a convolution. Of two
    activations of 2 to 4 dimensions, broadcast: a product for each pair of matrices, the second operand as weights."""
    if isinstance(reader.value(1), Expression):
        _expression(reader, "matrices", (dequantised(reader, 0), dequantised(reader, 1)))
        return
    _expression(reader, "product", (dequantised(reader, 0), weight_of(reader, 1)), attributes=_Product("MatMul"))


@handles("Gemm")
def _gemm(reader: Reader, node) -> None:
    """With a constant matrix; alpha, beta and transB; not transA. Exact if alpha and beta are 1."""
    a = reader.attributes()
    if a.get("transA", 0):
        raise Refused("transA is not supported: transpose the tensor in the model")
    bias = bias_of(reader, 2)
    alpha, beta = (float(a.get(n, 1.0)) for n in ("alpha", "beta"))
    if bias is not None and beta != 1.0:
        bias = Constant(bias.real * np.float32(beta))
    _expression(reader, "product", (dequantised(reader, 0), weight_of(reader, 1)), bias=bias,
                attributes=_Product("Gemm", bool(a.get("transB", 0)), alpha, alpha == beta == 1.0))


@handles("Relu", "Clip")
def _clip(reader: Reader, node) -> None:
    """After an operator: part of its kernel, exact if the output's range implies it (Relu: the zero-point is the smallest
    element), otherwise within one step. Alone: a table, exact."""
    x = reader.value(0)
    low, high = 0.0, np.inf
    if node.op_type == "Clip":
        bounds = [reader.attributes().get("min", -np.inf), reader.attributes().get("max", np.inf)]
        for i in (1, 2):
            v = reader.value(i)
            if isinstance(v, Constant):
                bounds[i - 1] = float(v.real.reshape(()))
            elif v is not None:
                raise Refused("its bounds must be constant")
        low, high = (float(v) for v in bounds)
        if low > high:
            raise Refused(f"its bounds are crossed: {low:g} and {high:g}")
    if isinstance(x, FloatInput):
        raise Refused(f"its input {node.input[0]!r} is float: it must be quantised first (QuantizeLinear, DequantizeLinear)")
    if not isinstance(x, Expression):
        raise Refused("its input must be a dequantised activation")
    if x.clip is not None:
        low, high = (min(max(v, low), high) for v in x.clip)
    _extended(reader, x, clip=(low, high))


@handles("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
def _pool(reader: Reader, node) -> None:
    """One- or two-dimensional; any kernel, strides and pads, ceil_mode; MaxPool with dilations, with the parameters of its
    input, and also on 8-bit elements; AveragePool exact where reciprocals provably round as divisions do."""
    if len(node.output) > 1 and node.output[1]:
        raise Refused("indices of the maxima are not supported")
    whole = node.op_type.startswith("Global")
    kind = "max" if node.op_type.endswith("MaxPool") else "global" if whole else "average"
    direct = reader.value(0)
    x = direct.reference if isinstance(direct, Quantised) and kind == "max" else dequantised(reader, 0)
    x, lines = as_lines(reader, x)
    window = None if whole else window_of(reader, reader.image(x), reader.attributes()["kernel_shape"], lines)
    if isinstance(direct, Quantised):
        q = reader.of_tensor(x.tensor)
        build_pool(reader, kind, x, q, Epilogue(q, (reader.node_name,)), window=window)
        _without_rows(reader, lines)
    else:
        _expression(reader, kind, (x,), attributes=(window, lines))


@handles("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Dropout")
def _same(reader: Reader, node) -> None:
    """Of constants, and of activations before or after quantisation, where the bytes need not move: an image flattened for
    a product, 1x1 images, rows regrouped; at the model's outputs any."""
    x = reader.value(0)
    if isinstance(x, FloatInput):
        raise Refused(f"its input {node.input[0]!r} is float: it must be quantised first (QuantizeLinear, DequantizeLinear)")
    if node.op_type in ("Identity", "Dropout"):
        if node.op_type == "Dropout" and isinstance(training := reader.value(2), Constant) and training.array.any():
            raise Refused("training_mode is not supported")
        if isinstance(x, Expression):
            x = replace(x, outputs=(*x.outputs, node.output[0]))
        reader.values[node.output[0]] = x
    elif isinstance(x, Constant):
        if x.per_channel:
            raise Refused("constants quantised per channel cannot change their shape")
        reader.values[node.output[0]] = replace(x, array=x.array.reshape(_shape(reader, x.array.shape)))
    elif isinstance(x, Quantised):
        reader.values[node.output[0]] = Quantised(_reshaped(reader, x.reference))
    elif x.op == "dequantise":
        reader.values[node.output[0]] = replace(x, operands=(_reshaped(reader, x.operands[0]),))
    else:
        raise Refused(f"its input must be quantised: {x.nodes[-1]} must be followed by QuantizeLinear and DequantizeLinear")


def _shape(reader: Reader, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the node's result."""
    a = reader.attributes()
    if reader.node.op_type == "Flatten":
        return flattened(shape, a.get("axis", 1))
    if reader.node.op_type in ("Squeeze", "Unsqueeze"):
        axes = a["axes"] if "axes" in a else reader.constant(1, "axes") if reader.value(1) is not None else None
        return (squeezed if reader.node.op_type == "Squeeze" else unsqueezed)(shape, axes)
    wanted = a["shape"] if "shape" in a else reader.constant(1, "shape")
    try:
        return reshaped(shape, tuple(int(v) for v in wanted), bool(a.get("allowzero", 0)))
    except ValueError as error:
        raise Refused(str(error)) from None


def _reshaped(reader: Reader, reference: Reference) -> Reference:
    shape = _shape(reader, reference.shape)
    n, h, w, c = reader.tensors[reference.tensor].shape
    if h == w == 1:  # one pixel: both orders are the same
        return Reference(reference.tensor, shape, "NCHW" if shape == (n, c, 1, 1) else "same")
    return Reference(reference.tensor, shape, reference.order)


# Realisation: what a QuantizeLinear makes of an expression.


@realises("dequantise")
def _realise_same(reader: Reader, e: Expression, end: Epilogue) -> None:
    reference = e.operands[0]
    x = reader.of_tensor(reference.tensor)
    name = reader.node.output[0]
    if end.clip is None and x == end.y:
        reader.values[name] = Quantised(reference)
        if name not in reader.invented:
            reader.aliases[name] = reader.view(reference, name)
        return
    low, high = (np.float32(v) for v in end.clip or (-np.inf, np.inf))
    out = reader.like(name, reference, end.y)
    kind = "Clip" if end.clip and high < np.inf else "Relu" if end.clip and low == 0 else "Clip" if end.clip else "Requantise"
    reader.add_kernel(Lookup(reader.kernel_name(end.nodes), end.nodes, kind, True, reference.tensor, out.tensor,
                             table_of(lambda real: np.clip(real, low, high), x, end.y)), out)


@realises("conv")
def _realise_conv(reader: Reader, e: Expression, end: Epilogue) -> None:
    x, w = e.operands
    window, lines = e.attributes
    build_conv(reader, x, w, e.bias, reader.of_tensor(x.tensor), end, window=window)
    _without_rows(reader, lines)


def _without_rows(reader: Reader, lines: bool) -> None:
    """The node's result as the model sees it, if it knows one spatial dimension only."""
    if lines:
        reference = reader.values[reader.node.output[0]].reference
        n, c, _, w = reference.shape
        reader.values[reader.node.output[0]] = Quantised(seen_as(reader, reference, (n, c, w)))


@realises("product")
def _realise_product(reader: Reader, e: Expression, end: Epilogue) -> None:
    x, w = e.operands
    p: _Product = e.attributes
    build_product(reader, p.op, x, w, e.bias, reader.of_tensor(x.tensor), replace(end, fused=end.fused and p.plain),
                  transpose=p.transpose, alpha=p.alpha)


@realises("matrices")
def _realise_matrices(reader: Reader, e: Expression, end: Epilogue) -> None:
    a, b = e.operands
    build_matrices(reader, a, b, reader.of_tensor(a.tensor), reader.of_tensor(b.tensor), end)


@realises("average")
@realises("global")
def _realise_average(reader: Reader, e: Expression, end: Epilogue) -> None:
    (x,) = e.operands
    window, lines = e.attributes
    build_pool(reader, e.op, x, reader.of_tensor(x.tensor), end, window=window)
    _without_rows(reader, lines)


@realises("max")
def _realise_max(reader: Reader, e: Expression, end: Epilogue) -> None:
    (x,), (window, lines) = e.operands, e.attributes
    x = requantised(reader, x, end)  # rounding keeps order
    build_pool(reader, "max", x, end.y, replace(end, clip=None), window=window)
    _without_rows(reader, lines)

