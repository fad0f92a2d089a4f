"""QDQ models: float operators between DequantizeLinear and QuantizeLinear become one integer kernel each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compiler.frontend.build import Window, build_add, build_conv, build_pool, build_product, window_of
from compiler.frontend.quantisation import Quantisation, table_of
from compiler.frontend.reader import Reader, Refused, handles
from compiler.frontend.values import Constant, Expression, FloatInput, Quantised, Reference
from compiler.ir import Lookup

__all__: list[str] = []


@handles("Constant")
def _constant(reader: Reader, node) -> None:
    value = reader.attributes().get("value")
    if value is None:
        raise Refused("only Constant with a tensor value is supported")
    from onnx import numpy_helper

    reader.values[node.output[0]] = Constant(numpy_helper.to_array(value))


@handles("DequantizeLinear")
def _dequantise(reader: Reader, node) -> None:
    x = reader.value(0)
    if isinstance(x, Constant):
        scale = reader.constant(1, "scale")
        zero = reader.constant(2, "zero-point") if reader.value(2) is not None else np.zeros(scale.shape, x.array.dtype)
        if reader.attributes().get("block_size", 0):
            raise Refused("blocked quantisation is not supported")
        constant = Constant(x.array, scale.astype(np.float32), zero, reader.attributes().get("axis", 1) if scale.size > 1 else 0)
        reader.values[node.output[0]] = constant
        return
    if not isinstance(x, Quantised):
        raise Refused("its input is not quantised")
    q = reader.quantisation(1, 2)
    tensor = reader.tensors[x.reference.tensor]
    if tensor.name in reader.inputs and not any(k for k in reader.kernels if tensor.name in k.inputs) and tensor.scale == 1.0:
        # An input of 8-bit elements says nothing of its scale; its first use does.
        reader.tensors[tensor.name] = tensor = replace(tensor, scale=float(q.scale), zero_point=q.zero_point)
    if q != reader.of_tensor(tensor.name):
        raise Refused("its parameters are not those that the tensor was quantised with")
    reader.values[node.output[0]] = Expression("dequantise", (x.reference,), (), x.reference.shape)


@handles("QuantizeLinear")
def _quantise(reader: Reader, node) -> None:
    x, y = reader.value(0), reader.quantisation(1, 2)
    name = node.output[0]
    if isinstance(x, Constant):
        reader.values[name] = Constant(y.quantise(x.real))
    elif isinstance(x, FloatInput):
        reference = reader.tensor(name, x.shape, y)
        reader.tensors[name] = replace(reader.tensors[name], onnx_name=x.name)
        reader.inputs.append(name)
        reader.values[name] = Quantised(reference)
    elif isinstance(x, Expression):
        _REALISE[x.op](reader, replace(x, nodes=(*x.nodes, node.name or name)), y)
    else:
        raise Refused("its input is not a float tensor that can be quantised")


def _dequantised(reader: Reader, index: int) -> Reference:
    """The quantised tensor behind the node's input, which is used as it is."""
    x = reader.value(index)
    if isinstance(x, FloatInput) or (isinstance(x, Expression) and (x.op != "dequantise" or x.clip)):
        raise Refused(f"its input {reader.node.input[index]!r} is float: quantise it first, with calibration data")
    if not isinstance(x, Expression):
        raise Refused(f"its input {reader.node.input[index]!r} must be a dequantised activation")
    return x.operands[0]


def _weight(reader: Reader, index: int) -> Constant:
    w = reader.value(index)
    if not isinstance(w, Constant):
        raise Refused("products of two activations are not supported")
    if w.scale is None:
        raise Refused("its weights are float: quantise the model first, with calibration data")
    if w.array.dtype not in (np.int8, np.uint8):
        raise Refused(f"its weights must be int8 or uint8, not {w.array.dtype}")
    return w


def _bias(reader: Reader, index: int) -> Constant | None:
    b = reader.value(index)
    if b is not None and not isinstance(b, Constant):
        raise Refused("its bias must be constant")
    return b


def _expression(reader: Reader, op: str, operands, *, attributes=None, bias=None) -> None:
    node = reader.node
    reader.values[node.output[0]] = Expression(op, tuple(operands), (node.name or node.output[0],), reader.shape(), attributes, bias)


@handles("Conv")
def _conv(reader: Reader, node) -> None:
    x, w, b = _dequantised(reader, 0), _weight(reader, 1), _bias(reader, 2)
    _expression(reader, "conv", (x, w), attributes=window_of(reader, reader.image(x), w.array.shape[2:]), bias=b)


@handles("MatMul")
def _matmul(reader: Reader, node) -> None:
    _expression(reader, "product", (_dequantised(reader, 0), _weight(reader, 1)), attributes=(False, 1.0))


@handles("Gemm")
def _gemm(reader: Reader, node) -> None:
    a = reader.attributes()
    if a.get("transA", 0):
        raise Refused("transA is not supported")
    b = _bias(reader, 2)
    if b is not None and a.get("beta", 1.0) != 1.0:
        raise Refused("beta must be 1")
    _expression(reader, "product", (_dequantised(reader, 0), _weight(reader, 1)),
                attributes=(bool(a.get("transB", 0)), float(a.get("alpha", 1.0))), bias=b)


@handles("Add")
def _add(reader: Reader, node) -> None:
    values = [reader.value(0), reader.value(1)]
    for product, other in (values, values[::-1]):
        if isinstance(product, Expression) and product.op == "product" and isinstance(other, Constant) and product.bias is None \
                and other.array.size in (1, product.shape[-1]):
            reader.values[node.output[0]] = replace(product, bias=other, nodes=(*product.nodes, node.name or node.output[0]))
            return
    if any(isinstance(v, Constant) for v in values):
        raise Refused("adding a constant is supported only as the bias of a product")
    _expression(reader, "add", (_dequantised(reader, 0), _dequantised(reader, 1)))


@handles("Relu", "Clip")
def _clip(reader: Reader, node) -> None:
    x = reader.value(0)
    low, high = 0.0, np.inf
    if node.op_type == "Clip":
        low, high = -np.inf, np.inf
        bounds = [reader.attributes().get("min"), reader.attributes().get("max")]
        for i in (1, 2):
            v = reader.value(i)
            if isinstance(v, Constant):
                bounds[i - 1] = float(v.real.reshape(()))
            elif v is not None:
                raise Refused("its bounds must be constant")
        low = low if bounds[0] is None else float(bounds[0])
        high = high if bounds[1] is None else float(bounds[1])
    if isinstance(x, FloatInput):
        raise Refused(f"its input {node.input[0]!r} is float: quantise it first, with calibration data")
    if not isinstance(x, Expression):
        raise Refused("its input must be a dequantised activation")
    if x.clip is not None:
        low, high = (min(max(v, x.clip[0]), x.clip[1]) for v in (low, high))
    reader.values[node.output[0]] = replace(x, clip=(low, high), nodes=(*x.nodes, node.name or node.output[0]))


@handles("MaxPool", "AveragePool", "GlobalAveragePool")
def _pool(reader: Reader, node) -> None:
    if len(node.output) > 1 and node.output[1]:
        raise Refused("indices of the maxima are not supported")
    direct = reader.value(0)
    if isinstance(direct, Quantised) and node.op_type == "MaxPool":  # on 8-bit elements
        q = reader.of_tensor(direct.reference.tensor)
        build_pool(reader, "max", direct.reference, q, q, nodes=(node.name or node.output[0],),
                   window=window_of(reader, reader.image(direct.reference), reader.attributes()["kernel_shape"]))
        return
    x = _dequantised(reader, 0)
    image = reader.image(x)
    window = None
    if node.op_type != "GlobalAveragePool":
        window = window_of(reader, image, reader.attributes()["kernel_shape"])
    kind = {"MaxPool": "max", "AveragePool": "average", "GlobalAveragePool": "global"}[node.op_type]
    _expression(reader, kind, (x,), attributes=window)


@handles("Flatten", "Reshape", "Identity", "Dropout")
def _same(reader: Reader, node) -> None:
    x = reader.value(0)
    if isinstance(x, Constant):
        shape = reader.shape()
        reader.values[node.output[0]] = replace(x, array=x.array.reshape(shape))
        return
    if node.op_type in ("Identity", "Dropout"):
        reader.values[node.output[0]] = x
        return
    shape = reader.shape()
    if isinstance(x, Quantised):
        reader.values[node.output[0]] = Quantised(_reshaped(reader, x.reference, shape))
    elif isinstance(x, Expression) and x.op == "dequantise":
        reader.values[node.output[0]] = replace(x, operands=(_reshaped(reader, x.operands[0], shape),), shape=shape)
    else:
        raise Refused("its input must be quantised")


def _reshaped(reader: Reader, reference: Reference, shape: tuple[int, ...]) -> Reference:
    t = reader.tensors[reference.tensor]
    n, h, w, c = t.shape
    if reference.order == "NCHW" and h == w == 1 and len(shape) != 4:
        return Reference(reference.tensor, shape, "same")  # one pixel: both orders are the same
    return reference.reshaped(shape)


# Realisation: what a QuantizeLinear makes of an expression.


def _realise_same(reader: Reader, e: Expression, y: Quantisation) -> None:
    reference = e.operands[0]
    x = reader.of_tensor(reference.tensor)
    name = reader.node.output[0]
    if e.clip is None and x == y:
        reader.values[name] = Quantised(reference)
        reader.aliases[name] = reader.view(reference, name)
        return
    low, high = e.clip or (-np.inf, np.inf)
    table = table_of(lambda real: np.clip(real, np.float32(low), np.float32(high)), x, y)
    t = reader.tensors[reference.tensor]
    image = len(reference.shape) == 4 and reference.order == "NCHW"
    if reference.order == "NCHW" and not image:
        raise Refused("a flattened image must go to a product before it is quantised again")
    out = reader.tensor(name, reference.shape, y, nhwc=None if image else t.shape)
    reader.add_kernel(Lookup(name, e.nodes, "Clip" if e.clip else "Requantise", True, reference.tensor, out.tensor, table), out)


def _realise_conv(reader: Reader, e: Expression, y: Quantisation) -> None:
    x, w = e.operands
    build_conv(reader, x, w, e.bias, reader.of_tensor(x.tensor), y, nodes=e.nodes, window=e.attributes, clip=e.clip)


def _realise_product(reader: Reader, e: Expression, y: Quantisation) -> None:
    x, w = e.operands
    transpose, alpha = e.attributes
    build_product(reader, x, w, e.bias, reader.of_tensor(x.tensor), y, nodes=e.nodes, shape=e.shape, clip=e.clip,
                  transpose=transpose, alpha=alpha)


def _realise_add(reader: Reader, e: Expression, y: Quantisation) -> None:
    a, b = e.operands
    build_add(reader, a, b, reader.of_tensor(a.tensor), reader.of_tensor(b.tensor), y, nodes=e.nodes, clip=e.clip)


def _realise_average(reader: Reader, e: Expression, y: Quantisation) -> None:
    (x,) = e.operands
    build_pool(reader, e.op, x, reader.of_tensor(x.tensor), y, nodes=e.nodes, window=e.attributes, clip=e.clip)


def _realise_max(reader: Reader, e: Expression, y: Quantisation) -> None:
    (x,) = e.operands
    q = reader.of_tensor(x.tensor)
    if q != y or e.clip is not None:
        raise Refused("MaxPool must keep the scale and zero-point of its input")
    window: Window = e.attributes
    build_pool(reader, "max", x, q, y, nodes=e.nodes, window=window)


_REALISE = {"dequantise": _realise_same, "conv": _realise_conv, "product": _realise_product, "add": _realise_add,
            "average": _realise_average, "global": _realise_average, "max": _realise_max}
