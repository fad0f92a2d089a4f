"""QOperator models: operators that name their scales and zero-points themselves."""

from __future__ import annotations

import numpy as np

from compiler.frontend.build import build_add, build_conv, build_pool, build_product, window_of
from compiler.frontend.reader import Reader, Refused, handles
from compiler.frontend.values import Constant, Quantised, Reference

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


def _nodes(reader: Reader) -> tuple[str, ...]:
    return (reader.node.name or reader.node.output[0],)


@handles("QLinearConv")
def _conv(reader: Reader, node) -> None:
    x, w = _activation(reader, 0), _weight(reader, 3, 0)
    build_conv(reader, x, w, reader.value(8), reader.quantisation(1, 2), reader.quantisation(6, 7), nodes=_nodes(reader),
               window=window_of(reader, reader.image(x), w.array.shape[2:]))


@handles("QLinearMatMul")
def _matmul(reader: Reader, node) -> None:
    build_product(reader, _activation(reader, 0), _weight(reader, 3, 1), None, reader.quantisation(1, 2),
                  reader.quantisation(6, 7), nodes=_nodes(reader), shape=reader.shape())


@handles("QGemm")
def _gemm(reader: Reader, node) -> None:
    a = reader.attributes()
    if a.get("transA", 0):
        raise Refused("transA is not supported")
    if reader.value(7) is None:
        raise Refused("its output must be quantised")
    x, w = _activation(reader, 0), _weight(reader, 3, 1)
    shape = (*x.shape[:-1], w.array.shape[0 if a.get("transB", 0) else 1])
    build_product(reader, x, w, reader.value(6), reader.quantisation(1, 2), reader.quantisation(7, 8), nodes=_nodes(reader),
                  shape=shape, transpose=bool(a.get("transB", 0)), alpha=float(a.get("alpha", 1.0)))


@handles("QLinearAdd")
def _add(reader: Reader, node) -> None:
    build_add(reader, _activation(reader, 0), _activation(reader, 3), reader.quantisation(1, 2), reader.quantisation(4, 5),
              reader.quantisation(6, 7), nodes=_nodes(reader))


@handles("QLinearAveragePool", "QLinearGlobalAveragePool")
def _pool(reader: Reader, node) -> None:
    x = _activation(reader, 0)
    if reader.attributes().get("channels_last", 0):
        raise Refused("channels_last is not supported")
    window = None
    if node.op_type == "QLinearAveragePool":
        window = window_of(reader, reader.image(x), reader.attributes()["kernel_shape"])
    build_pool(reader, "average" if window else "global", x, reader.quantisation(1, 2), reader.quantisation(3, 4),
               nodes=_nodes(reader), window=window)
