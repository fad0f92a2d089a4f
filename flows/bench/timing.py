"""``python -m tenon.flows.bench.timing``: the compiled timing of programs beside the cycle model, and how fast it is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click

from tenon.compiler.errors import CompileError
from tenon.compiler.lower.constants import Constants
from tenon.compiler.mapping import Mapping
from tenon.compiler.network import Network
from tenon.compiler.timing import time_program
from tenon.compiler.tokens import token_masks
from tenon.flows.bench.side_by_side import quiet, say
from tenon.flows.compile import compile_source, read_source
from tenon.flows.errors import user_errors
from tenon.flows.source import open_source
from tenon.flows.zoo.listing import names
from tenon.hw.presets import PRESETS, preset
from tenon.tb.gateware import graph_of
from tenon.tb.random_programs import random_program
from tenon.tb.timing_differences import timing_differences

__all__ = ["PROGRAMS", "Equal", "measure_network", "measure_programs", "measure_speed"]

PROGRAMS = 2000
_CONFIGURATION = "edge16"
_ATTEMPTS = 20  # at a random mapping that can be lowered


@dataclass(frozen=True)
class Equal:
    """Programs that were timed both ways, their instructions, and how many differ in anything."""

    programs: int
    instructions: int
    different: int


def measure_programs(count: int = PROGRAMS, seed: int = 1) -> Equal:
    """Random programs of random lengths for all presets, with random DRAMs."""
    rng = random.Random(seed)
    graphs = [graph_of(preset(name)) for name in PRESETS]
    instructions = different = 0
    for number in range(count):
        graph = rng.choice(graphs)
        program = random_program(graph, number, length=rng.choice([3, 6, 12, 30])).instructions
        _, said = timing_differences(graph, program, latency=rng.choice([1, 40, 200]), outstanding=rng.choice([1, 2, 32]))
        instructions, different = instructions + len(program), different + bool(said)
    return Equal(count, instructions, different)


def measure_network(name: str) -> Equal:
    """A network of the zoo."""
    graph = graph_of(preset(_CONFIGURATION))
    program = compile_source(open_source(f"zoo:{name}"), graph).program
    _, said = timing_differences(graph, program.instructions)
    return Equal(1, len(program.instructions), bool(said))


def measure_speed(name: str = "resnet18", each: int = 2, seed: int = 1) -> dict[str, float]:
    """Instructions in a second of CPU of each step from mappings to cycles, over ``each`` random mappings of each layer of a network.

    What is found out once of each form of an instruction is known: the steps are taken before, too.
    """
    network = Network(read_source(open_source(f"zoo:{name}"))[0], graph_of(preset(_CONFIGURATION)), schedule="optimal")
    chosen = list(_random_mappings(network, each, random.Random(seed)))
    for _ in range(2):
        seconds = {}
        began = time.process_time()
        codes = [network.lower(number, mapping, Constants()) for number, mapping in chosen]
        seconds["lowering"] = time.process_time() - began
        began = time.process_time()
        masks = [token_masks(network.covenant, code) for code in codes]
        seconds["tokens"] = time.process_time() - began
        began = time.process_time()
        for code, mask in zip(codes, masks):
            time_program(network.covenant, code, masks=mask)
        seconds["events"] = time.process_time() - began
    count = sum(map(len, codes))
    return {**{step: count / taken for step, taken in seconds.items()}, "all": count / sum(seconds.values())}


def _random_mappings(network: Network, each: int, rng: random.Random) -> Iterator[tuple[int, Mapping]]:
    """Layers by their numbers, with mappings that can be lowered."""
    for number in range(len(network.layers)):
        space, found = network.space(number), 0
        for _ in range(_ATTEMPTS * each):
            mapping = space[rng.randrange(space.size)]
            try:
                network.lower(number, mapping, Constants())
            except CompileError:
                continue
            yield number, mapping
            found += 1
            if found == each:
                break


def report(progress: Callable[[str], None]) -> None:
    """Prints everything."""
    click.echo("| programs | instructions | differ |\n|---|---|---|")
    progress(f"{PROGRAMS} random programs")
    found = measure_programs()
    click.echo(f"| {found.programs:,} random | {found.instructions:,} | {found.different} |")
    for name in names():
        progress(name)
        found = measure_network(name.removeprefix("zoo:"))
        click.echo(f"| {name} | {found.instructions:,} | {found.different} |")
    click.echo("\n| step | instructions in a second |\n|---|---|")
    for step, rate in measure_speed().items():
        click.echo(f"| {step} | {rate:,.0f} |")


def main() -> None:
    quiet()
    with user_errors():
        report(say)


if __name__ == "__main__":
    main()
