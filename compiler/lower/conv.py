"""Convolutions and matrix products: tiles, chunks of the reduction, and the order in which everything happens.

An output tile is summed chunk by chunk in the accumulators, each chunk one instruction; activations, weights and
constants come in units that occupy slots. What a step needs is fetched some steps ahead, as soon as a slot is free.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from compiler.codelets import conv
from compiler.ir import Conv, Graph
from compiler.layer import Layer
from compiler.layout import Layout, dense
from compiler.lower.emitter import Emitter
from compiler.lower.slots import Slots
from compiler.lower.tiles import Box, Home, Walk, box_walks, tile_layout
from compiler.machine import Machine
from compiler.placing import Tile

__all__ = ["ConvChoices", "ConvPlan", "lower_conv"]


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


@dataclass(frozen=True)
class _Spot:
    """A spatial tile: first output coordinate and extent of each dimension."""

    n: tuple[int, int]
    h: tuple[int, int]
    w: tuple[int, int]


@dataclass(frozen=True)
class _Step:
    """One chunk of one output tile: blocks ``low..high`` of the reduction."""

    spot: int
    channel: int
    low: int
    high: int
    first: bool
    last: bool


class ConvPlan:
    """Geometry of a convolution under given choices: tiles, steps, units and their sizes. Emits nothing.

    Raises
    ------
    CompileError
        Out of ``check``: a buffer is too small, by name.
    """

    def __init__(self, machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], choices: ConvChoices):
        self.machine, self.graph, self.layer, self.choices = machine, graph, layer, choices
        self.kernel: Conv = layer.main
        self.x, self.y = homes[self.kernel.x], homes[layer.y]
        self.residual = homes[layer.residual] if layer.add else None
        k = self.kernel
        self.kh, self.kw, self.group_in, self.channels_out = k.weight.shape
        self.group_out = self.channels_out // k.group
        self.block = machine.graph.block
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

    # Tiles and steps.

    @cached_property
    def spots(self) -> list[_Spot]:
        n, h, w, _ = self.y.shape
        c = self.choices
        return [_Spot(a, b, d) for a in _cut(n, c.tile_n) for b in _cut(h, c.tile_h) for d in _cut(w, c.tile_w)]

    @cached_property
    def channel_tiles(self) -> list[tuple[int, int]]:
        """First output channel and padded extent of each channel tile."""
        total = math.ceil(self.channels_out / self.block)
        return [(b * self.block, e * self.block) for b, e in _cut(total, self.choices.tile_c)]

    def span(self, channel: int) -> tuple[int, int]:
        """Blocks of the reduction that a channel tile needs: all, or those of its groups."""
        if self.kernel.group == 1:
            return 0, self.blocks
        first, extent = self.channel_tiles[channel]
        last = min(first + extent, self.channels_out) - 1
        low, high = first // self.group_out * self.group_in, (last // self.group_out + 1) * self.group_in
        return low // self.granule, math.ceil(high / self.granule)

    @cached_property
    def steps(self) -> list[_Step]:
        spots, channels = range(len(self.spots)), range(len(self.channel_tiles))
        if self.choices.order == "spatial":
            tiles = [(s, c) for s in spots for c in channels]
        else:
            tiles = [(s, c) for c in channels for s in spots]
        steps = []
        for k, (s, c) in enumerate(tiles):
            low, high = self.span(c)
            cuts = {low, high, *range(low, high, self.choices.chunk_w)}
            cuts |= {b for b in range(0, high, self.choices.chunk_x) if b > low}
            if k == 0 and self.choices.ramp:
                at, size = low, self.choices.ramp
                while at < high:
                    cuts.add(at)
                    at, size = at + size, size * 2
            edges = sorted(cuts)
            steps += [_Step(s, c, a, b, a == low, b == high) for a, b in zip(edges, edges[1:])]
        return steps

    # Activations.

    def x_unit(self, step: _Step) -> tuple[int, int]:
        return step.spot, step.low // self.choices.chunk_x

    def x_blocks(self, unit: tuple[int, int]) -> tuple[int, int]:
        """First block and number of blocks of a unit."""
        low = unit[1] * self.choices.chunk_x
        return low, min(self.choices.chunk_x, self.blocks - low)

    def x_box(self, spot: _Spot, low: int, count: int) -> Box:
        (sh, sw), (dh, dw), (top, left, _, _) = self.kernel.strides, self.kernel.dilations, self.kernel.pads
        (h0, h), (w0, w) = spot.h, spot.w
        rows = (h0 * sh - top, (h - 1) * sh + (self.kh - 1) * dh + 1)
        columns = (w0 * sw - left, (w - 1) * sw + (self.kw - 1) * dw + 1)
        return Box(spot.n, rows, columns, (low * self.granule, count * self.granule))

    def x_layout(self, unit: tuple[int, int]) -> Layout:
        spot = self.spots[unit[0]]
        low, count = self.x_blocks(unit)
        box = self.x_box(spot, low, count)
        if self.windows:
            box = Box(spot.n, (0, spot.h[1]), (0, spot.w[1]), box.c)
            if not self.x.block:
                box = Box(box.n, box.h, box.w, (0, self.granule))
        return tile_layout(self.x, box, self.granule)

    # Weights: [block][output word][kernel row][kernel column][word of the block][lane][output lane].

    def w_unit(self, step: _Step) -> tuple[int, int]:
        return step.channel, (step.low - self.span(step.channel)[0]) // self.choices.chunk_w

    def w_low(self, unit: tuple[int, int]) -> int:
        return self.span(unit[0])[0] + unit[1] * self.choices.chunk_w

    def w_layout(self, channel: int, count: int) -> Layout:
        lanes_in, lanes_out = self.machine.reduction_lanes, self.machine.channel_lanes
        return dense([("ic", count, self.granule), ("oc", self.channel_tiles[channel][1] // lanes_out, lanes_out),
                      ("kh", self.taps[0], 1), ("kw", self.taps[1], 1), ("ic", self.granule // lanes_in, lanes_in),
                      ("ic", lanes_in, 1), ("oc", lanes_out, 1)])

    def w_block_bytes(self, channel: int) -> int:
        """Bytes of the weights of one block of the reduction."""
        return self.channel_tiles[channel][1] * self.taps[0] * self.taps[1] * self.granule

    def weights(self, channel: int) -> bytes:
        """The weights of a channel tile as they lie on chip. Lanes that hold no weight hold its zero-point."""
        k = self.kernel
        low, high = self.span(channel)
        first, extent = self.channel_tiles[channel]
        last = min(first + extent, self.channels_out)
        zero = np.zeros(extent, np.int32)
        zero[:last - first] = np.broadcast_to(k.zw, self.channels_out)[first:last]
        if len(k.zw) == 1:
            zero[:] = k.zw[0]
        full = np.empty((*self.taps, (high - low) * self.granule, extent), np.int32)
        full[:] = zero
        if self.windows and not self.x.block:
            flat = k.weight[..., first:last].reshape(-1, last - first)
            full[0, 0, :len(flat), :last - first] = flat
        elif k.group == 1:
            full[:, :, :self.group_in, :last - first] = k.weight[..., first:last]
        else:
            for o in range(first, last):
                at = o // self.group_out * self.group_in - low * self.granule
                full[:, :, at:at + self.group_in, o - first] = k.weight[..., o]
        lanes_in, lanes_out = self.machine.reduction_lanes, self.machine.channel_lanes
        parts = full.reshape(*self.taps, high - low, self.granule // lanes_in, lanes_in, extent // lanes_out, lanes_out)
        return (parts.transpose(2, 5, 0, 1, 3, 4, 6) & 255).astype(np.uint8).tobytes()

    # Constants: biases, then weight zero-points, then scales of a channel tile.

    @property
    def zero_per_channel(self) -> bool:
        return len(set(np.asarray(self.kernel.zw).tolist())) > 1

    @property
    def scale_per_channel(self) -> bool:
        return len(self.kernel.scale) > 1

    @property
    def constant_words(self) -> int:
        """Constants of one output channel."""
        return 1 + self.zero_per_channel + self.scale_per_channel

    @cached_property
    def constant_group(self) -> int:
        """Channel tiles whose constants make up one unit: all if there is room."""
        room = self.machine.size(self.machine.memory("bias")) // 2
        return max(1, min(len(self.channel_tiles), room // self.constant_bytes))

    @property
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

    def acc_layout(self, spot: _Spot, channel: int) -> Layout:
        lanes = self.machine.channel_lanes
        return dense([("c", self.channel_tiles[channel][1] // lanes, lanes), ("n", spot.n[1], 1), ("h", spot.h[1], 1),
                      ("w", spot.w[1], 1), ("c", lanes, 1)], 4)

    def y_box(self, spot: _Spot, channel: int) -> Box:
        return Box(spot.n, spot.h, spot.w, self.channel_tiles[channel])

    def y_layout(self, home: Home, spot: _Spot, channel: int) -> Layout:
        return tile_layout(home, self.y_box(spot, channel), self.block)

    # Rooms: the bytes of the largest unit of each kind, and the slots that memories offer.

    @cached_property
    def slots(self) -> dict[str, tuple[str, list[int]]]:
        """Memory and slot bases of ``x w bias acc y r``.

        Raises
        ------
        CompileError
            If a memory cannot hold one unit.
        """
        m = self.machine
        sizes = {
            "x": max(self.x_layout(u).bytes for u in {(s, c) for s in self._extreme_spots for c in range(self.x_units)}),
            "w": max(min(self.choices.chunk_w, h - l) * self.w_block_bytes(c)
                     for c, (l, h) in ((c, self.span(c)) for c in range(len(self.channel_tiles)))),
            "bias": self.constant_bytes * self.constant_group,
            "acc": self.acc_layout(self.spots[0], 0).bytes,
            "y": self.y_layout(self.y, self.spots[0], 0).bytes,
        }
        if self.residual:
            sizes["r"] = self.y_layout(self.residual, self.spots[0], 0).bytes
        found = {}
        for what, size in sizes.items():
            memory = m.memory(what)
            found[what] = memory, self._bases(what, memory, size)
        return found

    @property
    def x_units(self) -> int:
        return math.ceil(self.blocks / self.choices.chunk_x)

    @cached_property
    def _extreme_spots(self) -> list[int]:
        return [0]  # tiles at the edges are no larger than the first

    def _bases(self, what: str, memory: str, size: int) -> list[int]:
        total = self.machine.size(memory)
        size = math.ceil(size / self.machine.alignment) * self.machine.alignment
        start, room = 0, total
        shared = self.residual is not None and self.machine.memory("r") == self.machine.memory("y")
        if shared and what in ("y", "r"):
            start, room = (0 if what == "y" else total // 2), total // 2
        if size > room:
            raise _TooSmall(f"buffer {memory} too small for {_WHAT[what]}: {size} of {room} bytes")
        if what in ("acc", "y", "r"):  # apart, so that different engines use different banks
            banks = max(self.machine.graph.memory(memory).banks * room // total, 1)
            count = next(c for c in (banks, 2, 1) if c <= banks and size <= room // c) if banks > 1 else 1
            count = max(count, min(room // size, 2))
            spread = room // count // self.machine.alignment * self.machine.alignment
            return [start + i * spread for i in range(count)]
        return [start + i * size for i in range(min(room // size, 256))]


class _TooSmall(Exception):
    """A buffer cannot hold what a mapping wants it to."""


_WHAT = {"x": "the activations of a tile", "w": "the weights of a tile", "bias": "the constants of a tile",
         "acc": "the sums of a tile", "y": "the results of a tile", "r": "the residual operand of a tile"}


def _cut(total: int, size: int) -> list[tuple[int, int]]:
    return [(i, min(size, total - i)) for i in range(0, total, size)]


def lower_conv(plan: ConvPlan, out: Emitter, table: int | None) -> None:
    """Appends the layer's instructions. ``table``: address of the layer's byte table on chip, if it has one.

    Raises
    ------
    CompileError
        If a buffer is too small, or no instruction does what is needed.
    """
    try:
        _Lowering(plan, out, table).run()
    except _TooSmall as reason:
        raise out.fail(str(reason)) from None


class _Lowering:
    def __init__(self, plan: ConvPlan, out: Emitter, table: int | None):
        self.plan, self.out, self.table = plan, out, table
        self.machine = plan.machine
        k, layer = plan.kernel, plan.layer
        tensors = plan.graph.tensors
        residual_type = tensors[layer.residual].dtype if layer.add else "uint8"
        self.weight_type = "i8" if k.weight.min() < 0 else "u8"
        self.codelet = conv(_element(tensors[k.x].dtype), self.weight_type, scale_per_channel=plan.scale_per_channel,
                            zero_per_channel=plan.zero_per_channel, residual=layer.side or None,
                            residual_type=_element(residual_type), table=layer.lookup is not None)
        dense_windows = plan.windows
        (sh, sw), (dh, dw) = ((1, 1), (1, 1)) if dense_windows else (k.strides, k.dilations)
        self.attributes: dict[str, int | float] = {
            "stride_h": sh, "stride_w": sw, "dilation_h": dh, "dilation_w": dw, "pad_top": 0, "pad_left": 0,
            "zx": int(k.zx), "zw": int(k.zw[0]), "zy": int(k.zy), "lo": int(k.lo), "hi": int(k.hi), "scale": float(k.scale[0]),
        }
        if layer.add:
            a = layer.add
            self.attributes |= {"ra": float(a.ra), "rb": float(a.rb), "fixed": float(a.fixed), "sum_lo": int(a.lo),
                                "sum_hi": int(a.hi)}
        uses: dict[str, dict] = {what: {} for what in plan.slots}
        for t, step in enumerate(plan.steps):
            for what, unit, _, _ in self.needs(step):
                uses[what].setdefault(unit, []).append(t)
            uses["acc"].setdefault((step.spot, step.channel), []).append(t)
            if step.last:
                uses["y"].setdefault((step.spot, step.channel), []).append(t)
        self.slots = {what: Slots(memory, bases, uses[what]) for what, (memory, bases) in plan.slots.items()}
        self.constants: dict[tuple[str, int], int] = {}

    def needs(self, step: _Step) -> Iterator[tuple[str, tuple, int, int]]:
        """What is fetched for a step: kind, unit, and the part of the unit."""
        plan = self.plan
        if step.first:
            yield "bias", (step.channel // plan.constant_group,), step.channel, step.channel + 1
        yield "w", plan.w_unit(step), step.low, step.high
        whole = plan.windows and not plan.x.block
        yield "x", plan.x_unit(step), *((0, 1) if whole else (step.low, step.high))
        if step.last and plan.residual:
            yield "r", (step.spot, step.channel), 0, 1

    def run(self) -> None:
        steps = self.plan.steps
        # Transfers beyond those of the next step wait in their engine's queue; with more of them than it holds,
        # dispatch would stop in front of the next step itself.
        room = self.machine.graph.sequencer.queue_depth - _KINDS
        fetched = 0
        transfers = [0] * len(steps)
        for now, step in enumerate(steps):
            while fetched <= now:
                self.fetch(fetched, now)
                fetched += 1
            self.sum(step, now)
            if step.last:
                self.finish(step, now)
            while fetched < len(steps) and fetched <= now + self.plan.choices.ahead and sum(transfers[now + 2:fetched]) <= room:
                before = len(self.out.instructions)
                if not self.fetch(fetched, now):
                    break
                transfers[fetched] += len(self.out.instructions) - before
                fetched += 1

    def fetch(self, wanted: int, now: int) -> bool:
        """Brings in what step ``wanted`` needs; False if some of it has no room yet."""
        step = self.plan.steps[wanted]
        for what, unit, low, high in self.needs(step):
            slots = self.slots[what]
            if not slots.claim(unit, wanted, now):
                if wanted == now:
                    raise _TooSmall(f"buffer {slots.memory} too small for {_WHAT[what]} beside what it holds")
                return False
            for a, b in slots.missing(unit, low, high):
                getattr(self, f"fetch_{what}")(step, unit, a, b)
        return True

    def stored(self, kind: str, channel: int) -> int:
        """Offset of a channel tile's weights or constants in the constant segment."""
        key = kind, channel
        if key not in self.constants:
            data = self.plan.weights(channel) if kind == "weights" else self.plan.constants(channel)
            self.constants[key] = self.out.constants.put(data)
        return self.constants[key]

    def fetch_bias(self, step: _Step, unit, low: int, high: int) -> None:
        plan = self.plan
        first = unit[0] * plan.constant_group
        for channel in range(low, high):
            size = 4 * plan.constant_words * plan.channel_tiles[channel][1]
            near = self.slots["bias"].base(unit) + (channel - first) * plan.constant_bytes
            self.out.load([Walk(size, 1, 1)], (_CONSTANTS, self.stored("constants", channel)),
                          (self.slots["bias"].memory, near), f"constants of channel tile {channel}")

    def fetch_w(self, step: _Step, unit, low: int, high: int) -> None:
        plan = self.plan
        size = plan.w_block_bytes(step.channel)
        far = self.stored("weights", step.channel) + (low - plan.span(step.channel)[0]) * size
        near = self.slots["w"].base(unit) + (low - plan.w_low(unit)) * size
        self.out.load([Walk((high - low) * size, 1, 1)], (_CONSTANTS, far), (self.slots["w"].memory, near),
                      f"weights of channel tile {step.channel}, blocks {low}..{high - 1}")

    def fetch_x(self, step: _Step, unit, low: int, high: int) -> None:
        plan = self.plan
        spot, home, tile = plan.spots[step.spot], plan.x, plan.x_layout(unit)
        near = self.slots["x"].base(unit)
        note = f"activations of tile {step.spot}"
        fill = plan.kernel.zx & 255
        if plan.windows:
            walks, far, rows, columns = self.window_walks(spot, tile, low, high - low)
        else:
            walks, far, rows, columns = box_walks(home, plan.x_box(spot, low, high - low), tile)
        if not (plan.windows and not home.block):
            near += tile.offset(c=(low - plan.x_blocks(unit)[0]) * plan.granule)
            note += f", blocks {low}..{high - 1}"
        self.out.load(walks, (home.segment, far), (self.slots["x"].memory, near), note, fill=fill, rows=rows, columns=columns)

    def window_walks(self, spot: _Spot, tile: Layout, low: int, count: int):
        """Loops that gather, for each output, what it reads: kernel rows, kernel columns and channels side by side."""
        plan, home, k = self.plan, self.plan.x, self.plan.kernel
        (sh, sw), (dh, dw), (top, left, bottom, right) = k.strides, k.dilations, k.pads
        (n0, n), (h0, h), (w0, w) = spot.n, spot.h, spot.w
        far = {a.dim: a.stride for a in home.layout.axes if a.dim != "c"}
        near = {a.dim: a.stride for a in tile.axes if a.dim != "c"}
        channels, pixel = home.shape[3], far["w"]
        y, x = int(top + bottom > 0), int(left + right > 0)
        walks = [Walk(n, far["n"], near["n"])]
        start = home.offset + far["n"] * n0 + far["h"] * (h0 * sh - top) + pixel * (w0 * sw - left)
        if home.block:
            walks.append(Walk(count, home.layout.digits("c")[1].stride, tile.digits("c")[1].stride))
            start += low * home.layout.digits("c")[1].stride
            channels = home.block
        walks += [Walk(h, far["h"] * sh, near["h"], y=y * sh), Walk(w, pixel * sw, near["w"], x=x * pixel * sw),
                  Walk(plan.kh, far["h"] * dh, plan.kw * channels, y=y * dh), Walk(plan.kw, pixel * dw, channels, x=x * pixel * dw),
                  Walk(channels, 1, 1, x=x)]
        rows = (h0 * sh - top, home.shape[1]) if y else None
        columns = ((w0 * sw - left) * pixel, home.shape[2] * pixel) if x else None
        return walks, start, rows, columns

    def fetch_r(self, step: _Step, unit, low: int, high: int) -> None:
        plan, spot = self.plan, self.plan.spots[step.spot]
        walks, far, _, _ = box_walks(plan.residual, plan.y_box(spot, step.channel), plan.y_layout(plan.residual, spot, step.channel))
        self.out.load(walks, (plan.residual.segment, far), (self.slots["r"].memory, self.slots["r"].base(unit)),
                      f"residual operand of tile {step.spot}, channel tile {step.channel}")

    def constant_tiles(self, channel: int) -> tuple[dict[str, Tile], dict[str, int]]:
        """Biases, zero-points and scales of a channel tile: where each lies."""
        plan, slots = self.plan, self.slots["bias"]
        extent = plan.channel_tiles[channel][1]
        tile = Tile(slots.memory, dense([("oc", extent, 1)], 4))
        unit = (channel // plan.constant_group,)
        base = slots.base(unit) + (channel - unit[0] * plan.constant_group) * plan.constant_bytes
        names = ["bias"] + ["zero"] * plan.zero_per_channel + ["scale"] * plan.scale_per_channel
        return {n: tile for n in names}, {n: base + 4 * extent * i for i, n in enumerate(names)}

    def sum(self, step: _Step, now: int) -> None:
        """Adds one chunk of products to a tile's sums."""
        plan = self.plan
        spot, tile_unit = plan.spots[step.spot], (step.spot, step.channel)
        x_unit, w_unit = plan.x_unit(step), plan.w_unit(step)
        if not self.slots["acc"].claim(tile_unit, now, now):
            raise _TooSmall(f"buffer {self.slots['acc'].memory} too small for {_WHAT['acc']} beside what it holds")
        for what, unit in (("x", x_unit), ("w", w_unit), ("acc", tile_unit)):
            self.slots[what].touch(unit, now)
        tiles, bases = self.constant_tiles(step.channel)
        if step.first:
            self.slots["bias"].touch((step.channel // plan.constant_group,), now)
        x_tile = plan.x_layout(x_unit)
        w_count = min(plan.choices.chunk_w, plan.span(step.channel)[1] - plan.w_low(w_unit))
        tiles |= {
            "x": Tile(self.slots["x"].memory, x_tile), "w": Tile(self.slots["w"].memory, plan.w_layout(step.channel, w_count)),
            "acc": Tile(self.slots["acc"].memory, plan.acc_layout(spot, step.channel)),
        }
        low, _ = plan.x_blocks(x_unit)
        bases |= {
            "x": self.slots["x"].base(x_unit) + x_tile.offset(c=(step.low - low) * plan.granule),
            "w": self.slots["w"].base(w_unit) + (step.low - plan.w_low(w_unit)) * plan.w_block_bytes(step.channel),
            "acc": self.slots["acc"].base(tile_unit),
        }
        extents = {"n": spot.n[1], "oh": spot.h[1], "ow": spot.w[1], "oc": plan.channel_tiles[step.channel][1],
                   "kh": plan.taps[0], "kw": plan.taps[1], "ic": (step.high - step.low) * plan.granule}
        self.out.compute(self.codelet, "start" if step.first else "resume", tiles, extents, self.attributes, bases,
                         f"tile {step.spot}, channel tile {step.channel}, blocks {step.low}..{step.high - 1}")

    def finish(self, step: _Step, now: int) -> None:
        """Turns a tile's sums into results and stores them."""
        plan = self.plan
        spot, unit, extent = plan.spots[step.spot], (step.spot, step.channel), plan.channel_tiles[step.channel][1]
        tiles, bases = self.constant_tiles(step.channel)
        y_slots, y_tile = self.slots["y"], plan.y_layout(plan.y, spot, step.channel)
        y_slots.claim(unit, now, now)
        y_slots.touch(unit, now)
        self.slots["bias"].touch((step.channel // plan.constant_group,), now)
        tiles |= {"acc": Tile(self.slots["acc"].memory, plan.acc_layout(spot, step.channel)), "y": Tile(y_slots.memory, y_tile)}
        bases |= {"acc": self.slots["acc"].base(unit), "y": y_slots.base(unit)}
        if plan.residual:
            self.slots["r"].touch(unit, now)
            tiles["r"] = Tile(self.slots["r"].memory, plan.y_layout(plan.residual, spot, step.channel))
            bases["r"] = self.slots["r"].base(unit)
        if self.table is not None:
            tiles["table"] = Tile(self.machine.memory("table"), dense([("i", 256, 1)]))
            bases["table"] = self.table
        note = f"tile {step.spot}, channel tile {step.channel}"
        extents = {"n": spot.n[1], "oh": spot.h[1], "ow": spot.w[1], "oc": extent}
        self.out.compute(self.codelet, "finish", tiles, extents, self.attributes, bases, note)
        walks, far, _, _ = box_walks(plan.y, plan.y_box(spot, step.channel), y_tile)
        self.out.store(walks, (y_slots.memory, y_slots.base(unit)), (plan.y.segment, far), note)


_CONSTANTS = "CONSTANTS"
_KINDS = 4  # transfers that one step may need


def _element(dtype: str) -> str:
    return {"int8": "i8", "uint8": "u8"}[dtype]
