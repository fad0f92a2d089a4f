"""Where a tensor lives: in DRAM, or on chip."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tenon.acg.parts import Role
from tenon.compiler.ir import Graph
from tenon.compiler.layer import Layer
from tenon.compiler.layout import Layout, blocked, row_major
from tenon.compiler.machine import Machine

__all__ = ["ALIGNMENT", "Home", "homes_of"]

ALIGNMENT = 64  # of tensors and segments, or a bus word if that is more


@dataclass(frozen=True)
class Home:
    """Where a tensor lives: segment of DRAM or memory (as effects name it), byte offset, layout; NHWC ``shape``.

    ``block``: channels per block, 0 for a row-major layout. ``pieces``: a tensor that lives in several places, whole
    blocks each, as (first channel, home); ``layout`` is then what it would have in one place. ``on_chip``: it stays in a
    memory of the accelerator, with a ``margin`` around it (rows above, columns left, rows below, columns right) that its
    readers take for padding.
    """

    segment: str
    offset: int
    layout: Layout
    shape: tuple[int, int, int, int]
    block: int
    pieces: tuple[tuple[int, Home], ...] = ()
    on_chip: bool = False
    margin: tuple[int, int, int, int] = (0, 0, 0, 0)

    @cached_property
    def strides(self) -> tuple[int, int, int, int, int]:
        """Bytes from one coordinate to the next along n, h, w, c, and from one channel block to the next."""
        axes = {a.dim: a.stride for a in self.layout.axes if a.dim != "c"}
        lanes, *blocks = (a.stride for a in self.layout.digits("c"))
        return axes["n"], axes["h"], axes["w"], lanes, blocks[0] if blocks else 0

    @cached_property
    def resident(self) -> bool:
        """Whether any of it stays on chip."""
        return self.on_chip or any(home.on_chip for _, home in self.pieces)

    def parts(self, first: int, extent: int) -> Iterator[tuple[int, int, int, Home]]:
        """Where channels ``first`` to ``first + extent`` live: for each home the channel at which it begins, and which of its
        own channels are wanted (first, extent)."""
        if not self.pieces:
            yield 0, first, extent, self
        for start, home in self.pieces:
            low, high = max(first, start), min(first + extent, start + math.ceil(home.shape[3] / self.block) * self.block)
            if low < high:
                yield start, low - start, high - low, home


def homes_of(graph: Graph, layers: Sequence[Layer], machine: Machine,
             parts: Mapping[str, Sequence[tuple[int, str]]] | None = None,
             on_chip: Mapping[str, Home] | None = None,
             constants: Mapping[str, int] | None = None) -> tuple[dict[str, Home], dict[str, int]]:
    """A place for every tensor: ``on_chip`` for those that it names, else in DRAM; and the sizes of DRAM's segments.

    The host's tensors are row-major without padding; the others keep their channels in blocks, and each a place of
    its own, so that all can be looked at after a run. ``parts``: tensors that consist of others (``compiler.fold``);
    ``constants``: where constant tensors begin in their segment.
    """
    covenant = machine.graph
    scratch = covenant.segment(Role.SCRATCH)
    used = {name: 0 for name in covenant.segment_names}
    homes: dict[str, Home] = {}
    alignment = max(ALIGNMENT, covenant.bus_bytes)
    homes |= on_chip or {}
    for name, offset in (constants or {}).items():
        shape = graph.tensors[name].shape
        homes[name] = Home(covenant.segment(Role.CONSTANTS), offset, row_major(shape), tuple(shape), 0)
    names = list(dict.fromkeys([*graph.inputs, *(layer.y for layer in layers if layer.finishes)]))
    for name in (name for name in names if name not in homes):
        shape = graph.tensors[name].shape
        role = Role.INPUTS if name in graph.inputs else Role.OUTPUTS if name in graph.outputs else Role.SCRATCH
        segment, block = covenant.segment(role), machine.block if role is Role.SCRATCH else 0
        layout = blocked(shape, block) if block else row_major(shape)
        homes[name] = Home(segment, used[segment], layout, tuple(shape), block)
        used[segment] += math.ceil(layout.bytes / alignment) * alignment
    for name, pieces in (parts or {}).items():
        shape = tuple(graph.tensors[name].shape)
        homes[name] = Home(scratch, 0, blocked(shape, machine.block), shape, machine.block,
                           tuple((first, homes[piece]) for first, piece in pieces))
    return homes, used
