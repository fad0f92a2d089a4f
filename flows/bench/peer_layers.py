"""What peers are given of a network: its convolutions and dense layers, as the frontend reads them from the model, before anything is
rewritten for a machine."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

from tenon.compiler.ir import Conv, Graph

__all__ = ["PeerLayer", "layers_of"]

_OPERATORS = ("Conv", "Gemm", "MatMul")  # with what their names have before and behind: QLinearConv


@dataclass(frozen=True)
class PeerLayer:
    """A convolution's shape; pairs are height and width, ``pads`` top, left, bottom, right. A dense layer has a window of one."""

    batch: int
    in_size: tuple[int, int]
    in_channels: int
    out_size: tuple[int, int]
    out_channels: int
    window: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]
    group: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those with padding too."""
        (oh, ow), (kh, kw) = self.out_size, self.window
        return self.batch * oh * ow * self.out_channels * kh * kw * self.in_channels // self.group

    def fields(self) -> dict:
        """For JSON."""
        return asdict(self) | {"macs": self.macs}


def layers_of(graph: Graph) -> Counter[PeerLayer]:
    """How often each shape occurs. Products of two activations, and operators that only become convolutions here, are none."""
    return Counter(_layer(k, graph) for k in graph.kernels if isinstance(k, Conv) and any(name in k.op for name in _OPERATORS))


def _layer(kernel: Conv, graph: Graph) -> PeerLayer:
    (batch, *size, channels), (_, *out_size, out_channels) = graph.tensors[kernel.x].shape, graph.tensors[kernel.y].shape
    window = kernel.weight.shape[:2]
    if tuple(size) == window and out_size == [1, 1] and kernel.group == 1:  # a dense layer behind a flattening, or the same
        size, window, channels = [1, 1], (1, 1), channels * window[0] * window[1]
    return PeerLayer(batch, tuple(size), channels, tuple(out_size), out_channels, window, kernel.strides, kernel.dilations, kernel.pads,
                     kernel.group)
