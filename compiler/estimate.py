"""Closed-form estimates of every point of a layer's space at once, to tell which few are worth lowering.

All sizes are arrays over the space. What matters is which data have to be fetched how often: a buffer of S slots that
is swept R times over U units misses U + (R - 1) (U - S + 1) of them, or just U if they fit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from collections.abc import Mapping as Mapped
from dataclasses import dataclass

import numpy as np

from tenon.compiler.home import Home
from tenon.compiler.ir import Conv, Graph, Pool
from tenon.compiler.layer import Layer
from tenon.compiler.lower.chain import ChainChoices, chain_plans
from tenon.compiler.lower.conv_plan import MANY
from tenon.compiler.lower.depthwise_plan import is_depthwise
from tenon.compiler.lower.rows_plan import RowsChoices, RowsPlan
from tenon.compiler.machine import Machine
from tenon.compiler.mapping import Mapping
from tenon.compiler.move import Move
from tenon.compiler.placement import TooSmall
from tenon.compiler.product import Matrices
from tenon.compiler.rows import Rows
from tenon.compiler.space import Space

__all__ = ["UNESTIMATED", "estimated", "ranked"]

_OVERLAPPED = 0.02  # what a beat costs that nobody waits for: it may come in the way of one that somebody does
_ISSUED = 0.08  # likewise of a cycle of dispatch; small programs are also quicker to write, check and simulate
#: Choices that are not estimated, and what they are first: but for "ramp", a small first chunk where chunks lie apart in memory.
UNESTIMATED = {"ramp": 0, "ahead": 8, "early": 1, "slots_x": MANY, "slots_w": MANY, "slots_acc": 2, "slots_y": 4, "begin": "turn"}
_START_CYCLES = 250  # fetch, dispatch, and a transfer's latency
_TAIL_CYCLES = 150  # pipelines to the last store's answer
_FEW = 400_000  # points of the mesh; of larger spaces every other option is left out


def ranked(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], space: Space) -> Iterator[Mapping]:
    """Mappings that should fit, the most promising first; neighbours that hardly differ are held back."""
    if isinstance(layer.main, Matrices):
        layer, homes, _ = next(layer.main.matrices(graph, layer, homes))
    options = {c.name: list(c.options) for c in space.choices}
    fixed = {name: options.pop(name) for name in UNESTIMATED if name in options}
    while math.prod(map(len, options.values())) > _FEW:
        longest = max(options, key=lambda n: len(options[n]))
        options[longest] = options[longest][::-1][::2][::-1]  # the largest stays
    axes = np.ix_(*(np.arange(len(v)) for v in options.values()))
    point = {name: np.asarray(values)[index] for (name, values), index in zip(options.items(), axes)}
    shape = tuple(len(v) for v in options.values())
    cycles = np.broadcast_to(_cycles(machine, graph, layer, homes, point), shape).ravel()
    order = np.argsort(cycles, kind="stable")
    order = order[:np.searchsorted(cycles[order], np.inf)]

    seen: set[tuple] = set()
    later: list[dict] = []
    for digits in zip(*(axis.tolist() for axis in np.unravel_index(order, shape))):
        picked = {name: values[digit] for (name, values), digit in zip(options.items(), digits)}
        kind = tuple(picked[n] for n in ("tile_c", "order", "stage", "depth", "windows") if n in picked)
        if kind in seen:
            if len(later) < 1000:
                later.append(picked)
            continue
        seen.add(kind)
        yield _completed(layer, homes, space, picked, fixed)
    for picked in later:
        yield _completed(layer, homes, space, picked, fixed)


def estimated(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], choices: Mapped[str, np.ndarray]) -> np.ndarray:
    """Cycles of mappings, of each of which ``choices`` has the options in columns; infinity for those that do not fit."""
    if isinstance(layer.main, Matrices):
        layer, homes, _ = next(layer.main.matrices(graph, layer, homes))
    return _cycles(machine, graph, layer, homes, choices)


def _cycles(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], point: dict[str, np.ndarray]) -> np.ndarray:
    """By the kind of the layer's kernel."""
    if layer.before:
        return _chain(machine, graph, layer, homes, point)
    windowed = isinstance(layer.main, Conv) and is_depthwise(machine, layer.main)
    kinds = ((Conv, _depthwise if windowed else _conv), (Rows, _rows), (Move, _move))
    estimate = next((e for kind, e in kinds if isinstance(layer.main, kind)), _pass)
    return estimate(machine, graph, layer, homes, point)


def _completed(layer: Layer, homes: dict[str, Home], space: Space, picked: dict, fixed: dict) -> Mapping:
    """With the choices that are not estimated."""
    if fixed and layer.before:
        picked = picked | {name: value for name, value in UNESTIMATED.items() if name in fixed}
    elif fixed:
        apart = homes[layer.main.x].block > 0
        picked = picked | UNESTIMATED | {"ramp": int(apart and picked.get("stage") == "box")}
    return Mapping({c.name: picked[c.name] for c in space.choices})


@dataclass
class _Traffic:
    """Bus beats, and the instructions that it takes to move them."""

    beats: np.ndarray | float = 0.0
    instructions: np.ndarray | float = 0.0

    def add(self, units, runs, run_bytes, bus: int) -> None:
        """``units`` transfers of ``runs`` runs each. Short runs wait for answers more often."""
        beats = np.ceil(run_bytes / bus)
        self.beats = self.beats + units * runs * np.where(beats < 2, 1.3, beats)
        self.instructions = self.instructions + units


def _share_in_dram(home: Home) -> float:
    """How much of a tensor has to be fetched or stored."""
    if not home.pieces:
        return float(not home.on_chip)
    ends = [*(first for first, _ in home.pieces[1:]), home.shape[3]]
    return sum(end - first for (first, piece), end in zip(home.pieces, ends) if not piece.on_chip) / home.shape[3]


def _misses(units, slots, sweeps):
    return units + (sweeps - 1) * np.where(units <= slots, 0, units - slots + 1)


def _up(a, b):
    return -(-a // b)


def _word_cycles(machine: Machine) -> float:
    """Cycles of one word of results in the vector chain."""
    route, graph = machine.epilogue, machine.graph
    memory = graph.memory(route.memory["acc"])
    rates = [e.bytes_per_cycle for e in graph.edges if (e.src, e.dst) == (memory.name, route.mnemonic.unit)]
    return memory.word_bytes / max(rates) if rates else 1.0


def _conv(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], p: dict[str, np.ndarray]) -> np.ndarray:
    k: Conv = layer.main
    covenant = machine.graph
    x, y = homes[k.x], homes[layer.writes]
    n, h, w, c = y.shape
    block, lanes, bus = machine.block, machine.reduction_lanes, covenant.bus_bytes
    kh, kw, group_in, _ = k.weight.shape
    (sh, sw), (dh, dw) = k.strides, k.dilations
    blocks_out, words = math.ceil(c / block), block // machine.channel_lanes
    channels = x.shape[3]

    windows = p["stage"] == "windows"
    packed = windows & (x.block == 0)
    flat = math.ceil(kh * kw * channels / lanes) * lanes
    granule = np.where(packed, flat, min(block, math.ceil(channels / lanes) * lanes))
    blocks = np.where(packed, 1, math.ceil(channels / block))
    taps = np.where(packed, 1, kh * kw)
    spots = _up(n, p["tile_n"]) * _up(h, p["tile_h"]) * _up(w, p["tile_w"])
    tiles_c = _up(blocks_out, p["tile_c"])
    vectors = p["tile_n"] * p["tile_h"] * p["tile_w"]
    span = blocks
    if k.group > 1:
        span = np.minimum(blocks, _up(p["tile_c"] * block * group_in * k.group, c * granule) + (group_in % block != 0))
    words_c = np.minimum(p["tile_c"], blocks_out) * words
    products = tiles_c * words_c * span * granule // lanes * taps * np.maximum(n * h * w, spots * lanes)

    rows = np.where(windows, p["tile_h"], (p["tile_h"] - 1) * sh + (kh - 1) * dh + 1)
    columns = np.where(windows, p["tile_w"], (p["tile_w"] - 1) * sw + (kw - 1) * dw + 1)
    chunk_x, chunk_w = np.minimum(p["chunk_x"], blocks), np.minimum(p["chunk_w"], span)
    stored = np.where(packed, granule, max(block, 1) if x.block else granule)
    x_bytes = p["tile_n"] * rows * columns * chunk_x * stored
    w_block = p["tile_c"] * block * taps * granule
    w_bytes = chunk_w * w_block
    room = {what: machine.size(machine.memory(what)) for what in ("x", "w", "acc", "y")}
    x_share, y_share = _share_in_dram(x) * layer.products, _share_in_dram(y) * layer.finishes
    r_share = _share_in_dram(homes[layer.residual]) if layer.add else 0
    x_slots, w_slots = room["x"] // x_bytes if x_share else np.full(x_bytes.shape, 2), room["w"] // w_bytes
    x_slots, w_slots = np.minimum(x_slots, p.get("slots_x", MANY)), np.minimum(w_slots, p.get("slots_w", MANY))
    acc_bytes = vectors * words_c * 4 * machine.channel_lanes
    y_bytes = vectors * p["tile_c"] * block
    fits = (x_slots >= 1) & (w_slots >= 1) & ((acc_bytes <= room["acc"]) | bool(layer.sums))
    products = products * layer.products
    fits &= y_bytes * np.ceil(y_share) <= room["y"] // (2 if r_share else 1)

    x_units, w_units = _up(span, chunk_x), _up(span, chunk_w)
    spatial = p["order"] == "spatial"
    x_loads = np.where(spatial, spots * _misses(x_units, x_slots, tiles_c), _misses(spots * x_units, x_slots, tiles_c))
    w_loads = np.where(spatial, _misses(tiles_c * w_units, w_slots, spots), tiles_c * _misses(w_units, w_slots, spots))
    if x.block:
        x_runs = np.where(windows, p["tile_n"] * chunk_x * rows * columns, p["tile_n"] * chunk_x * rows)
    else:
        x_runs = p["tile_n"] * rows * columns * np.where(packed, kh, 1)
        whole = ~packed & (chunk_x >= blocks) & (channels % lanes == 0)  # rows of pixels without gaps
        x_runs = np.where(whole, p["tile_n"] * rows, x_runs)
    traffic = _Traffic()
    x_run = np.where(packed, kw * channels, x_bytes / np.maximum(x_runs, 1))
    traffic.add(x_loads * x_share, x_runs, x_run, bus)
    traffic.add(w_loads * layer.products, 1, w_bytes, bus)
    tiles = spots * tiles_c
    y_runs, y_run = (1, y_bytes) if y.block else (vectors, np.minimum(p["tile_c"] * block, c))
    traffic.add(tiles * (y_share + r_share), y_runs, y_run, bus)
    steps = tiles * np.maximum(_up(span, chunk_x), _up(span, chunk_w))
    issue = (steps + tiles + traffic.instructions) * covenant.sequencer.issue_cycles
    vector = n * h * w * blocks_out * words * _word_cycles(machine) * layer.finishes

    tile_vector, tile_store = vectors * words_c * _word_cycles(machine), y_share * y_bytes / bus
    x_first = x_share * x_bytes / bus
    first = np.where(packed | (x.block == 0), x_first + w_block * chunk_x / bus, x_first / chunk_x + w_block / bus)
    alone = (np.where(2 * acc_bytes > room["acc"], vector, 0) + np.where((x_slots < 2) & (x_loads > 1), x_loads * x_bytes / bus, 0)
             + np.where((w_slots < 2) & (w_loads > 1), w_loads * w_bytes / bus, 0))
    total = np.maximum(np.maximum(products, vector), np.maximum(traffic.beats, issue)) + alone
    total = total + _OVERLAPPED * traffic.beats + _ISSUED * issue + first + tile_vector + tile_store + _START_CYCLES + _TAIL_CYCLES
    return np.where(fits, total, np.inf)


def _depthwise(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], p: dict[str, np.ndarray]) -> np.ndarray:
    k: Conv = layer.main
    covenant = machine.graph
    y = homes[layer.writes]
    n, h, w, c = y.shape
    block, bus = machine.block, covenant.bus_bytes
    (kh, kw), (sh, sw), (dh, dw) = k.weight.shape[:2], k.strides, k.dilations
    blocks = math.ceil(c / block)
    spots = _up(n, p["tile_n"]) * _up(h, p["tile_h"]) * _up(w, p["tile_w"])
    tiles = spots * _up(blocks, p["tile_c"])
    rows, columns = (p["tile_h"] - 1) * sh + (kh - 1) * dh + 1, (p["tile_w"] - 1) * sw + (kw - 1) * dw + 1
    channels, vectors = p["tile_c"] * block, p["tile_n"] * p["tile_h"] * p["tile_w"]
    x_bytes, y_bytes = p["tile_n"] * rows * columns * channels, vectors * channels
    room = {what: machine.size(machine.memory(what)) for what in ("x", "acc", "y")}
    x_share, y_share = _share_in_dram(homes[k.x]), _share_in_dram(y)
    r_share = _share_in_dram(homes[layer.residual]) if layer.add else 0
    # Twice each: one tile is worked on while the next one comes and the last one leaves.
    fits = (2 * x_bytes * math.ceil(x_share) <= room["x"]) & (2 * 4 * y_bytes <= room["acc"])
    fits &= 2 * math.ceil(y_share + r_share) * y_bytes <= room["y"]
    words = channels // machine.window_lanes
    sums = tiles * p["tile_n"] * p["tile_h"] * words * kh * columns / (1 if dw == 1 and sw <= kw else 1 / kw)
    traffic = _Traffic()
    traffic.add(tiles * x_share, p["tile_n"] * p["tile_c"] * rows, x_bytes / (p["tile_n"] * p["tile_c"] * rows), bus)
    traffic.add(tiles * (y_share + r_share), p["tile_n"] * p["tile_c"], y_bytes / (p["tile_n"] * p["tile_c"]), bus)
    traffic.add(tiles, 1, kh * kw * channels, bus)
    vector = n * h * w * blocks * (block // machine.channel_lanes) * _word_cycles(machine)
    issue = (traffic.instructions + 2 * tiles) * covenant.sequencer.issue_cycles
    edges = (x_share * x_bytes + y_share * y_bytes) / bus + vectors * words * kh
    total = np.maximum(np.maximum(sums, vector), np.maximum(traffic.beats, issue)) + edges
    return np.where(fits, total + _OVERLAPPED * traffic.beats + _ISSUED * issue + _START_CYCLES + _TAIL_CYCLES, np.inf)


def _chain(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], p: dict[str, np.ndarray]) -> np.ndarray:
    """Few tiles are quick to dispatch, many soon begun and ended; sums are finished while others are made, if there is room for both."""
    shape = np.broadcast_shapes(*(v.shape for v in p.values()))
    cycles = []
    for values in zip(*(np.broadcast_to(v, shape).ravel().tolist() for v in p.values())):
        choices = ChainChoices(**dict(zip(p, values)))
        try:
            plans = chain_plans(machine, graph, layer.chain, homes, choices)
        except TooSmall:
            cycles.append(np.inf)
            continue
        steps = sum(len(plan.steps) for plan in plans)
        tile = choices.tile_h * choices.tile_w * choices.chunk * machine.block
        single = [plan for plan in plans if len(plan.slots["acc"][1]) == 1 and len(plan.tiles) > 1]
        alone = sum(math.prod(plan.y.shape) // machine.channel_lanes * _word_cycles(machine) for plan in single)
        cycles.append(3 * steps * machine.graph.sequencer.issue_cycles + tile + 2 * alone)
    return np.reshape(cycles, shape)


def _rows(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], p: dict[str, np.ndarray]) -> np.ndarray:
    """The larger the pieces the better, and two of them at a time better still."""
    shape = np.broadcast_shapes(*(v.shape for v in p.values()))
    points = [np.broadcast_to(v, shape).ravel().tolist() for v in p.values()]
    choices = [RowsChoices(**dict(zip(p, values))) for values in zip(*points)]
    cycles = [c.pieces / (c.tile_c * c.runs * c.depth) if RowsPlan(machine, graph, layer, homes, c).fits else np.inf for c in choices]
    return np.reshape(cycles, shape)


def _move(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], p: dict[str, np.ndarray]) -> np.ndarray:
    """Nothing is known before it is lowered."""
    return np.zeros(p["slots"].shape)


def _pass(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], p: dict[str, np.ndarray]) -> np.ndarray:
    k, covenant = layer.main, machine.graph
    y = homes[layer.writes]
    n, h, w, c = y.shape
    block, bus = machine.block, covenant.bus_bytes
    kernel, strides, dilations = (1, 1), (1, 1), (1, 1)
    if isinstance(k, Pool):
        kernel = homes[k.x].shape[1:3] if k.kind == "global" else k.kernel
        strides, dilations = k.strides, k.dilations
    rows = (p["tile_h"] - 1) * strides[0] + (kernel[0] - 1) * dilations[0] + 1
    columns = (p["tile_w"] - 1) * strides[1] + (kernel[1] - 1) * dilations[1] + 1
    tiles = _up(n, p["tile_n"]) * _up(h, p["tile_h"]) * _up(w, p["tile_w"]) * _up(math.ceil(c / block), p["tile_c"])
    x_bytes = p["tile_n"] * rows * columns * p["tile_c"] * block
    y_bytes = p["tile_n"] * p["tile_h"] * p["tile_w"] * p["tile_c"] * block
    slide = p["windows"] == "slide"
    sources = sum(x_bytes * math.ceil(_share_in_dram(homes[i])) for i in k.inputs)
    room = {what: machine.size(memory) for what, memory in (("pass", machine.elementwise.memory["a"]), ("x", machine.memory("x")),
                                                            ("acc", machine.memory("acc")))}
    fits = p["depth"] * (np.where(slide, 0, sources) + y_bytes * math.ceil(_share_in_dram(y))) <= room["pass"]
    fits &= ~slide | ((p["depth"] * sources <= room["x"]) & (p["depth"] * 4 * y_bytes <= room["acc"]))
    traffic = _Traffic()
    for home, size, pixels in (*((homes[i], x_bytes, rows * columns) for i in k.inputs),
                               (y, y_bytes, p["tile_h"] * p["tile_w"])):
        runs = p["tile_n"] * p["tile_c"] * (rows if home.block else pixels)
        traffic.add(tiles * _share_in_dram(home), runs, size / runs, bus)
    words = n * h * w * math.ceil(c / block) * (block // machine.channel_lanes)
    # Sums of a window interleave few outputs: a row that does not split well is slow.
    vector = words * np.where(slide, 1, kernel[0] * kernel[1]) * _word_cycles(machine)
    wide = kernel[1] + (p["tile_w"] - 1) * (min(strides[1], kernel[1]) if dilations[1] == 1 else kernel[1])  # words read of a row
    lanes = machine.window_lanes if machine.windows else block
    gather = slide * tiles * p["tile_n"] * p["tile_h"] * p["tile_c"] * (block // lanes) * kernel[0] * wide
    issue = (traffic.instructions + tiles) * covenant.sequencer.issue_cycles
    tile = (x_bytes * len(k.inputs) + y_bytes) / bus + (vector + gather) / tiles
    total = np.maximum(np.maximum(traffic.beats, np.maximum(vector, gather)), issue)
    total = total + _OVERLAPPED * traffic.beats + _ISSUED * issue + tile + np.where(p["depth"] == 1, traffic.beats + vector + gather, 0)
    total = total + _START_CYCLES + _TAIL_CYCLES
    return np.where(fits, total, np.inf)
