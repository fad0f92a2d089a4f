"""QOperator models: operators that name their scales and zero-points themselves.

The docstring of each handler is its line in the operator table.
"""

from __future__ import annotations

import numpy as np

from tenon.compiler.frontend.build import Epilogue, build_conv, build_matrices, build_pool, build_product, window_of
from tenon.compiler.frontend.reader import Reader, Refused, handles
from tenon.compiler.frontend.values import Constant, Quantised, Reference
from tenon.compiler.frontend.views import as_image

__all__: list[str] = []


def _activation(reader: Reader, index: int) -> Reference:
    x = reader.value(index)
    if not isinstance(x, Quantised):
        raise Refused(f"its input {reader.node.input[index]!r} must be a quantised activation")
    return x.reference


def _weight(reader: Reader, index: int, axis: int) -> Constant:
    array = reader.constant(index, "weights")
    if array.dtype not in (np.int8, np.uint8):
        raise Refused(f"its weights must be int8 or uint8, not {array.dtype}")
    return Constant(array, reader.constant(index + 1, "weights' scale"), reader.constant(index + 2, "weights' zero-point"), axis)


def _bias(reader: Reader, index: int) -> Constant | None:
    b = reader.value(index)
    if b is not None and not isinstance(b, Constant):
        raise Refused("its bias must be constant")
    return b


def _end(reader: Reader, scale: int, zero_point: int) -> Epilogue:
    return Epilogue(reader.quantisation(scale, zero_point), (reader.node_name,))


@handles("QLinearConv")
def _conv(reader: Reader, node) -> None:
    """As Conv."""
    x, w = as_image(reader, _activation(reader, 0)), _weight(reader, 3, 0)
    window = window_of(reader, reader.image(x), w.array.shape[2:])
    build_conv(reader, x, w, _bias(reader, 8), reader.quantisation(1, 2), _end(reader, 6, 7), window=window)


@handles("QLinearMatMul")
def _matmul(reader: Reader, node) -> None:
    """As MatMul."""
    if isinstance(reader.value(3), Quantised):
        build_matrices(reader, _activation(reader, 0), _activation(reader, 3), reader.quantisation(1, 2),
                       reader.quantisation(4, 5), _end(reader, 6, 7))
        return
    build_product(reader, "MatMul", _activation(reader, 0), _weight(reader, 3, 1), None, reader.quantisation(1, 2),
                  _end(reader, 6, 7))


@handles("QGemm")
def _gemm(reader: Reader, node) -> None:
    """As Gemm, with any alpha; its output must be quantised."""
    a = reader.attributes()
    if a.get("transA", 0):
        raise Refused("transA is not supported: transpose the tensor in the model")
    if reader.value(7) is None:
        raise Refused("its output must be quantised")
    transpose = bool(a.get("transB", 0))
    build_product(reader, "Gemm", _activation(reader, 0), _weight(reader, 3, 0 if transpose else 1), _bias(reader, 6),
                  reader.quantisation(1, 2), _end(reader, 7, 8), transpose=transpose, alpha=float(a.get("alpha", 1.0)))


@handles("QLinearAveragePool", "QLinearGlobalAveragePool")
def _pool(reader: Reader, node) -> None:
    """As AveragePool and GlobalAveragePool; not channels_last."""
    x = as_image(reader, _activation(reader, 0))
    if reader.attributes().get("channels_last", 0):
        raise Refused("channels_last is not supported")
    window = None
    if node.op_type == "QLinearAveragePool":
        window = window_of(reader, reader.image(x), reader.attributes()["kernel_shape"])
    build_pool(reader, "average" if window else "global", x, reader.quantisation(1, 2), _end(reader, 3, 4), window=window)
