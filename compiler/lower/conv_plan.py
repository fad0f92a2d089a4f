"""The geometry of a convolution under a mapping's choices: tiles, chunks of the reduction, units of data and their sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tenon.compiler.codelets import Codelet, conv
from tenon.compiler.home import Home
from tenon.compiler.ir import Conv, Graph
from tenon.compiler.layer import Layer
from tenon.compiler.layout import Layout, column_layout, dense
from tenon.compiler.lower.operators import conv_operator
from tenon.compiler.lower.tiles import Box, cut, tile_layout
from tenon.compiler.machine import Machine
from tenon.compiler.placement import Demand, allocate
from tenon.compiler.select import Route

__all__ = ["MANY", "ConvChoices", "ConvPlan", "Spot", "Step"]

MANY = 1024  # slots: as many as fit


@dataclass(frozen=True, kw_only=True)
class ConvChoices:
    """What a mapping decides about a convolution. Extents are of one output tile; ``tile_c`` counts channel blocks,
    chunks count blocks of the reduction."""

    tile_n: int
    tile_h: int
    tile_w: int
    tile_c: int
    chunk_x: int  # blocks in one unit of activations
    chunk_w: int  # blocks in one unit of weights
    order: str = "spatial"  # which loop over tiles is outermost: spatial, channels
    stage: str = "box"  # activations on chip: the box of the tensor, or a window for each output
    ramp: int = 1  # blocks of the very first chunk, doubled from chunk to chunk; 0: no small chunks
    ahead: int = 8  # steps that transfers may run ahead
    early: int = 1  # steps whose constants come before any activations: while the layer before still works
    slots_x: int = MANY  # units of activations on chip at once, at most
    slots_w: int = MANY  # units of weights
    slots_acc: int = 2  # tiles of sums
    slots_y: int = 4  # tiles of results and of residual operands together
    begin: str = "turn"  # layers take turns at which end of a buffer theirs lie; or the other one


class Spot(NamedTuple):
    """A spatial tile: first output coordinate and extent of each dimension."""

    n: tuple[int, int]
    h: tuple[int, int]
    w: tuple[int, int]


class Step(NamedTuple):
    """One chunk of one output tile: blocks ``low..high`` of the reduction."""

    spot: int
    channel: int
    low: int
    high: int
    first: bool
    last: bool


class Ring(NamedTuple):
    """A buffer of rows that are made ``new`` at a time, for windows that reach ``halo`` rows back: it holds ``bands`` times as many.

    What a tile adds takes the place of what ``bands`` tiles before added, which windows need until ``reach`` tiles later; and once more,
    behind its end, what windows of the first tiles of its next round reach back to, where those of the round's first tiles were.
    """

    new: int
    halo: int
    bands: int

    @property
    def reach(self) -> int:
        """Tiles before one that its windows need."""
        return math.ceil(self.halo / self.new)

    @property
    def rows(self) -> int:
        return self.new * self.bands + self.halo

    def start(self, tile: int) -> int:
        """The row that a tile's windows begin at."""
        return tile % self.bands * self.new


class ConvPlan:
    """Tiles, steps and units of one layer, and where each kind of unit finds room on chip. Emits nothing.

    ``weights``: where they live, if they are no constants but a tensor; the kernel then has their shape alone.
    ``columns``: that tensor's rows are what others' columns are. ``spots``: which tiles are made, in this order, of a result that goes
    straight into the activations of another layer; those for one of its tiles together. ``made``: so do this one's activations come;
    ``sharers``: layers that share memories.
    """

    def __init__(self, machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], choices: ConvChoices,
                 turn: int = 0, weights: Home | None = None, columns: bool = False, spots: Sequence[Sequence[Spot]] | None = None):
        self.given, self.made, self.sinks, self.sharers = spots, False, spots is not None, 1
        self.machine, self.graph, self.layer, self.choices = machine, graph, layer, choices
        # Layers take turns, so that one's weights can come while the last ones are in use.
        self.from_top = (turn % 2 == 1) == (choices.begin == "turn")
        self.kernel: Conv = layer.main
        self.weight_home, self.columns = weights, columns
        self.x, self.y = homes[self.kernel.x], homes[layer.writes]
        self.residual = homes[layer.residual] if layer.add else None
        self.sums = homes.get(layer.sums)  # where all sums stay until the last part has added its own
        self.kh, self.kw, self.group_in, self.channels_out = self.weight_shape
        self.group_out = self.channels_out // self.group
        self.block = machine.block
        lanes = machine.reduction_lanes
        channels = self.x.shape[3]
        self.windows = choices.stage == "windows"
        if self.windows and not self.x.block:  # kernel and channels become one dense reduction
            self.reduction = self.kh * self.kw * channels
            self.granule = math.ceil(self.reduction / lanes) * lanes
            self.taps = (1, 1)
        else:
            self.reduction = channels
            self.granule = min(self.block, math.ceil(channels / lanes) * lanes)
            self.taps = (self.kh, self.kw)
        self.blocks = math.ceil(self.reduction / self.granule)
        self.words = self.block // machine.channel_lanes  # output words per block

    weighted = True  # whether it multiplies
    statements = "start", "resume"  # what begins sums, and what goes on with them

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        return self.kernel.weight.shape

    @property
    def group(self) -> int:
        return self.kernel.group

    @property
    def fill(self) -> int:
        """The byte that padding consists of."""
        return self.kernel.zx & 255

    def operators(self) -> tuple[Codelet, Codelet, dict[str, int | float]]:
        """The codelet that sums, the one whose ``finish`` makes results of sums, and the attributes of both."""
        types, finish, attributes = conv_operator(self.graph, self.layer, scale_per_channel=self.scale_per_channel,
                                                  zero_per_channel=self.zero_per_channel)
        if self.windows:
            attributes |= dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w"), 1)
        return self.products(*types), finish, attributes

    # Tiles and steps.

    @cached_property
    def spots(self) -> list[Spot]:
        if self.given is not None:
            return [spot for spots in self.given for spot in spots]
        n, h, w, _ = self.y.shape
        c = self.choices
        return [Spot(a, b, d) for a in cut(n, c.tile_n) for b in cut(h, c.tile_h) for d in cut(w, c.tile_w)]

    @cached_property
    def extents(self) -> list[tuple[int, int, int]]:
        """Images, rows and columns of each spatial tile."""
        return [(spot.n[1], spot.h[1], spot.w[1]) for spot in self.spots]

    @cached_property
    def channel_tiles(self) -> list[tuple[int, int]]:
        """First output channel and padded extent of each channel tile."""
        total = math.ceil(self.channels_out / self.block)
        return [(b * self.block, e * self.block) for b, e in cut(total, self.choices.tile_c)]

    def span(self, channel: int) -> tuple[int, int]:
        """Blocks of the reduction that a channel tile needs: all, or those of its groups."""
        return self._spans[channel]

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        return [self._span(channel) for channel in range(len(self.channel_tiles))]

    def _span(self, channel: int) -> tuple[int, int]:
        if self.group == 1:
            return 0, self.blocks
        first, extent = self.channel_tiles[channel]
        last = min(first + extent, self.channels_out) - 1
        low, high = first // self.group_out * self.group_in, (last // self.group_out + 1) * self.group_in
        return low // self.granule, math.ceil(high / self.granule)

    @cached_property
    def tiles(self) -> list[tuple[int, int]]:
        """Spatial and channel tile, in the order in which they are made."""
        spots, channels = range(len(self.spots)), range(len(self.channel_tiles))
        if self.choices.order == "channels":
            return [(s, c) for c in channels for s in spots]
        if self.given is None:
            return [(s, c) for s in spots for c in channels]
        found, first = [], 0
        for group in self.given:
            found += [(first + k, c) for c in channels for k in range(len(group))]
            first += len(group)
        return found

    @cached_property
    def steps(self) -> list[Step]:
        tiles = self.tiles
        steps: list[Step] = []
        known: dict[tuple[int, int], list[tuple[int, int, bool, bool]]] = {}
        for k, (s, c) in enumerate(tiles):
            low, high = self.span(c)
            if not self.layer.products:
                steps.append(Step(s, c, low, high, True, True))
                continue
            if k == 0 and self.choices.ramp:
                chunks = self._chunks(low, high, self.choices.ramp)
            else:
                if (low, high) not in known:
                    known[low, high] = self._chunks(low, high, 0)
                chunks = known[low, high]
            steps += [Step(s, c, *chunk) for chunk in chunks]
        return steps

    def _chunks(self, low: int, high: int, ramp: int) -> list[tuple[int, int, bool, bool]]:
        """Blocks ``low..high`` in chunks, with whether each is the first and the last; the first of ``ramp`` blocks, and so on."""
        cuts = {low, high, *range(low, high, self.choices.chunk_w)}
        cuts |= {b for b in range(0, high, self.choices.chunk_x) if b > low}
        cuts |= {b for b in self.borders if low < b < high}
        at = low
        while ramp and at < high:
            cuts.add(at)
            at, ramp = at + ramp, ramp * 2
        edges = sorted(cuts)
        return [(a, b, a == low, b == high) for a, b in zip(edges, edges[1:])]

    # Activations.

    @cached_property
    def borders(self) -> list[int]:
        """Blocks of the reduction at which one piece of an operand that is partly on chip ends and another begins."""
        return [first // self.granule for first, _ in self.x.pieces] if self.x.resident else []

    def held(self, low: int) -> tuple[Home, int] | None:
        """Where the operand's block ``low`` stays on chip, and the first block there; None if it has to be fetched."""
        if not self.x.resident:
            return None
        pieces = self.x.pieces or ((0, self.x),)
        first, home = next((f, h) for f, h in reversed(pieces) if f <= low * self.granule)
        return (home, first // self.granule) if home.on_chip else None

    @cached_property
    def ring(self) -> Ring | None:
        """How rows of activations that are made stay from tile to tile; None where no window reaches from one into another."""
        if not self.made or len(self.spots) < 2:
            return None
        first, second = (self.x_box(spot, 0, 1).h for spot in self.spots[:2])
        halo = sum(first) - second[0]
        if halo <= 0:
            return None
        reach = math.ceil(halo / (first[1] - halo))
        return Ring(first[1] - halo, halo, 2 * reach + (self.x_chunks == 1))

    def new_rows(self, spot: int) -> tuple[int, int]:
        """Rows of the operand that a tile needs and none before did, padding among them: first and last, exclusive."""
        first, extent = self.x_box(self.spots[spot], 0, 1).h
        if self.ring and spot:
            return sum(self.x_box(self.spots[spot - 1], 0, 1).h), first + extent
        return first, first + extent

    @cached_property
    def x_units(self) -> list[tuple[int, int]]:
        """Of each step the unit of activations."""
        return [self.x_unit(spot, low // self.choices.chunk_x) for spot, _, low, _, _, _ in self.steps]

    def x_unit(self, spot: int, chunk: int) -> tuple[int, int]:
        """Spatial tile and chunk; where rows stay, all tiles are in one."""
        return 0 if self.ring else spot, chunk

    def x_blocks(self, unit: tuple[int, int]) -> tuple[int, int]:
        """First block and number of blocks of a unit."""
        low = unit[1] * self.choices.chunk_x
        return low, min(self.choices.chunk_x, self.blocks - low)

    def x_box(self, spot: Spot, low: int, count: int) -> Box:
        (sh, sw), (dh, dw), (top, left, _, _) = self.kernel.strides, self.kernel.dilations, self.kernel.pads
        (h0, h), (w0, w) = spot.h, spot.w
        rows = (h0 * sh - top, (h - 1) * sh + (self.kh - 1) * dh + 1)
        columns = (w0 * sw - left, (w - 1) * sw + (self.kw - 1) * dw + 1)
        return Box(spot.n, rows, columns, (low * self.granule, count * self.granule))

    def x_layout(self, unit: tuple[int, int]) -> Layout:
        if unit not in self._x_layouts:
            self._x_layouts[unit] = self._x_layout(unit)
        return self._x_layouts[unit]

    @cached_property
    def _x_layouts(self) -> dict[tuple[int, int], Layout]:
        return {}

    def _x_layout(self, unit: tuple[int, int]) -> Layout:
        spot = self.spots[unit[0]]
        low, count = self.x_blocks(unit)
        box = self.x_box(spot, low, count)
        if self.ring:
            box = box._replace(h=(0, self.ring.rows))
        if self.windows:
            box = Box(spot.n, (0, spot.h[1]), (0, spot.w[1]), box.c)
            if not self.x.block:
                box = Box(box.n, box.h, box.w, (0, self.granule))
        return tile_layout(self.x, box, self.granule)

    # Weights: [block][output word][kernel row][kernel column][word of the block][lane][output lane], the lanes in turn if
    # they come by columns.

    @cached_property
    def w_units(self) -> list[tuple[int, int]]:
        """Of each step the unit of weights: channel tile and chunk."""
        firsts = [low for low, _ in self._spans]
        return [(channel, (low - firsts[channel]) // self.choices.chunk_w) for _, channel, low, _, _, _ in self.steps]

    def w_low(self, unit: tuple[int, int]) -> int:
        return self.span(unit[0])[0] + unit[1] * self.choices.chunk_w

    def w_layout(self, channel: int, count: int) -> Layout:
        lanes_in, lanes_out = self.machine.reduction_lanes, self.machine.channel_lanes
        if self.columns:
            return column_layout(count, self.granule, self.channel_tiles[channel][1], lanes_in, lanes_out)
        return dense([("ic", count, self.granule), ("oc", self.channel_tiles[channel][1] // lanes_out, lanes_out),
                      ("kh", self.taps[0], 1), ("kw", self.taps[1], 1), ("ic", self.granule // lanes_in, lanes_in),
                      ("ic", lanes_in, 1), ("oc", lanes_out, 1)])

    def w_block_bytes(self, channel: int) -> int:
        """Bytes of the weights of one block of the reduction."""
        if self.columns:
            return self.w_layout(channel, 1).bytes
        return self.channel_tiles[channel][1] * self.taps[0] * self.taps[1] * self.granule

    def packing(self, channel: int) -> tuple:
        """What the weights and constants of a channel tile depend on, beside the kernel."""
        lanes = self.machine.reduction_lanes, self.machine.channel_lanes
        flat = self.windows and not self.x.block
        return type(self), flat, self.taps, self.granule, *lanes, *self.channel_tiles[channel], *self.span(channel)

    def weights(self, channel: int) -> bytes:
        """The weights of a channel tile as they lie on chip. Lanes that hold no weight hold its zero-point."""
        k = self.kernel
        low, high = self.span(channel)
        first, extent = self.channel_tiles[channel]
        last = min(first + extent, self.channels_out)
        zero = np.zeros(extent, np.uint8)
        zero[:last - first] = np.broadcast_to(k.zw, self.channels_out)[first:last]
        if len(k.zw) == 1:
            zero[:] = zero[0]
        full = np.empty((*self.taps, (high - low) * self.granule, extent), np.uint8)
        full[:] = zero
        if self.windows and not self.x.block:
            flat = k.weight[..., first:last].reshape(-1, last - first)
            full[0, 0, :len(flat), :last - first] = flat
        elif self.group == 1:
            full[:, :, :self.group_in, :last - first] = k.weight[..., first:last]
        else:
            for o in range(first, last):
                at = o // self.group_out * self.group_in - low * self.granule
                full[:, :, at:at + self.group_in, o - first] = k.weight[..., o]
        lanes_in, lanes_out = self.machine.reduction_lanes, self.machine.channel_lanes
        parts = full.reshape(*self.taps, high - low, self.granule // lanes_in, lanes_in, extent // lanes_out, lanes_out)
        return parts.transpose(2, 5, 0, 1, 3, 4, 6).tobytes()

    @property
    def route(self) -> Route:
        """What sums the products."""
        return self.machine.products

    def products(self, x_type: str, w_type: str) -> Codelet:
        """The codelet whose statements ``start`` and ``resume`` sum the products."""
        return conv(x_type, w_type, zero_per_channel=self.zero_per_channel)

    def product_extents(self, step: Step) -> dict[str, int]:
        """Extents of a step's loops over channels and kernel."""
        return {"oc": self.channel_tiles[step.channel][1], "kh": self.taps[0], "kw": self.taps[1],
                "ic": (step.high - step.low) * self.granule}

    # Constants: biases, then weight zero-points, then scales of a channel tile.

    @cached_property
    def zero_per_channel(self) -> bool:
        return len(set(np.asarray(self.kernel.zw).tolist())) > 1

    @cached_property
    def scale_per_channel(self) -> bool:
        return len(self.kernel.scale) > 1

    @cached_property
    def constant_words(self) -> int:
        """Constants of one output channel."""
        return 1 + self.zero_per_channel + self.scale_per_channel

    @cached_property
    def constant_group(self) -> int:
        """Channel tiles whose constants make up one unit: all if there is room."""
        room = self.machine.size(self.machine.memory("bias")) // (2 * self.sharers)
        return max(1, min(len(self.channel_tiles), room // self.constant_bytes))

    @cached_property
    def constant_bytes(self) -> int:
        return 4 * self.constant_words * self.choices.tile_c * self.block

    def constants(self, channel: int) -> bytes:
        first, extent = self.channel_tiles[channel]

        def padded(values, dtype):
            values = np.broadcast_to(values, self.channels_out)[first:first + extent]
            return np.concatenate([values, np.zeros(extent - len(values))]).astype(dtype).tobytes()

        k = self.kernel
        return (padded(k.bias, np.int32) + (padded(k.zw, np.int32) if self.zero_per_channel else b"")
                + (padded(k.scale, np.float32) if self.scale_per_channel else b""))

    # Sums and results.

    def acc_layout(self, spot: Spot, channel: int) -> Layout:
        lanes = self.machine.channel_lanes
        return dense([("c", self.channel_tiles[channel][1] // lanes, lanes), ("n", spot.n[1], 1), ("h", spot.h[1], 1),
                      ("w", spot.w[1], 1), ("c", lanes, 1)], 4)

    def y_box(self, spot: Spot, channel: int) -> Box:
        return Box(spot.n, spot.h, spot.w, self.channel_tiles[channel])

    def y_layout(self, home: Home, spot: Spot, channel: int) -> Layout:
        return tile_layout(home, self.y_box(spot, channel), self.block)

    # Rooms: the bytes of the largest unit of each kind, and the slots that memories offer.

    @cached_property
    def slots(self) -> dict[str, tuple[str, list[int]]]:
        """Memory and slot bases of ``demands``.

        Raises
        ------
        TooSmall
            If a memory cannot hold one unit.
        """
        return allocate(self.machine, self.demands)

    @property
    def demands(self) -> list[Demand]:
        """Room for those of ``x w bias acc y r`` that do not stay on chip anyway."""
        spans = [high - low for low, high in map(self.span, range(len(self.channel_tiles)))]
        sizes = {}
        largest = max(range(len(self.spots)), key=lambda s: math.prod(self.extents[s]))
        if self.layer.products and any(self.held(step.low) is None for step in self.steps):
            sizes["x"] = max(self.x_layout((largest, chunk)).bytes for chunk in range(self.x_chunks))
        if self.layer.products and self.weighted:
            sizes["w"] = max(min(self.choices.chunk_w, span) * self.w_block_bytes(c) for c, span in enumerate(spans))
        if self.constant_words:
            sizes["bias"] = self.constant_bytes * self.constant_group
        if not self.sums:
            sizes["acc"] = self.acc_layout(self.spots[largest], 0).bytes
        if not self.y.on_chip and self.layer.finishes and not self.sinks:
            sizes["y"] = self.y_layout(self.y, self.spots[largest], 0).bytes
        if self.residual and not self.residual.on_chip:
            sizes["r"] = self.y_layout(self.residual, self.spots[largest], 0).bytes
        units = {"x": self.x_chunks if self.ring else len(self.spots) * self.x_chunks,
                 "bias": math.ceil(len(self.channel_tiles) / self.constant_group) if self.constant_words else 0,
                 "w": sum(math.ceil(span / self.choices.chunk_w) for span in spans)}
        c = self.choices
        shared = 2 if "r" in sizes else 1  # results and residual operands together
        most = {"x": c.slots_x, "w": c.slots_w, "acc": c.slots_acc, "y": max(c.slots_y // shared, 1), "r": max(c.slots_y // shared, 1)}
        return [
            Demand(what, self.machine.memory(what), size, min(most.get(what, MANY), units.get(what, MANY)),
                   least=self.x_chunks if self.ring and what == "x" else 1, spread=what in ("acc", "y", "r"),
                   high=self.from_top and what in ("x", "w", "bias")) for what, size in sizes.items()]

    @cached_property
    def x_chunks(self) -> int:
        """Units of activations of one spatial tile."""
        return math.ceil(self.blocks / self.choices.chunk_x)
