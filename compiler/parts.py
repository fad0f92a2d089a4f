"""Convolutions of concatenations in parts: each part of the reduction as soon as its operand is there.

The sums stay in the accumulators, as int32, until the last part has added its own; so the results are the same to the bit,
and an operand need not wait for the others (Ahn et al., "Ordering Chaos: Memory-Aware Scheduling of Irregularly Wired Neural
Networks for Edge Devices", MLSys 2020, section 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from tenon.compiler.ir import Conv, Graph
from tenon.compiler.layer import Layer
from tenon.compiler.machine import Machine

__all__ = ["in_parts", "sums_bytes"]


def sums_bytes(machine: Machine, graph: Graph, layer: Layer) -> int:
    """What all sums of a layer take: whole blocks are summed."""
    n, h, w, c = graph.tensors[layer.main.y].shape
    block = machine.block
    return 4 * n * h * w * math.ceil(c / block) * block


def in_parts(machine: Machine, graph: Graph, layers: Sequence[Layer], parts: Mapping[str, Sequence[tuple[int, str]]], room: int,
             whole: Collection[str] = ()) -> list[Layer]:
    """The layers, with convolutions of tensors in pieces as one layer for each piece, and one that finishes.

    Parameters
    ----------
    parts :
        Tensors that consist of others (``compiler.fold``).
    room :
        Bytes that the sums of one layer may take.
    whole :
        Layers to be left as they are.
    """
    found = []
    for layer in layers:
        k = layer.main
        pieces = parts.get(k.x, ()) if isinstance(k, Conv) and k.group == 1 and layer.name not in whole else ()
        if len(pieces) < 2 or len({name for _, name in pieces}) < len(pieces) or sums_bytes(machine, graph, layer) > room:
            found.append(layer)
            continue
        sums = f"{k.y}.sums"
        for number, (first, name) in enumerate(pieces):
            channels = graph.tensors[name].shape[3]
            part = replace(k, name=f"{k.name}.{number}", x=name, weight=k.weight[:, :, first:first + channels])
            found.append(Layer(part, sums=sums, begins=number == 0, finishes=False))
        found.append(replace(layer, sums=sums, begins=False, products=False))
    return found
