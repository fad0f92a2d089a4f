"""``python -m tenon.flows.bench.mappings``: the compiler's own mappings beside the best that long searches find, layer by layer."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import click

from tenon.compiler.errors import CompileError
from tenon.compiler.estimate import ranked
from tenon.compiler.ir import Conv
from tenon.compiler.join import joined
from tenon.compiler.lower.constants import Constants
from tenon.compiler.mapping import Mapping
from tenon.compiler.network import Network
from tenon.compiler.search import DEFAULT_EFFORT, neighbours
from tenon.compiler.timing import time_program
from tenon.compiler.tokens import token_masks
from tenon.flows.bench.kept import kept
from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.compile import read_source
from tenon.flows.errors import user_errors
from tenon.flows.source import open_source
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset
from tenon.tb.gateware import graph_of

__all__ = ["CONFIGURATIONS", "LayerChoice", "measure_mappings", "table"]

_KIB = 1024


def _square(name: str, side: int, kib: int, bus_bits: int) -> SystolicParams:
    """An array with byte buffers and accumulators that are tight, or large, for it."""
    return replace(preset("edge16"), name=name, rows=side, cols=side, lanes=side, bus_bits=bus_bits, activation_bytes=kib * _KIB,
                   weight_bytes=kib * _KIB, accumulator_bytes=kib * _KIB, vector_bytes=max(kib, 8) * _KIB,
                   parameter_bytes=max(16, side // 2) * _KIB)


CONFIGURATIONS = (
    preset("edge16"), replace(preset("edge16"), name="edge16_bus32", bus_bits=32), preset("edge32"),
    _square("tight16", 16, 8, 32), _square("tight32", 32, 32, 64), _square("big64", 64, 128, 256), _square("big128", 128, 512, 512))

_STARTS = 64  # of the most promising mappings
_CLIMBS = 5  # of them the best, from each of which is climbed
_MUTATIONS = 100  # of the best, two knobs at a time


@dataclass(frozen=True)
class LayerChoice:
    """Cycles of a layer ``alone``, and once more behind itself (``again``: of both), mapped by the compiler; and the least known of each.
    ``timed``: mappings that were tried to know it."""

    layer: str
    alone: int
    again: int
    least_alone: int
    least_again: int
    timed: int


def measure_mappings(params: SystolicParams, network: str = "zoo:resnet18", progress: Callable[[str], None] = say) -> list[LayerChoice]:
    """Each different convolution and dense layer of ``network``."""
    laid_out = Network(read_source(open_source(network))[0], graph_of(params), schedule="optimal")
    found, seen = [], set()
    for number, layer in enumerate(laid_out.layers):
        if not isinstance(layer.main, Conv) or laid_out.shape(number) in seen:
            continue
        seen.add(laid_out.shape(number))
        progress(f"{params.name}: {layer.name}")
        timer = _Timer(laid_out, number)
        chosen = timer(laid_out.searched(number, DEFAULT_EFFORT))
        _try_many(timer, laid_out, number)
        times = [t for t in timer.known.values() if t is not None]
        found.append(LayerChoice(layer.name, *chosen, *(min(t[k] for t in times) for k in (0, 1)), len(times)))
    return found


class _Timer:
    """Cycles of a layer's mappings, alone and twice in a row; None where there is no program."""

    def __init__(self, network: Network, number: int):
        self._network, self._number = network, number
        self.known: dict[tuple, tuple[int, int] | None] = {}

    def __call__(self, mapping: Mapping) -> tuple[int, int] | None:
        key = tuple(mapping.choices.items())
        if key not in self.known:
            graph = self._network.covenant
            try:
                code = self._network.lower(self._number, mapping, Constants())
            except CompileError:
                self.known[key] = None
            else:
                twice, _ = joined([code, code])
                self.known[key] = tuple(time_program(graph, c, masks=token_masks(graph, c)).cycles for c in (code, twice))
        return self.known[key]


def _try_many(timer: _Timer, network: Network, number: int) -> None:
    space = network.space(number)
    machine, layer = network.machines[number], network.layers[number]
    starts = [m for m in itertools.islice(ranked(machine, network.graph, layer, network.homes, space), _STARTS) if timer(m)]
    starts.append(network.searched(number, DEFAULT_EFFORT))
    best = None
    for start in sorted(starts, key=lambda m: timer(m)[1])[:_CLIMBS]:
        top = _climbed(timer, space, start)
        if best is None or timer(top)[1] < timer(best)[1]:
            best = top
    rng = random.Random(1)
    for mapping in itertools.islice(_mutations(space, best, rng), _MUTATIONS):
        timer(mapping)
    top = min((m for m in [best, *neighbours(space, best)] if timer(m)), key=lambda m: timer(m)[1])
    _climbed(timer, space, top)


def _climbed(timer: _Timer, space, mapping: Mapping) -> Mapping:
    """Where steps to the quickest neighbour end."""
    while True:
        around = [m for m in neighbours(space, mapping) if timer(m)]
        quickest = min(around, key=lambda m: timer(m)[1], default=mapping)
        if not around or timer(quickest)[1] >= timer(mapping)[1]:
            return mapping
        mapping = quickest


def _mutations(space, mapping: Mapping, rng: random.Random) -> Iterator[Mapping]:
    wide = [c for c in space.choices if len(c.options) > 1]
    while wide:
        changed = dict(mapping.choices)
        for choice in rng.sample(wide, min(2, len(wide))):
            changed[choice.name] = rng.choice(choice.options)
        yield Mapping(changed)


def table(found: dict[str, list[LayerChoice]]) -> str:
    """In Markdown: how much longer the compiler's choices take than the least known, geometric mean and worst."""
    lines = ["| configuration | layers | alone: mean | worst | twice: mean | worst | mappings tried |", "|---|---|---|---|---|---|---|"]
    for name, layers in found.items():
        cells = []
        for ratios in ([c.alone / c.least_alone for c in layers], [c.again / c.least_again for c in layers]):
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            cells += [f"{100 * (mean - 1):.2f} %", f"{100 * (max(ratios) - 1):.2f} %"]
        lines.append(f"| {name} | {len(layers)} | {' | '.join(cells)} | {sum(c.timed for c in layers):,} |")
    return "\n".join(lines)


@click.command()
def main() -> None:
    """Measures the compiler's choices for ResNet-18's layers on seven configurations."""
    quiet()
    with user_errors():
        click.echo(table({p.name: kept(f"mappings-{p.name}", measure_mappings, p) for p in CONFIGURATIONS}))


if __name__ == "__main__":
    main()
