"""Which tensors stay on chip from the layer that makes them to the last one that reads them, and where.

The top of a memory is set aside; the rest is left to the tiles of layers. What saves the most traffic for the room that
it takes, and while it takes it, comes first.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tenon.compiler.home import Home
from tenon.compiler.ir import Add, Conv, Graph, Lookup, Pool
from tenon.compiler.layer import Layer
from tenon.compiler.layout import Axis, Layout, dense
from tenon.compiler.lower.depthwise_plan import is_depthwise
from tenon.compiler.machine import Machine
from tenon.compiler.pair import Largest, Multiply
from tenon.compiler.parts import sums_bytes

__all__ = ["Residence", "may_stay", "residents", "room_of"]

_PASSES = (Add, Largest, Lookup, Multiply, Pool)


@dataclass(frozen=True)
class Residence:
    """Homes on chip by tensor; for each layer, the bytes at the top of each memory that it must leave alone; and sums for
    which there is no room."""

    homes: Mapping[str, Home]
    reserved: Sequence[Mapping[str, int]]
    homeless: frozenset[str] = frozenset()


def room_of(machine: Machine) -> dict[str, int]:
    """What may stay in each memory: three quarters of what convolutions read and sum in, a half of what passes read."""
    shares = {machine.memory("x"): 3 / 4, machine.memory("acc"): 3 / 4, machine.elementwise.memory["a"]: 1 / 2}
    return {m: int(machine.graph.memory_bytes[m] * share) // machine.alignment * machine.alignment for m, share in shares.items()}


@dataclass(frozen=True)
class _Candidate:
    """A tensor that may stay: where, how much room it takes, from which layer to which, and the traffic saved."""

    name: str
    memory: str
    margin: tuple[int, int, int, int]
    bytes: int
    first: int
    last: int
    saved: int
    of: str = ""  # whose sums they are


def residents(machine: Machine, graph: Graph, layers: Sequence[Layer], parts: Mapping[str, Sequence[tuple[int, str]]],
              room: Mapping[str, int], leave: Collection[str] = ()) -> Residence:
    """What stays within ``room`` bytes of each memory, without tensors in ``leave``.

    Parameters
    ----------
    parts :
        Tensors that consist of others (``compiler.fold``).
    """
    sums = _sums(machine, graph, layers)
    candidates = [c for c in _candidates(machine, graph, layers, parts) if c.memory in room and c.name not in leave]
    packings = [_packed([*sums, *sorted(candidates, key=key)], room) for key in _PREFERENCES]
    placed = max(packings, key=lambda packing: sum(c.saved for c, _ in packing))
    homes = {}
    for c, at in placed:
        base = machine.graph.memory_bytes[c.memory] - at - c.bytes
        homes[c.name] = _sums_home(machine, graph, c, base) if c.of else _home(machine, graph, c, base)
    reserved = [{memory: max((at + c.bytes for c, at in placed if c.memory == memory and c.first <= number <= c.last), default=0)
                 for memory in room} for number in range(len(layers))]
    return Residence(homes, reserved, frozenset(c.name for c in sums) - homes.keys())


def may_stay(machine: Machine, graph: Graph, layers: Sequence[Layer], parts: Mapping[str, Sequence[tuple[int, str]]]) -> list[str]:
    """Tensors all of whose readers want them in one memory."""
    return [c.name for c in _candidates(machine, graph, layers, parts)]


#: Orders in which tensors may be given room: by the traffic that they save for bytes and time, for bytes, and in all.
_PREFERENCES = (lambda c: (-c.saved / (c.bytes * (c.last - c.first + 1)), c.first), lambda c: (-c.saved / c.bytes, c.last - c.first),
                lambda c: (-c.saved, c.first))


def _packed(candidates: Sequence[_Candidate], room: Mapping[str, int]) -> list[tuple[_Candidate, int]]:
    """Those that find room, one after the other, and at how many bytes from the top."""
    placed: list[tuple[_Candidate, int]] = []
    for c in candidates:
        near = sorted((at, at + other.bytes) for other, at in placed
                      if other.memory == c.memory and other.first <= c.last and c.first <= other.last)
        at = 0
        for low, high in near:
            if at + c.bytes <= low:
                break
            at = max(at, high)
        if at + c.bytes <= room[c.memory]:
            placed.append((c, at))
    return placed


def _sums(machine: Machine, graph: Graph, layers: Sequence[Layer]) -> list[_Candidate]:
    """Sums that several layers add to, the largest first: they must stay."""
    found = []
    for name in dict.fromkeys(layer.sums for layer in layers if layer.sums):
        users = [number for number, layer in enumerate(layers) if layer.sums == name]
        layer = layers[users[0]]
        size = math.ceil(sums_bytes(machine, graph, layer) / machine.alignment) * machine.alignment
        found.append(_Candidate(name, machine.memory("acc"), (0, 0, 0, 0), size, users[0], users[-1], 0, of=layer.main.y))
    return sorted(found, key=lambda c: -c.bytes)


def _candidates(machine: Machine, graph: Graph, layers: Sequence[Layer], parts) -> list[_Candidate]:
    whole: dict[str, list[str]] = {}  # what each tensor is part of
    for name, pieces in parts.items():
        for _, piece in pieces:
            whole.setdefault(piece, []).append(name)
    reads: dict[str, list[int]] = {}
    for number, layer in enumerate(layers):
        for name in layer.inputs:
            reads.setdefault(name, []).append(number)
    maker = {layer.y: number for number, layer in enumerate(layers) if layer.finishes}
    found = []
    for name, first in maker.items():
        names = (name, *whole.get(name, ()))
        readers = [(n, number) for n in names for number in reads.get(n, ())]
        if name in graph.outputs or not readers or any(n in graph.outputs for n in names) or not _writes(layers[first]):
            continue
        memories = {_wanted(machine, layers[number], n, piece=n != name) for n, number in readers}
        if len(memories) > 1 or None in memories:
            continue
        (memory,) = memories
        if any(layer.before for layer in layers[first:max(number for _, number in readers) + 1]):
            continue  # those take all that there is
        shape = graph.tensors[name].shape
        margin = tuple(map(max, zip(*(_margin(machine, layers[number], shape) for _, number in readers))))
        top, left, bottom, right = margin
        n, h, w, c = shape
        block = machine.block
        size = n * math.ceil(c / block) * block * (h + top + bottom) * (w + left + right)
        size = math.ceil(size / machine.alignment) * machine.alignment
        saved = math.prod(shape) * (1 + len(readers))
        found.append(_Candidate(name, memory, margin, size, first, max(number for _, number in readers), saved))
    return found


def _writes(layer: Layer) -> bool:
    """Whether the layer's results can go anywhere on chip."""
    return isinstance(layer.main, (Conv, *_PASSES)) and not layer.before


def _wanted(machine: Machine, layer: Layer, name: str, *, piece: bool) -> str | None:
    """The memory out of which a layer reads a tensor, or a ``piece`` of it; None if it must come from DRAM."""
    k = layer.main
    places = []
    if layer.before:
        return None
    if isinstance(k, Conv):
        places += [machine.memory("x")] * (k.x == name) + [machine.memory("r")] * (layer.residual == name)
        if layer.residual == name and piece:
            return None
        if not is_depthwise(machine, k) and k.group > 1:
            return None
    elif isinstance(k, _PASSES) and not piece and not any(getattr(k, "pads", ())):  # each kind of pooling pads with something else
        places += [machine.elementwise.memory["a"]] * len(k.inputs)
    return places[0] if len(set(places)) == 1 else None


def _margin(machine: Machine, layer: Layer, shape: Sequence[int]) -> tuple[int, int, int, int]:
    """Rows above, columns left, rows below, columns right of a tensor that a layer reads beside it."""
    k = layer.main
    if isinstance(k, Conv):
        kernel, pads = list(k.weight.shape[:2]), k.pads
        if is_depthwise(machine, k):
            kernel[1] = machine.window_columns(*kernel, k.strides, k.dilations)
    else:
        return 0, 0, 0, 0
    after = []
    for axis in range(2):
        padded = shape[1 + axis] + pads[axis] + pads[2 + axis]
        steps = (padded - (k.weight.shape[axis] - 1) * k.dilations[axis] - 1) // k.strides[axis]
        last = steps * k.strides[axis] + (kernel[axis] - 1) * k.dilations[axis] - pads[axis]
        after.append(max(0, last - shape[1 + axis] + 1))
    return pads[0], pads[1], after[0], after[1]


def _sums_home(machine: Machine, graph: Graph, c: _Candidate, base: int) -> Home:
    n, h, w, channels = shape = tuple(graph.tensors[c.of].shape)
    lanes, block = machine.channel_lanes, machine.block
    layout = dense([("c", math.ceil(channels / block) * block // lanes, lanes), ("n", n, 1), ("h", h, 1), ("w", w, 1), ("c", lanes, 1)], 4)
    return Home(c.memory, base, layout, shape, lanes, on_chip=True)


def _home(machine: Machine, graph: Graph, c: _Candidate, base: int) -> Home:
    n, h, w, channels = shape = tuple(graph.tensors[c.name].shape)
    block = machine.block
    top, left, bottom, right = c.margin
    blocks, row = math.ceil(channels / block), (w + left + right) * block
    plane = (h + top + bottom) * row
    axes = (Axis("n", n, blocks * plane), Axis("c", blocks, plane, block), Axis("h", h, row), Axis("w", w, block), Axis("c", block, 1))
    origin = top * row + left * block
    return Home(c.memory, base + origin, Layout(axes, c.bytes), shape, block, on_chip=True, margin=c.margin)
