"""The kernel graph: quantised tensors and the integer kernels between them.

Tensors are NHWC with 8-bit elements; a matrix of M x K is (1, 1, M, K), a product with constant weights a 1x1
convolution. Every kernel states its arithmetic exactly (``docs/numerics.md``); ``compiler.evaluate`` is its definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

__all__ = ["Add", "Conv", "Graph", "Kernel", "Lookup", "Pool", "Tensor", "output_size"]


@dataclass(frozen=True)
class Tensor:
    """A quantised tensor: NHWC ``shape``, ``int8`` or ``uint8``, and what it stands for.

    ``onnx_name`` and ``onnx_shape`` are those of the tensor in the model, "" if it has none; ``onnx_order`` is "NCHW" if the model's
    tensor is this one transposed, "same" if it is this one reshaped.
    """

    name: str
    shape: tuple[int, int, int, int]
    dtype: str
    scale: float
    zero_point: int
    onnx_name: str = ""
    onnx_shape: tuple[int, ...] | None = None
    onnx_order: str = "same"

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest element."""
        return (-128, 127) if self.dtype == "int8" else (0, 255)

    def to_onnx(self, array: np.ndarray) -> np.ndarray:
        """The model's tensor out of this one's NHWC array."""
        if self.onnx_order == "NCHW":
            array = array.transpose(0, 3, 1, 2)
        return array.reshape(self.shape if self.onnx_shape is None else self.onnx_shape)

    def from_onnx(self, array: np.ndarray) -> np.ndarray:
        """This tensor's NHWC array out of the model's."""
        n, h, w, c = self.shape
        if self.onnx_order == "NCHW":
            return array.reshape(n, c, h, w).transpose(0, 2, 3, 1)
        return array.reshape(self.shape)


@dataclass(frozen=True)
class Kernel:
    """What all kernels have: a name, the ONNX nodes that it stands for, its operator, and its class.

    ``exact``: equal to the reference bit for bit; otherwise within one step.
    """

    copies: ClassVar[bool] = False  # whether bytes pass as they are

    @property
    def keeps_steps(self) -> bool:
        """Whether operands within one step give a result within one step."""
        return self.copies

    name: str
    nodes: tuple[str, ...]
    op: str
    exact: bool

    def macs(self, tensors: Mapping[str, Tensor]) -> int:
        """Multiply-accumulates of activations and weights."""
        return 0


@dataclass(frozen=True)
class Conv(Kernel):
    """``y = clamp(rne(f32(acc) * scale) + zy, lo, hi)``, ``acc = sum (x - zx) (w - zw) + bias`` in int32.

    weight : int array [KH, KW, CI / group, CO]; bias : int32 [CO]; scale : binary32 [CO] or [1]; zw : int [CO] or [1].
    ``pads`` are top, left, bottom, right. ``lo``, ``hi`` are the output's bounds, or tighter for a fused activation.
    ``counted``: input channels whose products are work, if the others have no weight anyway.
    """

    x: str
    y: str
    weight: np.ndarray
    bias: np.ndarray
    scale: np.ndarray
    zx: int
    zw: np.ndarray
    zy: int
    lo: int
    hi: int
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    group: int = 1
    counted: int | None = None

    inputs = property(lambda self: (self.x,))

    @property
    def depthwise(self) -> bool:
        """Whether each channel has a window of its own."""
        return self.group > 1 and self.weight.shape[2] == 1 and self.weight.shape[3] == self.group

    @cached_property
    def lowest_weight(self) -> int:
        """The smallest weight, or zero-point of weights."""
        return int(min(self.weight.min(), self.zw.min()))

    @cached_property
    def packings(self) -> dict[tuple, tuple[bytes, int]]:
        """What its constants are known by, in each way in which they were laid out."""
        return {}

    def macs(self, tensors: Mapping[str, Tensor]) -> int:
        kh, kw, ci, _ = self.weight.shape
        return int(np.prod(tensors[self.y].shape)) * kh * kw * (ci if self.counted is None else self.counted)

    def verify(self, tensors: Mapping[str, Tensor]) -> None:
        x, y = tensors[self.x], tensors[self.y]
        kh, kw, ci, co = self.weight.shape
        _require(ci * self.group == x.shape[3], self, f"{ci} x {self.group} channels of weights do not fit {x.shape}")
        _require(co % self.group == 0, self, f"{co} output channels are not a multiple of {self.group} groups")
        _require(self.bias.shape == (co,) and self.bias.dtype == np.int32, self, f"bias must be int32 [{co}]")
        for name, values in (("scale", self.scale), ("zw", self.zw)):
            _require(values.shape in ((1,), (co,)), self, f"{name} must have 1 or {co} elements, not {values.shape}")
        expected = (x.shape[0], *output_size(x.shape, (kh, kw), self), co)
        _require(expected == y.shape, self, f"gives {expected}, but {self.y} is {y.shape}")
        _bounds(self, y)


@dataclass(frozen=True)
class Add(Kernel):
    """``y = clamp(rne(fma(a, ra, fma(b, rb, fixed))), lo, hi)`` on the raw elements of ``a`` and ``b``."""

    a: str
    b: str
    y: str
    ra: float
    rb: float
    fixed: float
    lo: int
    hi: int

    inputs = property(lambda self: (self.a, self.b))

    def verify(self, tensors: Mapping[str, Tensor]) -> None:
        shapes = {tensors[name].shape for name in (self.a, self.b, self.y)}
        _require(len(shapes) == 1, self, f"operands and result must have one shape, not {sorted(shapes)}")
        _bounds(self, tensors[self.y])


@dataclass(frozen=True)
class Pool(Kernel):
    """``kind`` max: the largest element. average: binary32 sum of ``sx * (x - zx)`` in row-major order, times the reciprocals
    of the count and of ``sy``. global: ``rne(f32(sum (x - zx)) * scale) + zy``, ``scale = sx / (sy * n)``.
    """

    kind: str
    x: str
    y: str
    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    count_include_pad: bool = False
    sx: float = 1.0
    sy: float = 1.0
    zx: int = 0
    zy: int = 0
    lo: int = -128
    hi: int = 127

    inputs = property(lambda self: (self.x,))
    keeps_steps = property(lambda self: self.kind == "max")

    def verify(self, tensors: Mapping[str, Tensor]) -> None:
        x, y = tensors[self.x], tensors[self.y]
        _require(self.kind in ("max", "average", "global"), self, f"there is no pooling {self.kind!r}")
        _require(self.kind != "max" or x.dtype == y.dtype, self, "the maximum must keep its type")
        _require(self.kind != "global" or self.kernel == x.shape[1:3], self, f"the window must be all of {x.shape}")
        expected = (x.shape[0], *output_size(x.shape, self.kernel, self), x.shape[3])
        _require(expected == y.shape, self, f"gives {expected}, but {self.y} is {y.shape}")
        _bounds(self, y)


@dataclass(frozen=True)
class Lookup(Kernel):
    """``y = table[x as an unsigned byte]``; ``table`` holds 256 bytes."""

    x: str
    y: str
    table: np.ndarray

    inputs = property(lambda self: (self.x,))

    def verify(self, tensors: Mapping[str, Tensor]) -> None:
        _require(self.table.shape == (256,) and self.table.dtype == np.uint8, self, "the table must be 256 bytes")
        _require(tensors[self.x].shape == tensors[self.y].shape, self, "the result must have the shape of the operand")


@dataclass(frozen=True)
class Graph:
    """Kernels in an order in which each comes after what it reads.

    ``outputs`` are the tensors that the host reads; ``aliases`` are further tensors of the model that hold the same
    bytes as one of the graph's: model name to tensor. ``constants`` are tensors that kernels read and nobody writes, NHWC.
    """

    name: str
    tensors: Mapping[str, Tensor]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kernels: tuple[Kernel, ...]
    aliases: Mapping[str, Tensor] = field(default_factory=dict)
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def classes(self) -> dict[str, str]:
        """Of every tensor that a kernel writes: ``exact``, ``step``, or ``after`` if it is computed from one within steps."""
        found: dict[str, str] = {}
        for kernel in self.kernels:
            classes = {found.get(name, "exact") for name in kernel.inputs} - {"exact"}
            if classes:
                found[kernel.y] = "step" if kernel.keeps_steps and classes == {"step"} else "after"
            else:
                found[kernel.y] = "exact" if kernel.exact else "step"
        return found

    def macs(self, kernel: Kernel) -> int:
        """Multiply-accumulates of a kernel; 0 for what is not a product."""
        return kernel.macs(self.tensors)

    def verify(self) -> None:
        """Raises ValueError, naming the kernel, if one reads what is not there or shapes do not fit."""
        known = {*self.inputs, *self.constants}
        names: set[str] = set()
        for kernel in self.kernels:
            _require(kernel.name not in names, kernel, "its name is taken")
            names.add(kernel.name)
            for name in kernel.inputs:
                _require(name in known, kernel, f"reads {name}, which nothing has written")
            _require(kernel.y not in known, kernel, f"writes {kernel.y} a second time")
            known.add(kernel.y)
            kernel.verify(self.tensors)
        for name in self.outputs:
            if name not in known:
                raise ValueError(f"output {name} is never written")


def _require(holds: bool, kernel: Kernel, what: str) -> None:
    if not holds:
        raise ValueError(f"{kernel.name}: {what}")


def _bounds(kernel, y: Tensor) -> None:
    low, high = y.bounds
    _require(low <= kernel.lo <= kernel.hi <= high, kernel, f"bounds {kernel.lo}..{kernel.hi} are not in {low}..{high}")


def fresh_name(tensors: Mapping[str, Tensor], stem: str) -> str:
    """``stem``, or what is like it and no tensor is called."""
    while stem in tensors:
        stem += "_"
    return stem


def output_size(x: tuple[int, ...], kernel: tuple[int, int], window: Conv | Pool) -> tuple[int, int]:
    """Height and width of a sliding window's result."""
    sizes = []
    for axis in range(2):
        padded = x[1 + axis] + window.pads[axis] + window.pads[axis + 2]
        reach = (kernel[axis] - 1) * window.dilations[axis] + 1
        sizes.append((padded - reach) // window.strides[axis] + 1)
    return sizes[0], sizes[1]
