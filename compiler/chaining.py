"""Which layers are executed together, tile by tile, so that what is between them never leaves the chip (``lower.chain``).

A depthwise convolution, and pooling, move much and multiply little. Beside others that do, they hide behind them; and what they read and
write, the largest tensors of such networks, need not go through DRAM.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from tenon.compiler.ir import Conv, Graph, Pool
from tenon.compiler.layer import Layer
from tenon.compiler.lower.chain import slides
from tenon.compiler.machine import Machine

__all__ = ["chained"]


def chained(machine: Machine, graph: Graph, layers: Sequence[Layer], kept: Collection[str],
            cycles: Callable[[Layer], float]) -> list[Layer]:
    """The layers, those that are executed together as one.

    Parameters
    ----------
    kept :
        Tensors that must be somewhere as a whole, beside the graph's outputs.
    cycles :
        What a layer takes; infinity if it cannot be.
    """
    readers: dict[str, int] = {}
    for layer in layers:
        for name in layer.inputs:
            readers[name] = readers.get(name, 0) + 1
    found = list(layers)
    at = 0
    while at < len(found):
        if slides(machine, graph, found[at].main):
            best = 0.0
            for first, end in ((at - 1, at + 2), (at - 1, at + 1), (at, at + 2)):
                some = found[max(first, 0):end]
                if len(some) == end - first and _linked(machine, graph, some, readers, kept):
                    whole = replace(some[-1], before=tuple(some[:-1]))
                    gain = sum(map(cycles, some)) - cycles(whole)
                    if gain > best:
                        best, place, chain = gain, slice(first, end), whole
            if best:
                found[place] = [chain]
                at = place.start
        at += 1
    return found


def _linked(machine: Machine, graph: Graph, layers: Sequence[Layer], readers: dict[str, int], kept: Collection[str]) -> bool:
    """Whether each is read by the next alone, and one of them slides windows."""
    single = all(graph.tensors[layer.y].shape[0] == 1 for layer in layers)
    if not single or any(layer.before or layer.sums or not isinstance(layer.main, Conv | Pool) for layer in layers):
        return False
    sliding = [slides(machine, graph, layer.main) for layer in layers]
    products = [layer.main for layer, alone in zip(layers, sliding) if not alone]
    if sliding.count(True) != 1 or any(isinstance(k, Pool) or k.group > 1 for k in products):
        return False
    if any(layer.add for layer in layers[:-1]) or (not sliding[-1] and layers[-1].main.weight.shape[:2] != (1, 1)):
        return False
    return all(b.main.x == a.y and readers[a.y] == 1 and a.y not in graph.outputs and a.y not in kept for a, b in zip(layers, layers[1:]))
