"""Convolutions and matrix products: the order in which everything happens.

An output tile is summed chunk by chunk in the accumulators, each chunk one instruction; activations, weights and
constants come in units that occupy slots. What a step needs is fetched some steps ahead, as soon as a slot is free.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tenon.compiler.code import Note
from tenon.compiler.codelets import conv
from tenon.compiler.home import Home
from tenon.compiler.layout import Layout, dense
from tenon.compiler.lower.conv_plan import ConvPlan, Spot, Step
from tenon.compiler.lower.emitter import CONSTANTS, Emitter
from tenon.compiler.lower.margin import surround
from tenon.compiler.lower.slots import CONTENTS, Slots, TooSmall
from tenon.compiler.lower.tiles import Box, Walk, binary32, box_parts, box_walks, element
from tenon.compiler.placing import Tile

__all__ = ["lower_conv"]

_KINDS = 4  # transfers that one step may need
_CONSTANT = ("bias", "w")  # kinds that no layer before has to compute, where weights are no tensor


def lower_conv(plan: ConvPlan, out: Emitter, table: int | None) -> None:
    """Appends the layer's instructions. ``table``: address of the layer's byte table on chip, if it has one.

    Raises
    ------
    CompileError, TooSmall
        If no instruction does what is needed, or a buffer is too small.
    """
    _Lowering(plan, out, table).run()


class _Lowering:
    def __init__(self, plan: ConvPlan, out: Emitter, table: int | None):
        self.plan, self.out, self.table = plan, out, table
        self.machine = plan.machine
        k, layer = plan.kernel, plan.layer
        tensors = plan.graph.tensors
        residual_type = tensors[layer.residual].dtype if layer.add else "uint8"
        self.weight_type = "i8" if min(k.weight.min(), k.zw.min()) < 0 else "u8"
        self.products = plan.products(element(tensors[k.x].dtype), self.weight_type)
        self.codelet = conv(element(tensors[k.x].dtype), self.weight_type, scale_per_channel=plan.scale_per_channel,
                            zero_per_channel=plan.zero_per_channel, residual=layer.side or None,
                            residual_type=element(residual_type), table=layer.lookup is not None)
        dense_windows = plan.windows
        (sh, sw), (dh, dw) = ((1, 1), (1, 1)) if dense_windows else (k.strides, k.dilations)
        self.attributes: dict[str, int | float] = {
            "stride_h": sh, "stride_w": sw, "dilation_h": dh, "dilation_w": dw, "pad_top": 0, "pad_left": 0,
            "zx": int(k.zx), "zw": int(k.zw[0]), "zy": int(k.zy), "lo": int(k.lo), "hi": int(k.hi), "scale": binary32(k.scale[0]),
        }
        if layer.add:
            a = layer.add
            self.attributes |= {"ra": binary32(a.ra), "rb": binary32(a.rb), "fixed": binary32(a.fixed), "sum_lo": int(a.lo),
                                "sum_hi": int(a.hi)}
        uses: dict[str, dict] = {what: {} for what in plan.slots}
        for t, step in enumerate(plan.steps):
            for what, unit, _, _ in self.needs(step):
                uses[what].setdefault(unit, []).append(t)
            for what in ("acc", "y")[:1 + step.last]:
                if what in uses:
                    uses[what].setdefault((step.spot, step.channel), []).append(t)
        self.slots = {what: Slots(memory, bases, uses[what]) for what, (memory, bases) in plan.slots.items()}
        self.constants: dict[tuple[str, int], int] = {}

    def needs(self, step: Step) -> Iterator[tuple[str, tuple, int, int]]:
        """What is fetched for a step: kind, unit, and the part of the unit."""
        plan = self.plan
        # Biases, zero-points and scales of a tile stay from its first step to its last.
        yield "bias", (step.channel // plan.constant_group,), step.channel, step.channel + 1
        if plan.layer.products:
            yield "w", plan.w_unit(step), step.low, step.high
        if plan.layer.products and plan.held(step.low) is None:
            whole = plan.windows and not plan.x.block
            yield "x", plan.x_unit(step), *((0, 1) if whole else (step.low, step.high))
        if step.last and "r" in plan.slots:
            yield "r", (step.spot, step.channel), 0, 1

    def run(self) -> None:
        plan, steps = self.plan, self.plan.steps
        # Transfers beyond those of the next step wait in their engine's queue; with more of them than it holds,
        # dispatch would stop in front of the next step itself.
        room = self.machine.graph.sequencer.queue_depth - _KINDS
        fetched = 0
        transfers = [0] * len(steps)
        for first in range(min(plan.choices.early, len(steps))):
            if not self.fetch(first, 0, _CONSTANT):
                break
        for now, step in enumerate(steps):
            while fetched <= now:
                self.fetch(fetched, now)
                fetched += 1
            if now == 0 and plan.y.on_chip and plan.layer.finishes:
                surround(self.out, plan.y, plan.graph.tensors[plan.layer.y].zero_point & 255)
            if plan.layer.products:
                self.sum(step, now)
            if step.last and plan.layer.finishes:
                self.finish(step, now)
            while fetched < len(steps) and fetched <= now + self.plan.choices.ahead and sum(transfers[now + 2:fetched]) <= room:
                before = len(self.out)
                if not self.fetch(fetched, now):
                    break
                transfers[fetched] += len(self.out) - before
                fetched += 1

    def fetch(self, wanted: int, now: int, kinds: tuple[str, ...] = tuple(CONTENTS)) -> bool:
        """Brings in what step ``wanted`` needs of these kinds; False if some of it has no room yet."""
        step = self.plan.steps[wanted]
        for what, unit, low, high in self.needs(step):
            if what not in kinds:
                continue
            slots = self.slots[what]
            if not slots.claim(unit, wanted, now):
                if wanted == now:
                    raise TooSmall(f"buffer {slots.memory} too small for {CONTENTS[what]} beside what it holds")
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

    def fetch_bias(self, step: Step, unit, low: int, high: int) -> None:
        plan = self.plan
        first = unit[0] * plan.constant_group
        for channel in range(low, high):
            size = 4 * plan.constant_words * plan.channel_tiles[channel][1]
            near = self.slots["bias"].base(unit) + (channel - first) * plan.constant_bytes
            self.out.load([Walk(size, 1, 1)], (CONSTANTS, self.stored("constants", channel)),
                          (self.slots["bias"].memory, near), ("constants of channel tile %d", channel))

    def fetch_w(self, step: Step, unit, low: int, high: int) -> None:
        plan = self.plan
        size = plan.w_block_bytes(step.channel)
        if plan.weight_home is not None:
            self.fetch_w_tensor(step, low, high, self.slots["w"].base(unit) + (low - plan.w_low(unit)) * size)
            return
        far = self.stored("weights", step.channel) + (low - plan.span(step.channel)[0]) * size
        near = self.slots["w"].base(unit) + (low - plan.w_low(unit)) * size
        self.out.load([Walk((high - low) * size, 1, 1)], (CONSTANTS, far), (self.slots["w"].memory, near),
                      ("weights of channel tile %d, blocks %d..%d", step.channel, low, high - 1))

    def fetch_w_tensor(self, step: Step, low: int, high: int, near: int) -> None:
        """Rows of a matrix as weights; beyond its last row and column they are zero-points."""
        plan, home = self.plan, self.plan.weight_home
        if plan.columns:
            self.fetch_w_columns(step, low, high, near)
            return
        lanes = self.machine.channel_lanes
        first, extent = plan.channel_tiles[step.channel]
        row = next(a.stride for a in home.layout.axes if a.dim == "w")
        word, block_words = plan.granule * lanes, plan.words
        start = home.offset + low * plan.granule * row
        walks = [Walk(high - low, plan.granule * row, plan.w_block_bytes(step.channel), y=plan.granule)]
        columns = None
        if home.block:
            step_far = home.layout.digits("c")[1].stride
            start += first // home.block * step_far
            walks += [Walk(extent // home.block, step_far, block_words * word), Walk(block_words, lanes, word)]
        else:
            start += first
            columns = (first, home.shape[3])
            walks.append(Walk(extent // lanes, lanes, word, x=lanes))
        walks += [Walk(plan.granule, row, lanes, y=1), Walk(lanes, 1, 1, x=int(columns is not None))]
        self.out.load(walks, (home.segment, start), (self.slots["w"].memory, near),
                      ("second operand, channel tile %d, blocks %d..%d", step.channel, low, high - 1), fill=int(plan.kernel.zw[0]) & 255,
                      rows=(low * plan.granule, home.shape[2]), columns=columns)

    def fetch_w_columns(self, step: Step, low: int, high: int, near: int) -> None:
        """Rows of a matrix as the columns of weights; beyond its last column they are zero-points."""
        plan, home = self.plan, self.plan.weight_home
        lanes_in, lanes_out = self.machine.reduction_lanes, self.machine.channel_lanes
        first, extent = plan.channel_tiles[step.channel]
        row = next(a.stride for a in home.layout.axes if a.dim == "w")
        step_far = home.layout.digits("c")[1].stride if home.block else plan.granule
        ragged = int(high * plan.granule > home.shape[3])  # some of the last block's lanes hold no weight
        tile, words = lanes_out * lanes_out, plan.granule // lanes_in
        walks = [Walk(high - low, step_far, plan.w_block_bytes(step.channel), x=ragged * plan.granule),
                 Walk(extent // lanes_out, lanes_out * row, words * tile, y=lanes_out), Walk(words, lanes_in, tile, x=ragged * lanes_in),
                 Walk(lanes_out, row, lanes_out, y=1), Walk(lanes_in, 1, 1, x=ragged)]
        rows = (first, home.shape[2]) if first + extent > home.shape[2] else None
        if rows is None:
            walks = [replace(walk, y=0) for walk in walks]
        self.out.load(walks, (home.segment, home.offset + low * step_far + first * row), (self.slots["w"].memory, near),
                      ("second operand by columns, channel tile %d, blocks %d..%d", step.channel, low, high - 1),
                      fill=int(plan.kernel.zw[0]) & 255, rows=rows, columns=(low * plan.granule, home.shape[3]) if ragged else None)

    def fetch_x(self, step: Step, unit, low: int, high: int) -> None:
        plan = self.plan
        spot, home, tile = plan.spots[step.spot], plan.x, plan.x_layout(unit)
        near = self.slots["x"].base(unit)
        note = "activations of tile %d", step.spot
        fill, memory = plan.kernel.zx & 255, self.slots["x"].memory
        if not (plan.windows and not home.block):
            near += tile.offset(c=(low - plan.x_blocks(unit)[0]) * plan.granule)
            note = "activations of tile %d, blocks %d..%d", step.spot, low, high - 1
        if plan.windows:
            walks, far, rows, columns = self.window_walks(spot, tile, low, high - low)
            self.out.load(walks, (home.segment, far), (memory, near), note, fill=fill, rows=rows, columns=columns)
        else:
            self.load_box(home, plan.x_box(spot, low, high - low), tile, (memory, near), note, fill)

    def load_box(self, home: Home, box: Box, tile: Layout, near: tuple[str, int], note: Note, fill: int = 0) -> None:
        """Brings in a box of a tensor, wherever its parts live."""
        for part, piece, offset in box_parts(home, box, tile):
            walks, far, rows, columns = box_walks(part, piece, tile)
            self.out.load(walks, (part.segment, far), (near[0], near[1] + offset), note, fill=fill, rows=rows, columns=columns)

    def window_walks(self, spot: Spot, tile: Layout, low: int, count: int):
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

    def fetch_r(self, step: Step, unit, low: int, high: int) -> None:
        plan, spot = self.plan, self.plan.spots[step.spot]
        tile = plan.y_layout(plan.residual, spot, step.channel)
        self.load_box(plan.residual, plan.y_box(spot, step.channel), tile, (self.slots["r"].memory, self.slots["r"].base(unit)),
                      ("residual operand of tile %d, channel tile %d", step.spot, step.channel))

    def constant_tiles(self, channel: int) -> tuple[dict[str, Tile], dict[str, int]]:
        """Biases, zero-points and scales of a channel tile: where each lies."""
        plan, slots = self.plan, self.slots["bias"]
        extent = plan.channel_tiles[channel][1]
        tile = Tile(slots.memory, dense([("oc", extent, 1)], 4))
        unit = (channel // plan.constant_group,)
        base = slots.base(unit) + (channel - unit[0] * plan.constant_group) * plan.constant_bytes
        names = ["bias"] + ["zero"] * plan.zero_per_channel + ["scale"] * plan.scale_per_channel
        return {n: tile for n in names}, {n: base + 4 * extent * i for i, n in enumerate(names)}

    def sum(self, step: Step, now: int) -> None:
        """Adds one chunk of products to a tile's sums."""
        plan = self.plan
        spot, tile_unit = plan.spots[step.spot], (step.spot, step.channel)
        w_unit = plan.w_unit(step)
        if "acc" in self.slots:
            if not self.slots["acc"].claim(tile_unit, now, now):
                raise TooSmall(f"buffer {self.slots['acc'].memory} too small for {CONTENTS['acc']} beside what it holds")
            self.slots["acc"].touch(tile_unit, now)
        self.slots["w"].touch(w_unit, now)
        tiles, bases = self.constant_tiles(step.channel)
        self.slots["bias"].touch((step.channel // plan.constant_group,), now)
        tiles["x"], bases["x"] = self.operand(step, now)
        tiles["acc"], bases["acc"] = self.totals(step)
        w_count = min(plan.choices.chunk_w, plan.span(step.channel)[1] - plan.w_low(w_unit))
        tiles["w"] = Tile(self.slots["w"].memory, plan.w_layout(step.channel, w_count))
        bases["w"] = self.slots["w"].base(w_unit) + (step.low - plan.w_low(w_unit)) * plan.w_block_bytes(step.channel)
        extents = {"n": spot.n[1], "oh": spot.h[1], "ow": spot.w[1]} | plan.product_extents(step)
        self.out.compute(self.products, "start" if step.first and plan.layer.begins else "resume", tiles, extents, self.attributes, bases,
                         ("tile %d, channel tile %d, blocks %d..%d", step.spot, step.channel, step.low, step.high - 1))

    def operand(self, step: Step, now: int) -> tuple[Tile, int]:
        """The activations of a step: a tile that was fetched, or a tensor that stays on chip; and where its box begins."""
        plan = self.plan
        held = plan.held(step.low)
        if held is None:
            unit = plan.x_unit(step)
            self.slots["x"].touch(unit, now)
            tile = plan.x_layout(unit)
            begin = tile.offset(c=(step.low - plan.x_blocks(unit)[0]) * plan.granule)
            return Tile(self.slots["x"].memory, tile), self.slots["x"].base(unit) + begin
        home, first = held
        box = plan.x_box(plan.spots[step.spot], step.low - first, step.high - step.low)
        return Tile(home.segment, home.layout), home.offset + home.layout.offset(n=box.n[0], h=box.h[0], w=box.w[0], c=box.c[0])

    def totals(self, step: Step) -> tuple[Tile, int]:
        """The sums of a step's tile."""
        plan, spot = self.plan, self.plan.spots[step.spot]
        if plan.sums is None:
            unit = step.spot, step.channel
            return Tile(self.slots["acc"].memory, plan.acc_layout(spot, step.channel)), self.slots["acc"].base(unit)
        return self.at(plan.sums, spot, step.channel)

    def at(self, home: Home, spot: Spot, channel: int) -> tuple[Tile, int]:
        """A tile of a tensor that stays on chip."""
        begin = home.layout.offset(n=spot.n[0], h=spot.h[0], w=spot.w[0], c=self.plan.channel_tiles[channel][0])
        return Tile(home.segment, home.layout), home.offset + begin

    def finish(self, step: Step, now: int) -> None:
        """Turns a tile's sums into results and stores them."""
        plan = self.plan
        spot, unit, extent = plan.spots[step.spot], (step.spot, step.channel), plan.channel_tiles[step.channel][1]
        tiles, bases = self.constant_tiles(step.channel)
        self.slots["bias"].touch((step.channel // plan.constant_group,), now)
        tiles["acc"], bases["acc"] = self.totals(step)
        for what, home in (("y", plan.y), ("r", plan.residual)):
            if what in self.slots:
                self.slots[what].claim(unit, now, now)
                self.slots[what].touch(unit, now)
                tiles[what] = Tile(self.slots[what].memory, plan.y_layout(home, spot, step.channel))
                bases[what] = self.slots[what].base(unit)
            elif home is not None:
                tiles[what], bases[what] = self.at(home, spot, step.channel)
        if self.table is not None:
            tiles["table"] = Tile(self.machine.memory("table"), dense([("i", 256, 1)]))
            bases["table"] = self.table
        note = "tile %d, channel tile %d", step.spot, step.channel
        extents = {"n": spot.n[1], "oh": spot.h[1], "ow": spot.w[1], "oc": extent}
        self.out.compute(self.codelet, "finish", tiles, extents, self.attributes, bases, note)
        if not plan.y.on_chip:
            walks, far, _, _ = box_walks(plan.y, plan.y_box(spot, step.channel), tiles["y"].layout)
            self.out.store(walks, (tiles["y"].memory, bases["y"]), (plan.y.segment, far), note)
