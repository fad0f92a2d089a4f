"""The geometry of a depthwise convolution: as of any convolution, but a tile of channels needs only itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from tenon.compiler.codelets import Codelet, depthwise
from tenon.compiler.home import Home
from tenon.compiler.ir import Conv, Graph
from tenon.compiler.layer import Layer
from tenon.compiler.layout import Layout, dense
from tenon.compiler.lower.conv_plan import ConvChoices, ConvPlan, Spot, Step
from tenon.compiler.lower.tiles import cut
from tenon.compiler.machine import Machine
from tenon.compiler.select import Route

__all__ = ["DepthwisePlan", "is_depthwise"]


def is_depthwise(machine: Machine, kernel: Conv) -> bool:
    """Whether ``kernel`` is a depthwise convolution that an instruction slides windows for."""
    return kernel.depthwise and machine.window_columns(*kernel.weight.shape[:2], kernel.strides, kernel.dilations) is not None


class DepthwisePlan(ConvPlan):
    """A convolution with as many groups as channels, all channels of a tile in one step.

    ``choices`` lacks what is about chunks of the reduction. A kernel's rows are filled up with zero-points to as many
    columns as the instruction likes best.
    """

    def __init__(self, machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], choices: Mapping[str, int | str],
                 turn: int = 0, spots: Sequence[Sequence[Spot]] | None = None):
        whole = choices["tile_c"]
        super().__init__(machine, graph, layer, homes, ConvChoices(**choices, chunk_x=whole, chunk_w=whole, ramp=0), turn, spots=spots)
        lanes = machine.window_lanes
        self.kw = self.columns_of_window()
        self.taps = self.kh, self.kw
        self.granule = min(self.block, math.ceil(self.channels_out / lanes) * lanes)
        self.blocks = math.ceil(self.channels_out / self.granule)

    def columns_of_window(self) -> int:
        """Columns of a kernel, with those that it is filled up with."""
        return self.machine.window_columns(self.kh, self.kw, self.kernel.strides, self.kernel.dilations)

    @cached_property
    def channel_tiles(self) -> list[tuple[int, int]]:
        """As of any convolution, but none reads two pieces of an operand that is partly on chip."""
        total = math.ceil(self.channels_out / self.block)
        edges = sorted({0, total, *(b for b in self.borders if 0 < b < total)})
        return [((low + b) * self.block, e * self.block)
                for low, high in zip(edges, edges[1:]) for b, e in cut(high - low, self.choices.tile_c)]

    def _span(self, channel: int) -> tuple[int, int]:
        first, extent = self.channel_tiles[channel]
        low = first // self.granule
        return low, low + math.ceil(min(extent, self.channels_out - first) / self.granule)

    @cached_property
    def steps(self) -> list[Step]:
        return [Step(s, c, *self.span(c), True, True) for s, c in self.tiles]

    def w_layout(self, channel: int, count: int) -> Layout:
        lanes = self.machine.window_lanes
        return dense([("oc", count * self.granule // lanes, lanes), ("kh", self.kh, 1), ("kw", self.kw, 1), ("oc", lanes, 1)])

    def w_block_bytes(self, channel: int) -> int:
        return self.kh * self.kw * self.granule

    def packing(self, channel: int) -> tuple:
        return *super().packing(channel), self.machine.window_lanes

    def weights(self, channel: int) -> bytes:
        k = self.kernel
        low, high = self.span(channel)
        first, extent = low * self.granule, (high - low) * self.granule
        last = min(first + extent, self.channels_out)
        full = np.zeros((self.kh, self.kw, extent), np.uint8)
        full[..., :last - first] = np.broadcast_to(k.zw, self.channels_out)[first:last]
        full[:, :k.weight.shape[1], :last - first] = k.weight[:, :, 0, first:last]
        lanes = self.machine.window_lanes
        parts = full.reshape(self.kh, self.kw, extent // lanes, lanes)
        return parts.transpose(2, 0, 1, 3).tobytes()

    @property
    def route(self) -> Route:
        return self.machine.windows

    def products(self, x_type: str, w_type: str) -> Codelet:
        return depthwise(x_type, w_type, zero_per_channel=self.zero_per_channel)

    def product_extents(self, step: Step) -> dict[str, int]:
        low, high = self.span(step.channel)
        return {"oc": (high - low) * self.granule, "kh": self.kh, "kw": self.kw}
