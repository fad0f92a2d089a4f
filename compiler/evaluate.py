"""What kernels mean, in numpy: the definition that programs are held against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tenon.compiler.binary32 import fma
from tenon.compiler.ir import Add, Conv, Graph, Kernel, Lookup, Pool, Tensor
from tenon.compiler.mean import mean_by_reciprocals

__all__ = ["evaluate", "evaluates"]

_F32 = np.float32


def evaluate(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every tensor of the graph, NHWC, for ``inputs`` by tensor name."""
    values = {**graph.constants, **inputs}
    for kernel in graph.kernels:
        y = graph.tensors[kernel.y]
        result = _EVALUATE[type(kernel)](kernel, [values[n] for n in kernel.inputs], y)
        values[kernel.y] = result.astype(y.dtype).reshape(y.shape)
    return values


def _windows(x: np.ndarray, kernel: tuple[int, int], window: Conv | Pool, fill, size: tuple[int, int]) -> np.ndarray:
    """[N, OH, OW, KH, KW, C] views of ``x`` padded with ``fill``."""
    top, left, bottom, right = window.pads
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    (sh, sw), (dh, dw) = window.strides, window.dilations
    n, h, w, c = x.strides
    shape = (x.shape[0], *size, *kernel, x.shape[3])
    return np.lib.stride_tricks.as_strided(x, shape, (n, h * sh, w * sw, h * dh, w * dw, c))


def _clamped(v: np.ndarray, zero: int, kernel) -> np.ndarray:
    return np.clip(np.rint(v).astype(np.float64) + zero, kernel.lo, kernel.hi)


def _conv(kernel: Conv, operands, y: Tensor) -> np.ndarray:
    (x,) = operands
    kh, kw, ci, co = kernel.weight.shape
    windows = _windows(x.astype(np.int32) - kernel.zx, (kh, kw), kernel, 0, y.shape[1:3])
    weight = kernel.weight.astype(np.int64) - kernel.zw
    parts = []
    for g in range(kernel.group):
        columns = slice(g * co // kernel.group, (g + 1) * co // kernel.group)
        patch = windows[..., g * ci:(g + 1) * ci].reshape(*y.shape[:3], -1)
        parts.append(patch.astype(np.float64) @ weight[..., columns].reshape(kh * kw * ci, -1).astype(np.float64))
    total = np.concatenate(parts, -1).astype(np.int64) + kernel.bias
    return _clamped(total.astype(np.int32).astype(_F32) * kernel.scale.astype(_F32), kernel.zy, kernel)


def _add(kernel: Add, operands, y: Tensor) -> np.ndarray:
    a, b = operands
    return _clamped(fma(a, kernel.ra, fma(b, kernel.rb, kernel.fixed)), 0, kernel)


def _pool(kernel: Pool, operands, y: Tensor) -> np.ndarray:
    (x,) = operands
    size = y.shape[1:3]
    if kernel.kind == "max":
        windows = _windows(x, kernel.kernel, kernel, np.iinfo(x.dtype).min, size)
        return windows.max((3, 4))
    if kernel.kind == "global":
        total = (x.astype(np.int64) - kernel.zx).sum((1, 2), keepdims=True)
        n = x.shape[1] * x.shape[2]
        scale = _F32(_F32(kernel.sx) / _F32(_F32(kernel.sy) * _F32(n)))
        return _clamped(total.astype(_F32) * scale, kernel.zy, kernel)
    real = (x.astype(_F32) - _F32(kernel.zx)) * _F32(kernel.sx)
    windows = _windows(real, kernel.kernel, kernel, _F32(0), size)
    inside = _windows(np.ones((1, *x.shape[1:3], 1), _F32), kernel.kernel, kernel, _F32(0), size)
    total = np.zeros((x.shape[0], *size, x.shape[3]), _F32)
    count = np.zeros((1, *size, 1), _F32)
    for i in range(kernel.kernel[0]):
        for j in range(kernel.kernel[1]):
            total += windows[:, :, :, i, j]
            count += inside[:, :, :, i, j]
    if kernel.count_include_pad:
        count[:] = kernel.kernel[0] * kernel.kernel[1]
    return mean_by_reciprocals(total, count, kernel)  # as the reference divides, where the kernel is exact


def _lookup(kernel: Lookup, operands, y: Tensor) -> np.ndarray:
    (x,) = operands
    return kernel.table.astype(np.uint8)[np.ascontiguousarray(x).view(np.uint8)].view(y.dtype)


_EVALUATE = {Conv: _conv, Add: _add, Pool: _pool, Lookup: _lookup}


def evaluates(kind: type[Kernel]):
    """Registers a function (kernel, operands, result's tensor) as the definition of a kind of kernels."""

    def register(function):
        _EVALUATE[kind] = function
        return function

    return register
