"""Spaces: every way in which a layer can be mapped, numbered."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tenon.compiler.errors import CompileError
from tenon.compiler.home import Home
from tenon.compiler.ir import Conv, Graph, Pool
from tenon.compiler.layer import Layer
from tenon.compiler.lower.conv_plan import MANY
from tenon.compiler.lower.depthwise_plan import is_depthwise
from tenon.compiler.lower.pooling import gathers
from tenon.compiler.machine import Machine
from tenon.compiler.mapping import Mapping
from tenon.compiler.move import Move
from tenon.compiler.product import Matrices
from tenon.compiler.rows import Normalise, Rows, run_of

__all__ = ["Choice", "Space", "space_of"]


_REACH = 2  # options up and down that are beside one


@dataclass(frozen=True)
class Choice:
    """A named decision with its options. ``between``: it matters to the layers before and behind, and hardly to its own."""

    name: str
    options: tuple[int | str, ...]
    between: bool = False

    @property
    def ordered(self) -> bool:
        """Whether its options are numbers."""
        return not isinstance(self.options[0], str)

    def near(self, here: int) -> list[int]:
        """Options beside option ``here``, all by their numbers: a few up and down, or all others if they are names."""
        return [there for there in range(len(self.options)) if there != here and (not self.ordered or abs(there - here) <= _REACH)]


@dataclass(frozen=True)
class Space:
    """The product of its choices, in mixed radix: point 0 takes every first option, the last choice counts fastest."""

    choices: tuple[Choice, ...]

    @cached_property
    def size(self) -> int:
        return math.prod(len(c.options) for c in self.choices)

    def __getitem__(self, point: int) -> Mapping:
        if not 0 <= point < self.size:
            raise IndexError(f"point must be in 0..{self.size - 1}, not {point}")
        picked: dict[str, int | str] = {}
        for choice in reversed(self.choices):
            point, digit = divmod(point, len(choice.options))
            picked[choice.name] = choice.options[digit]
        return Mapping({c.name: picked[c.name] for c in self.choices})

    def point(self, mapping: Mapping) -> int:
        """The number of a mapping.

        Raises
        ------
        CompileError
            If it is not in the space.
        """
        total = 0
        for choice in self.choices:
            value = mapping.choices.get(choice.name)
            if value not in choice.options:
                raise CompileError(f"a mapping's {choice.name} must be one of {', '.join(map(str, choice.options))}, not {value}")
            total = total * len(choice.options) + choice.options.index(value)
        extra = set(mapping.choices) - {c.name for c in self.choices}
        if extra:
            raise CompileError(f"a mapping has no choice {', '.join(sorted(extra))} for this layer")
        return total

    def __iter__(self) -> Iterator[Mapping]:
        return (self[i] for i in range(self.size))


_EARLY = Choice("early", (1, 2, 4, 8, 16, 32))
_BETWEEN = (Choice("slots_x", (1, 2, 3, 4, 8, MANY), between=True), Choice("slots_w", (1, 2, 3, 4, 8, MANY), between=True),
            Choice("slots_acc", (1, 2), between=True), Choice("slots_y", (1, 2, 4), between=True),
            Choice("begin", ("turn", "other"), between=True))


def space_of(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home]) -> Space:
    """The space of a layer. Every point can be given to ``lower``, which makes a program of it or says why not."""
    if layer.before:
        _, h, w, _ = homes[layer.writes].shape
        between = math.ceil(graph.tensors[layer.before[-1].y].shape[3] / machine.block)
        return Space((Choice("tile_n", (1,)), Choice("tile_h", _cuts(h)), Choice("tile_w", (w,)), Choice("chunk", _cuts(between)),
                      Choice("ahead", (2, 4, 8, 16)), _EARLY, Choice("slots_acc", (1, 2)), Choice("slots_y", (1, 2, 4))))
    if isinstance(layer.main, Move):
        return Space((Choice("slots", (2, 4, 8)),))
    if isinstance(layer.main, Rows):
        _, _, length, columns = homes[layer.writes].shape
        pieces = (1, 2, 4, 8) if isinstance(layer.main, Normalise) else (1,)
        return Space((Choice("tile_c", _cuts(math.ceil(columns / machine.block))),
                      Choice("runs", _cuts(math.ceil(length / run_of(length)))), Choice("depth", (1, 2)), Choice("pieces", pieces)))
    if isinstance(layer.main, Matrices):  # every matrix is mapped alike
        layer, homes, _ = next(layer.main.matrices(graph, layer, homes))
    n, h, w, c = homes[layer.writes].shape
    block = machine.block
    tiles = [Choice("tile_n", _cuts(n)), Choice("tile_h", _cuts(h)), Choice("tile_w", _cuts(w)),
             Choice("tile_c", _cuts(math.ceil(c / block)))]
    k = layer.main
    if not isinstance(k, Conv):
        windows = ["chain"]
        if isinstance(k, Pool) and not homes[k.x].on_chip and gathers(machine, k, homes[k.x].shape):
            windows.insert(0, "slide")
        return Space((*tiles, Choice("depth", (1, 2, 3)), Choice("windows", tuple(windows))))
    if is_depthwise(machine, k):
        return Space((*tiles, Choice("order", ("spatial", "channels")), Choice("ahead", (2, 4, 8, 16)), _EARLY, *_BETWEEN))
    x = homes[k.x]
    blocks = math.ceil(x.shape[3] / block)
    stages = ["box"]
    # Windows are staged where they waste less than boxes: few channels, or outputs that skip inputs.
    if k.group == 1 and not x.pieces and not x.on_chip and (not x.block or (k.weight.shape[:2] == (1, 1) and max(k.strides) > 1)):
        stages.append("windows")
    return Space((
        *tiles, Choice("chunk_x", _cuts(blocks)), Choice("chunk_w", _cuts(blocks)), Choice("order", ("spatial", "channels")),
        Choice("stage", tuple(stages)), Choice("ramp", (0, 1, 2, 4)), Choice("ahead", (2, 4, 8, 16)), _EARLY,
        *_BETWEEN,
    ))


def _cuts(total: int) -> tuple[int, ...]:
    """Extents that divide ``total`` as evenly as any other with as many pieces, ascending."""
    return tuple(sorted({math.ceil(total / pieces) for pieces in range(1, total + 1)}))
