"""Layers that are executed together: a tile of the first makes a tile of the second, and so on; what is between never leaves the chip.

The last layer's tiles say what is made of each layer before it, and when: the rows that its windows reach and that none has reached before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tenon.compiler.home import Home
from tenon.compiler.ir import Conv, Graph, Kernel, Pool
from tenon.compiler.layer import Layer
from tenon.compiler.layout import blocked
from tenon.compiler.lower.conv import ConvLowering
from tenon.compiler.lower.conv_plan import ConvChoices, ConvPlan
from tenon.compiler.lower.depthwise_plan import DepthwisePlan, is_depthwise
from tenon.compiler.lower.emitter import Emitter
from tenon.compiler.lower.made import made_spots
from tenon.compiler.lower.pool_plan import PoolPlan
from tenon.compiler.lower.pooling import gathers
from tenon.compiler.machine import Machine
from tenon.compiler.placement import allocate

__all__ = ["ChainChoices", "chain_plans", "lower_chain", "slides"]


@dataclass(frozen=True, kw_only=True)
class ChainChoices:
    """Extents of one tile of the last result; ``chunk``: channel blocks of what is between that are made at once."""

    tile_n: int
    tile_h: int
    tile_w: int
    chunk: int
    ahead: int = 8
    early: int = 1
    slots_acc: int = 2
    slots_y: int = 4


def lower_chain(machine: Machine, graph: Graph, layers: Sequence[Layer], homes: dict[str, Home], choices: ChainChoices, turn: int,
                out: Emitter, tables: Sequence[int | None]) -> None:
    """Appends the instructions of ``layers``, each of which reads what the one before makes. ``tables``: addresses of theirs on chip.

    Raises
    ------
    CompileError, TooSmall
        If no instruction does what is needed, or a buffer is too small.
    """
    lowerings: list[ConvLowering] = []
    for plan, table in zip(chain_plans(machine, graph, layers, homes, choices, turn), tables, strict=True):
        lowerings.append(ConvLowering(plan, out, table, lowerings[-1] if lowerings else None))
    for lowering in lowerings:
        lowering.begin()
    lowerings[-1].advance(len(lowerings[-1].plan.steps))


def chain_plans(machine: Machine, graph: Graph, layers: Sequence[Layer], homes: dict[str, Home], choices: ChainChoices,
                turn: int = 0) -> list[ConvPlan]:
    """The layers' plans, with room for all of them together.

    Raises
    ------
    TooSmall
        If there is not so much.
    """
    plans = _plans(machine, graph, layers, homes, choices, turn)
    # Sums of each layer are by themselves, and other operands with those of the same engine: nobody waits for a bank then.
    demands = [replace(d, what=f"{d.what}.{k}", user=f"{k}" if d.what == "acc" else plan.route.mnemonic.unit)
               for k, plan in enumerate(plans) for d in plan.demands]
    found = allocate(machine, demands)
    for k, plan in enumerate(plans):
        plan.slots = {d.what: found[f"{d.what}.{k}"] for d in plan.demands}
    return plans


def slides(machine: Machine, graph: Graph, kernel: Kernel) -> bool:
    """Whether an instruction slides windows over each channel for it."""
    if isinstance(kernel, Pool):
        return gathers(machine, kernel, graph.tensors[kernel.x].shape)
    return isinstance(kernel, Conv) and is_depthwise(machine, kernel)


def _plans(machine: Machine, graph: Graph, layers: Sequence[Layer], homes: dict[str, Home], choices: ChainChoices,
           turn: int) -> list[ConvPlan]:
    """First to last."""
    c = choices
    between = {layer.y: _between(machine, graph, layer.y) for layer in layers[:-1]}
    homes = homes | between
    common = {"tile_n": c.tile_n, "tile_h": c.tile_h, "tile_w": c.tile_w, "order": "spatial", "ahead": c.ahead, "early": c.early,
              "slots_acc": c.slots_acc, "slots_y": c.slots_y}
    plans: list[ConvPlan] = []
    for k in reversed(range(len(layers))):
        layer, last = layers[k], k == len(layers) - 1
        spots = None if last else made_spots(plans[-1])
        whole = math.ceil(graph.tensors[layer.y].shape[3] / machine.block)
        tile_c = whole if last else plans[-1].choices.chunk_x
        if slides(machine, graph, layer.main):
            kind = PoolPlan if isinstance(layer.main, Pool) else DepthwisePlan
            plan = kind(machine, graph, layer, homes, {**common, "tile_c": tile_c}, turn + k, spots)
        else:
            blocks = math.ceil(graph.tensors[layer.main.x].shape[3] / machine.block)
            chunk = min(c.chunk, blocks) if k else blocks
            stage = "windows" if not k and not homes[layer.main.x].block else "box"
            own = ConvChoices(**common, tile_c=tile_c, chunk_x=chunk, chunk_w=chunk, ramp=0, stage=stage)
            plan = ConvPlan(machine, graph, layer, homes, own, turn + k, spots=spots)
        plan.made, plan.sharers = k > 0, len(layers)
        plans.append(plan)
    return plans[::-1]


def _between(machine: Machine, graph: Graph, name: str) -> Home:
    """A tensor that is nowhere as a whole."""
    shape = tuple(graph.tensors[name].shape)
    return Home("", 0, blocked(shape, machine.block), shape, machine.block)
