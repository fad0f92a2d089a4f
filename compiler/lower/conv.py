"""Convolutions and matrix products: the order in which everything happens.

An output tile is summed chunk by chunk in the accumulators, each chunk one instruction; activations, weights and
constants come in units that occupy slots. What a step needs is fetched some steps ahead, as soon as a slot is free.
"""

from __future__ import annotations

import functools

from tenon.compiler.home import Home
from tenon.compiler.layout import Layout, dense
from tenon.compiler.lower.boxes import Boxes
from tenon.compiler.lower.constants import digest_of
from tenon.compiler.lower.conv_plan import ConvPlan, Spot, Step
from tenon.compiler.lower.emitter import Emitter
from tenon.compiler.lower.made import Made
from tenon.compiler.lower.margin import surround
from tenon.compiler.lower.slots import Slots
from tenon.compiler.lower.tiles import BoxWalks, Walk, box_walks
from tenon.compiler.placement import CONTENTS, TooSmall
from tenon.compiler.placing import Tile

__all__ = ["lower_conv"]

_KINDS = 4  # transfers that one step may need
Need = tuple[tuple, int, int]  # a unit, and the part of it

_CONSTANT = ("bias", "w")  # kinds that no layer before has to compute, where weights are no tensor


def lower_conv(plan: ConvPlan, out: Emitter, table: int | None) -> None:
    """Appends the layer's instructions. ``table``: address of the layer's byte table on chip, if it has one.

    Raises
    ------
    CompileError, TooSmall
        If no instruction does what is needed, or a buffer is too small.
    """
    ConvLowering(plan, out, table).run()


class ConvLowering:
    """A layer's instructions, step by step. ``source``: what makes its activations, tile by tile, if nothing else has; ``sink``: whose
    activations its results are."""

    def __init__(self, plan: ConvPlan, out: Emitter, table: int | None, source: ConvLowering | None = None):
        self.plan, self.out, self.boxes, self.table = plan, out, Boxes(out), table
        self.made, self.sink = Made(self, source) if source is not None else None, None
        if source is not None:
            source.sink = self
        self.step = self.fetched = 0
        self.before = [0]  # transfers of the steps before each that came ahead of their own step
        self.machine = plan.machine
        self.products, self.codelet, self.attributes = plan.operators()
        self.needed = self.needs()
        self.w_block_bytes = [plan.w_block_bytes(channel) for channel in range(len(plan.channel_tiles))] if plan.weighted else []
        self.forms: dict[tuple, int] = {}
        self.ends: dict[tuple[int, int], int] = {}  # of each tile
        self.others = [(what, home) for what, home in (("y", plan.y), ("r", plan.residual)) if home is not None]  # beside the sums
        uses: dict[str, dict] = {what: {} for what in plan.slots}
        for what, needed in self.needed.items():
            for t, need in enumerate(needed):
                if need is not None:
                    uses[what].setdefault(need[0], []).append(t)
        for what in uses.keys() & {"acc", "y"}:
            for t, step in enumerate(plan.steps):
                if step.last or what == "acc":
                    uses[what].setdefault((step.spot, step.channel), []).append(t)
        self.slots = {what: Slots(memory, bases, uses[what]) for what, (memory, bases) in plan.slots.items()}
        self.constants: dict[tuple[str, int], int] = {}
        self.constant_offsets = [[channel % plan.constant_group * plan.constant_bytes + 4 * extent * i for i in range(plan.constant_words)]
                                 for channel, (_, extent) in enumerate(plan.channel_tiles)]

    def needs(self) -> dict[str, list[Need | None]]:
        """What is fetched for each step, by its kind."""
        plan = self.plan
        spots, channels, lows, highs, _, lasts = zip(*plan.steps)
        firsts = lows
        # Biases, zero-points and scales of a tile stay from its first step to its last.
        needed = {"bias": [((c // plan.constant_group,), c, c + 1) for c in channels]} if plan.constant_words else {}
        if plan.layer.products:
            if plan.weighted:
                needed["w"] = list(zip(plan.w_units, lows, highs))
            if plan.made:  # a tile at a time
                lows, highs = spots, [s + 1 for s in spots]
            elif plan.windows and not plan.x.block:
                lows, highs = [0] * len(lows), [1] * len(lows)
            needed["x"] = list(zip(plan.x_units, lows, highs))
            if plan.x.resident:
                needed["x"] = [None if plan.held(low) else need for low, need in zip(firsts, needed["x"])]
        if "r" in plan.slots:
            needed["r"] = [((s, c), 0, 1) if last else None for s, c, last in zip(spots, channels, lasts)]
        return needed

    def run(self) -> None:
        self.begin()
        self.advance(len(self.plan.steps))

    def begin(self) -> None:
        """Constants that come before any activations: while the layer before still works."""
        for first in range(min(self.plan.choices.early, len(self.plan.steps))):
            if not self.fetch(first, 0, _CONSTANT):
                break

    def make(self, spot: int, channel: int) -> None:
        """Everything up to the end of a tile."""
        if (spot, channel) not in self.ends:
            self.ends = {(step.spot, step.channel): k + 1 for k, step in enumerate(self.plan.steps)}
        self.advance(self.ends[spot, channel])

    def advance(self, until: int) -> None:
        """The steps before ``until``, and what later ones need, as far as there is room."""
        plan, steps = self.plan, self.plan.steps
        for now in range(self.step, until):
            step = steps[now]
            while self.fetched <= now:
                self.fetch(self.fetched, now)
                self.fetched += 1
                self.before.append(self.before[-1])
            if now == 0 and plan.y.on_chip and plan.layer.finishes:
                surround(self.out, plan.y, plan.graph.tensors[plan.layer.y].zero_point & 255)
            if plan.layer.products:
                self.sum(step, now)
            self.step = now + 1
            if step.last and plan.layer.finishes:
                self.finish(step, now)
            self.fetch_ahead(now)

    def fetch_ahead(self, now: int) -> None:
        """What steps after ``now`` need."""
        # Transfers beyond those of the next step wait in their engine's queue; with more of them than it holds,
        # dispatch would stop in front of the next step itself.
        before, room = self.before, self.machine.graph.sequencer.queue_depth - _KINDS
        last = min(len(self.plan.steps), now + 1 + self.plan.choices.ahead)
        while self.fetched < last and before[self.fetched] - before[min(now + 2, self.fetched)] <= room:
            length = len(self.out)
            if not self.fetch(self.fetched, now):
                break
            self.fetched += 1
            before.append(before[-1] + len(self.out) - length)

    def fetch(self, wanted: int, now: int, kinds: tuple[str, ...] = tuple(CONTENTS)) -> bool:
        """Brings in what step ``wanted`` needs of these kinds; False if some of it has no room yet."""
        for what, needed in self.needed.items():
            if needed[wanted] is None or what not in kinds:
                continue
            slots, (unit, low, high) = self.slots[what], needed[wanted]
            if what == "x" and self.made is not None and not self.made.room(unit, low, self.step):
                return False
            if unit not in slots.place and not slots.claim(unit, wanted, now):
                if wanted == now:
                    raise TooSmall(f"buffer {slots.memory} too small for {CONTENTS[what]} beside what it holds")
                return False
            for a, b in slots.missing(unit, low, high):
                getattr(self, f"fetch_{what}")(self.plan.steps[wanted], unit, a, b)
        return True

    def stored(self, kind: str, channel: int) -> int:
        """Offset of a channel tile's weights or constants in the constant segment."""
        key = kind, channel
        if key not in self.constants:
            make = functools.partial(self.plan.weights if kind == "weights" else self.plan.constants, channel)
            known, way = self.plan.kernel.packings, (kind, *self.plan.packing(channel))
            if way not in known:
                known[way] = digest_of(make())
            self.constants[key] = self.out.constants.place(known[way], make)
        return self.constants[key]

    def fetch_bias(self, step: Step, unit, low: int, high: int) -> None:
        plan = self.plan
        for channel in range(low, high):
            size = 4 * plan.constant_words * plan.channel_tiles[channel][1]
            near = self.slots["bias"].base(unit) + self.constant_offsets[channel][0]
            self.out.load_run(size, (self.out.fixed, self.stored("constants", channel)),
                          (self.slots["bias"].memory, near), ("constants of channel tile %d", channel))

    def fetch_w(self, step: Step, unit, low: int, high: int) -> None:
        plan = self.plan
        size = self.w_block_bytes[step.channel]
        if plan.weight_home is not None:
            self.fetch_w_tensor(step, low, high, self.slots["w"].base(unit) + (low - plan.w_low(unit)) * size)
            return
        far = self.stored("weights", step.channel) + (low - plan.span(step.channel)[0]) * size
        near = self.slots["w"].base(unit) + (low - plan.w_low(unit)) * size
        self.out.load_run((high - low) * size, (self.out.fixed, far), (self.slots["w"].memory, near),
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
            step_far = home.strides[4]
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
        step_far = home.strides[4] if home.block else plan.granule
        ragged = int(high * plan.granule > home.shape[3])  # some of the last block's lanes hold no weight
        tile, words = lanes_out * lanes_out, plan.granule // lanes_in
        walks = [Walk(high - low, step_far, plan.w_block_bytes(step.channel), x=ragged * plan.granule),
                 Walk(extent // lanes_out, lanes_out * row, words * tile, y=lanes_out), Walk(words, lanes_in, tile, x=ragged * lanes_in),
                 Walk(lanes_out, row, lanes_out, y=1), Walk(lanes_in, 1, 1, x=ragged)]
        rows = (first, home.shape[2]) if first + extent > home.shape[2] else None
        if rows is None:
            walks = [walk._replace(y=0) for walk in walks]
        self.out.load(walks, (home.segment, home.offset + low * step_far + first * row), (self.slots["w"].memory, near),
                      ("second operand by columns, channel tile %d, blocks %d..%d", step.channel, low, high - 1),
                      fill=int(plan.kernel.zw[0]) & 255, rows=rows, columns=(low * plan.granule, home.shape[3]) if ragged else None)

    def fetch_x(self, step: Step, unit, low: int, high: int) -> None:
        plan = self.plan
        if self.made is not None:
            for tile in range(low, high):
                self.made.make(unit, tile)
            return
        spot, home, tile = plan.spots[step.spot], plan.x, plan.x_layout(unit)
        near = self.slots["x"].base(unit)
        note = "activations of tile %d", step.spot
        if not (plan.windows and not home.block):
            near += self.chunk(tile, low - plan.x_blocks(unit)[0])
            note = "activations of tile %d, blocks %d..%d", step.spot, low, high - 1
        walks = (lambda _home, _box, tile: self.window_walks(spot, tile, high - low)) if plan.windows else box_walks
        self.boxes.load(home, plan.x_box(spot, low, high - low), tile, (self.slots["x"].memory, near), note, fill=plan.fill,
                        walks=walks)

    def chunk(self, tile: Layout, block: int) -> int:
        """The offset of a block of channels in a tile of activations."""
        return tile.offset(c=block * self.plan.granule) if block else 0

    def window_walks(self, spot: Spot, tile: Layout, count: int) -> BoxWalks:
        """Loops that gather, for each output, what it reads: kernel rows, kernel columns and channels side by side."""
        plan, home, k = self.plan, self.plan.x, self.plan.kernel
        (sh, sw), (dh, dw), (top, left, bottom, right) = k.strides, k.dilations, k.pads
        (_, n), (h0, h), (w0, w) = spot
        near = {a.dim: a.stride for a in tile.axes if a.dim != "c"}
        image, row, pixel, _, block = home.strides
        channels = home.shape[3]
        y, x = int(top + bottom > 0), int(left + right > 0)
        walks = [Walk(n, image, near["n"])]
        if home.block:
            walks.append(Walk(count, block, tile.digits("c")[1].stride))
            channels = home.block
        walks += [Walk(h, row * sh, near["h"], y=y * sh), Walk(w, pixel * sw, near["w"], x=x * pixel * sw),
                  Walk(plan.kh, row * dh, plan.kw * channels, y=y * dh), Walk(plan.kw, pixel * dw, channels, x=x * pixel * dw),
                  Walk(channels, 1, 1, x=x)]
        rows = (h0 * sh - top, home.shape[1]) if y else None
        columns = ((w0 * sw - left) * pixel, home.shape[2] * pixel) if x else None
        return walks, rows, columns

    def fetch_r(self, step: Step, unit, low: int, high: int) -> None:
        plan, spot = self.plan, self.plan.spots[step.spot]
        tile = plan.y_layout(plan.residual, spot, step.channel)
        self.boxes.load(plan.residual, plan.y_box(spot, step.channel), tile, (self.slots["r"].memory, self.slots["r"].base(unit)),
                        ("residual operand of tile %d, channel tile %d", step.spot, step.channel))

    def constant_tiles(self, channel: int) -> dict[str, Tile]:
        """Biases, zero-points and scales of a channel tile."""
        plan = self.plan
        if not plan.constant_words:
            return {}
        tile = Tile(self.slots["bias"].memory, dense([("oc", plan.channel_tiles[channel][1], 1)], 4))
        return {name: tile for name in ["bias"] + ["zero"] * plan.zero_per_channel + ["scale"] * plan.scale_per_channel}

    def constant_bases(self, channel: int, now: int) -> list[int]:
        """Where each of them begins, when step ``now`` uses them."""
        if not self.plan.constant_words:
            return []
        slots, (unit, _, _) = self.slots["bias"], self.needed["bias"][now]
        base = slots.touch(unit, now)
        return [base + offset for offset in self.constant_offsets[channel]]

    def sum(self, step: Step, now: int) -> None:
        """Adds one chunk of products to a tile's sums."""
        plan = self.plan
        tile_unit = step.spot, step.channel
        if "acc" in self.slots:
            if not self.slots["acc"].claim(tile_unit, now, now):
                raise TooSmall(f"buffer {self.slots['acc'].memory} too small for {CONTENTS['acc']} beside what it holds")
            self.slots["acc"].touch(tile_unit, now)
        memory, layout, x_base = self.operand(step, now)
        bases, w_count = [*self.constant_bases(step.channel, now), x_base, self.totals(step)], 0
        if plan.weighted:
            w_unit, _, _ = self.needed["w"][now]
            blocks = step.low - plan.w_low(w_unit)
            w_count = min(plan.choices.chunk_w, plan.span(step.channel)[1] - step.low + blocks)
            bases.append(self.slots["w"].touch(w_unit, now) + blocks * self.w_block_bytes[step.channel])
        begins = step.first and plan.layer.begins
        key = begins, plan.extents[step.spot], plan.channel_tiles[step.channel][1], step.high - step.low, w_count, id(layout)
        if key not in self.forms:
            tiles = self.constant_tiles(step.channel) | {"x": Tile(memory, layout), "acc": self.totals_tile(step)}
            if plan.weighted:
                tiles["w"] = Tile(self.slots["w"].memory, plan.w_layout(step.channel, w_count))
            extents = dict(zip(("n", "oh", "ow"), plan.extents[step.spot])) | plan.product_extents(step)
            self.forms[key] = self.out.form(self.products, plan.statements[0 if begins else 1], tiles, extents, self.attributes)
        self.out.append(self.forms[key], bases, ("tile %d, channel tile %d, blocks %d..%d", *tile_unit, step.low, step.high - 1))

    def operand(self, step: Step, now: int) -> tuple[str, Layout, int]:
        """The activations of a step, a tile that was fetched or a tensor that stays on chip: memory, layout there, and where its box
        begins."""
        plan = self.plan
        if self.needed["x"][now] is not None:
            slots, (unit, _, _) = self.slots["x"], self.needed["x"][now]
            tile = plan.x_layout(unit)
            begin = tile.offset(h=plan.ring.start(step.spot)) if plan.ring else 0
            return slots.memory, tile, slots.touch(unit, now) + begin + self.chunk(tile, step.low - plan.x_blocks(unit)[0])
        home, first = plan.held(step.low)
        box = plan.x_box(plan.spots[step.spot], step.low - first, step.high - step.low)
        return home.segment, home.layout, home.offset + home.layout.offset(n=box.n[0], h=box.h[0], w=box.w[0], c=box.c[0])

    def totals_tile(self, step: Step) -> Tile:
        """The sums of a step's tile."""
        plan = self.plan
        if plan.sums is None:
            return Tile(self.slots["acc"].memory, plan.acc_layout(plan.spots[step.spot], step.channel))
        return Tile(plan.sums.segment, plan.sums.layout)

    def totals(self, step: Step) -> int:
        """Where they begin."""
        if self.plan.sums is None:
            return self.slots["acc"].base((step.spot, step.channel))
        return self.corner(self.plan.sums, step)

    def corner(self, home: Home, step: Step) -> int:
        """Where a step's tile of a tensor that stays on chip begins."""
        n, h, w = self.plan.spots[step.spot]
        return home.offset + home.layout.offset(n=n[0], h=h[0], w=w[0], c=self.plan.channel_tiles[step.channel][0])

    def finish(self, step: Step, now: int) -> None:
        """Turns a tile's sums into results and stores them."""
        plan, unit = self.plan, (step.spot, step.channel)
        constants = self.constant_bases(step.channel, now)
        if self.sink is not None:
            for piece in self.sink.made.pieces(*unit):
                self.finish_rows(step, constants, piece.first, piece.rows, {"y": (piece.tile, piece.base)})
            return
        places, slots = {}, self.slots
        for what, home in self.others:
            if what in slots:
                slots[what].claim(unit, now, now)
                layout = plan.y_layout(home, plan.spots[step.spot], step.channel)
                places[what] = Tile(slots[what].memory, layout), slots[what].touch(unit, now)
            else:
                places[what] = Tile(home.segment, home.layout), self.corner(home, step)
        self.finish_rows(step, constants, 0, plan.extents[step.spot][1], places)
        if not plan.y.on_chip:
            near, layout = (slots["y"].memory, slots["y"].base(unit)), places["y"][0].layout
            self.boxes.store(plan.y, plan.y_box(plan.spots[step.spot], step.channel), layout, near, ("tile %d, channel tile %d", *unit))

    def finish_rows(self, step: Step, constants: list[int], first: int, rows: int, places: dict[str, tuple[Tile, int]]) -> None:
        """Some rows of a tile's sums. ``places``: of results and residual operand."""
        totals, (n, _, w), oc = self.totals_tile(step), self.plan.extents[step.spot], self.plan.channel_tiles[step.channel][1]
        bases = [*constants, self.totals(step) + (totals.layout.offset(h=first) if first else 0), *(base for _, base in places.values())]
        if self.table is not None:
            bases.append(self.table)
        key = (n, rows, w, oc, totals, *(tile for tile, _ in places.values()))
        if key not in self.forms:
            tiles = self.constant_tiles(step.channel) | {"acc": totals} | {what: tile for what, (tile, _) in places.items()}
            if self.table is not None:
                tiles["table"] = Tile(self.machine.memory("table"), dense([("i", 256, 1)]))
            self.forms[key] = self.out.form(self.codelet, "finish", tiles, {"n": n, "oh": rows, "ow": w, "oc": oc}, self.attributes)
        self.out.append(self.forms[key], bases, ("tile %d, channel tile %d", step.spot, step.channel))
