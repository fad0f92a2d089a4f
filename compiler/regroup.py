"""Channels in another order: a shuffle is a permutation of the weights of the convolution behind it.

Copies that leave every pixel where it is and only choose channels (concatenations, shuffles, splits) are seen as one
choice among the channels of what lies before them. Channels that come one by one cost a cycle or more each. So a
convolution reads the sources themselves, put side by side in whole blocks, which is no work (``compiler.fold``), and has
weights for the channels that it wants; for what is no convolution, one with a single 1 for each channel makes the copy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tenon.compiler.ir import Conv, Graph, Kernel, Tensor, fresh_name
from tenon.compiler.machine import Machine
from tenon.compiler.move import ORIGIN, UNITS, Move, Piece, Step

__all__ = ["regrouped"]

_RUN_CYCLES = 2.6  # of a copy for channels that lie side by side, if they are few: in and out again, by the cycle model


@dataclass(frozen=True)
class _Choice:
    """A tensor's channels: for each the source that it is one of, and which."""

    sources: tuple[str, ...]
    source: np.ndarray
    channel: np.ndarray

    @property
    def mean_run(self) -> float:
        """Channels that lie side by side in a source as they do here."""
        breaks = (np.diff(self.source) != 0) | (np.diff(self.channel) != 1)
        return len(self.source) / (1 + int(breaks.sum()))


def regrouped(machine: Machine, graph: Graph) -> Graph:
    """The graph in which convolutions take the place of copies that choose channels one by one, where that is quicker."""
    block = machine.block
    choices = _choices(graph)
    wide = {name: _side_by_side(graph, c, block) for name, c in choices.items() if c.mean_run < block}
    made: dict[tuple[str, ...], str] = {}
    tensors, kernels = dict(graph.tensors), []

    def joined(names: tuple[str, ...]) -> str:
        if names not in made:
            made[names] = name = fresh_name(tensors, f"{names[0]}.channels")
            tensors[name], move = _join(graph, names, name, block)
            kernels.append(move)
        return made[names]

    for kernel in graph.kernels:
        places = wide.get(kernel.x) if isinstance(kernel, Conv) and kernel.group == 1 else None
        if places is not None and _worth(machine, graph, kernel, places):
            kernel = _reading(kernel, joined(places.sources), places)
        elif kernel.y in wide and _worth(machine, graph, kernel, wide[kernel.y]):
            kernel = _copy(graph, kernel, joined(wide[kernel.y].sources), wide[kernel.y])
        kernels.append(kernel)
    return _needed(replace(graph, tensors=tensors, kernels=tuple(kernels)))


def _choices(graph: Graph) -> dict[str, _Choice]:
    """What tensors are choices of, by copies alone, of channels of others."""
    found: dict[str, _Choice] = {}
    for kernel in graph.kernels:
        direct = _direct(graph, kernel) if isinstance(kernel, Move) else None
        if direct is None:
            continue
        sources: list[str] = []
        source, channel = np.empty_like(direct.source), np.empty_like(direct.channel)
        for number, name in enumerate(direct.sources):
            mine = direct.source == number
            before = found.get(name) or _Choice((name,), np.zeros(graph.tensors[name].shape[3], int),
                                                np.arange(graph.tensors[name].shape[3]))
            sources += [s for s in before.sources if s not in sources]
            places = np.array([sources.index(s) for s in before.sources])
            source[mine] = places[before.source[direct.channel[mine]]]
            channel[mine] = before.channel[direct.channel[mine]]
        used = [i for i in range(len(sources)) if (source == i).any()]
        found[kernel.y] = _Choice(tuple(sources[i] for i in used), np.searchsorted(used, source), channel)
    return found


def _direct(graph: Graph, move: Move) -> _Choice | None:
    """What a copy chooses among the channels of its operands; None if it moves pixels, or leaves channels open."""
    shape = graph.tensors[move.y].shape
    if move.fill is not None or any(graph.tensors[name].shape[:3] != shape[:3] for name in move.xs):
        return None
    pixels = {(axis, e) for axis, e in enumerate(shape[:3]) if e > 1}
    source, channel = np.full(shape[3], -1), np.zeros(shape[3], int)
    for piece in move.pieces:
        still = [s for s in piece.steps if s.x == s.y and s.x[3] == 0]
        rest = [s for s in piece.steps if s not in still]
        whole = {(s.x.index(1), s.extent) for s in still if sorted(s.x) == [0, 0, 0, 1]}
        if piece.x0[:3] != (0, 0, 0) or piece.y0[:3] != (0, 0, 0) or whole != pixels or len(still) != len(pixels):
            return None
        if any(any(s.x[:3]) or any(s.y[:3]) for s in rest):
            return None
        inner = replace(piece, steps=tuple(rest))
        to = inner.coordinates("y")[3].ravel()
        source[to], channel[to] = piece.source, inner.coordinates("x")[3].ravel()
    return None if (source < 0).any() else _Choice(move.xs, source, channel)


@dataclass(frozen=True)
class _Places:
    """Where channels are among the ``total`` of sources that stand side by side, each in whole blocks; ``mean_run`` as
    ``_Choice`` has it."""

    sources: tuple[str, ...]
    channels: np.ndarray
    total: int
    mean_run: float


def _side_by_side(graph: Graph, choice: _Choice, block: int) -> _Places:
    starts = [0]
    for name in choice.sources:
        starts.append(starts[-1] + math.ceil(graph.tensors[name].shape[3] / block) * block)
    total = starts[-2] + graph.tensors[choice.sources[-1]].shape[3]
    return _Places(choice.sources, np.array(starts)[choice.source] + choice.channel, total, choice.mean_run)


def _worth(machine: Machine, graph: Graph, kernel: Kernel, places: _Places) -> bool:
    """Whether products with zeros take less time than a copy of the wanted channels would."""
    block, peak = machine.block, machine.graph.peak_macs_per_cycle
    n, h, w, c = graph.tensors[kernel.y].shape
    count = len(places.channels)
    taps, before = (kernel.weight.shape[0] * kernel.weight.shape[1], count) if isinstance(kernel, Conv) else (1, 0)
    more = (math.ceil(places.total / block) - math.ceil(before / block)) * block
    pixels = math.prod(graph.tensors[kernel.x if isinstance(kernel, Conv) else kernel.y].shape[:3])
    run = max(_RUN_CYCLES, 2 * places.mean_run / machine.graph.bus_bytes)
    return n * h * w * math.ceil(c / block) * block * taps * more / peak < run * pixels * count / places.mean_run


def _join(graph: Graph, names: Sequence[str], name: str, block: int) -> tuple[Tensor, Move]:
    """The sources side by side; what stands between them is multiplied by nothing."""
    first, at, pieces = graph.tensors[names[0]], 0, []
    for number, source in enumerate(names):
        shape = graph.tensors[source].shape
        steps = tuple(Step(e, unit, unit) for e, unit in zip(shape, UNITS) if e > 1)
        pieces.append(Piece(number, ORIGIN, (0, 0, 0, at), steps))
        end, at = at + shape[3], at + math.ceil(shape[3] / block) * block
    tensor = Tensor(name, (*first.shape[:3], end), first.dtype, first.scale, first.zero_point)
    return tensor, Move(name, (), "Concat", True, tuple(names), name, tuple(pieces), first.zero_point, open=True)


def _reading(conv: Conv, x: str, places: _Places) -> Conv:
    """The convolution out of the sources: channels that it does not want have no weight."""
    kh, kw, wanted, co = conv.weight.shape
    weight = np.broadcast_to(conv.zw.astype(conv.weight.dtype), (kh, kw, places.total, co)).copy()
    weight[:, :, places.channels] = conv.weight
    return replace(conv, x=x, weight=weight, counted=wanted if conv.counted is None else conv.counted)


def _copy(graph: Graph, move: Move, x: str, places: _Places) -> Conv:
    """The copy as a convolution with a 1 for each channel: elements come out as they are."""
    low, high = graph.tensors[move.y].bounds
    count = len(places.channels)
    weight = np.zeros((1, 1, places.total, count), np.int8)
    weight[0, 0, places.channels, np.arange(count)] = 1
    return Conv(move.name, move.nodes, move.op, move.exact, x, move.y, weight, np.zeros(count, np.int32), np.ones(1, np.float32), 0,
                np.zeros(1, np.int64), 0, low, high, counted=0)


def _needed(graph: Graph) -> Graph:
    """Without copies that nobody reads any more; their nodes are the next kernel's."""
    kept: list[Kernel] = []
    wanted = set(graph.outputs)
    for kernel in reversed(graph.kernels):
        copies = isinstance(kernel, Move) or isinstance(kernel, Conv) and kernel.counted == 0
        if copies and kernel.y not in wanted:
            kept[-1] = replace(kept[-1], nodes=(*kernel.nodes, *kept[-1].nodes))
            continue
        wanted |= set(kernel.inputs)
        kept.append(kernel)
    return replace(graph, kernels=tuple(reversed(kept)))
