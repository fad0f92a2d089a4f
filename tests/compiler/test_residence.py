"""Networks whose tensors stay on chip: random irregular ones, on several arrays, against the kernels' definition and in RTL."""

import math
from collections import Counter

import numpy as np
import pytest

from tenon.compiler.compile import compile_graph
from tenon.compiler.errors import CompileError
from tenon.compiler.evaluate import evaluate
from tenon.compiler.frontend import read_graph
from tenon.compiler.host import quantise_inputs
from tenon.compiler.mapping import Mapping, NetworkMapping
from tenon.compiler.network import Network as Mapped
from tenon.compiler.order import SCHEDULES
from tenon.flows.zoo.network import Network
from tenon.hw.covenant import covenant
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset
from tenon.tb.kernel_networks import mismatches
from tenon.tb.random_layers import Case
from tenon.tb.random_runs import SHAPES, against_rtl, prepare_case
from tenon.tb.transfers import transfer_of

ARRAYS = {
    "4x4": preset("tiny"), "16x16": preset("edge16"),
    "4x16": SystolicParams(rows=4, cols=16, lanes=16, bus_bits=64, activation_bytes=16384, accumulator_bytes=16384, vector_bytes=16384),
    "16x8": SystolicParams(rows=16, cols=8, lanes=4, bus_bits=64, activation_bytes=32768, accumulator_bytes=16384, vector_bytes=16384),
    "no window": SystolicParams(rows=8, cols=8, lanes=8, bus_bits=64, window_taps=0, activation_bytes=32768),
}


def irregular(seed, channels=16):
    """A random network of convolutions of all kinds, pooling, sums and concatenations of what came before."""
    rng = np.random.default_rng(seed)
    net = Network(f"irregular_{seed}", seed, zero_point=int(rng.choice([0, 128, 77])))
    size = int(rng.integers(5, 10))
    there = [net.input("x", (1, 3, size, size))]
    there.append(net.conv("stem", there[0], channels, (3, 3)))
    for number in range(int(rng.integers(6, 11))):
        name = f"n{number}"
        alike = [t for t in there[1:] if net.shapes[t][2:] == net.shapes[there[-1]][2:]]
        source = str(rng.choice(alike[-4:]))
        kind = rng.choice(["conv", "point", "depthwise", "concat", "concat", "add", "pool", "stride"])
        if kind == "concat" and len(alike) > 1:
            picked = [str(t) for t in rng.choice(alike, min(len(alike), int(rng.integers(2, 5))), replace=False)]
            joined = net.concat(f"{name}_all", picked)
            made = (net.conv(name, joined, int(rng.choice([channels, 2 * channels, 10]))) if rng.random() < 0.6 else
                    net.conv(name, joined, net.shapes[joined][1], (3, 3), depthwise=True))
        elif kind == "add" and any(net.shapes[t] == net.shapes[source] and t != source for t in alike):
            made = net.add(name, source, next(t for t in alike if net.shapes[t] == net.shapes[source] and t != source))
        elif kind == "depthwise":
            made = net.conv(name, source, net.shapes[source][1], (3, 3) if rng.random() < 0.7 else (5, 5), depthwise=True,
                            dilation=int(rng.choice([1, 1, 2])))
        elif kind == "pool":
            made = net.pool(name, source, *((2, 2) if min(net.shapes[source][2:]) > 4 else (3, 1)))
        elif kind == "stride" and min(net.shapes[source][2:]) > 4:
            made = net.conv(name, source, channels, (3, 3), 2)
        else:
            made = net.conv(name, source, channels, (3, 3) if kind == "conv" else (1, 1), dilation=int(rng.choice([1, 1, 2])))
        there.append(made)
    return net.model([there[-1]]), {"x_float": rng.standard_normal((1, 3, size, size)).astype(np.float32) * 3}


@pytest.mark.parametrize("name", ARRAYS)
def test_random_networks(name):
    reached = Counter()
    for seed in range(9):
        model, feeds = irregular(seed, 16 if name != "4x4" else 8)
        graph = read_graph(model)
        inputs = quantise_inputs(graph, feeds)
        program = compile_graph(graph, covenant(ARRAYS[name]), schedule=SCHEDULES[seed % 3], on_chip=True, effort=1)
        assert mismatches(program, graph, inputs) == 0, f"seed {seed}"
        reached["on chip"] += len({tensor for layer in program.layers for tensor in layer.outputs} - program.tensors.keys())
        reached["in parts"] += sum(not layer.outputs for layer in program.layers)
    assert reached["on chip"] > 20 and reached["in parts"] > 8, reached


@pytest.mark.parametrize("name", ["4x4", "16x16"])
def test_tensors_in_any_of_their_places(name):
    """And with any number of slots, at any end of a buffer: another program, the same results."""
    reached, rng = Counter(), np.random.default_rng(3)
    for seed in range(12):
        model, feeds = irregular(seed, 16 if name != "4x4" else 8)
        graph = read_graph(model)
        network = Mapped(graph, covenant(ARRAYS[name]), on_chip=True)
        places = {choice.name: str(rng.choice(choice.options)) for choice in network.places}
        if seed % 2:  # few tensors may have two places
            places |= {choice.name: "both" for choice in network.places if "both" in choice.options}
        there = network.placed(places)
        layers = {}
        for number, layer in enumerate(there.layers):
            choices = dict(there.searched(number, 1).choices)
            changed = {c.name: c.options[int(rng.integers(len(c.options)))] for c in there.space(number).choices if c.between}
            layers[layer.name] = Mapping(choices | changed)
            reached["slots"] += len(changed) > 0
        try:
            program = compile_graph(graph, network.covenant, on_chip=True, mapping=NetworkMapping(layers, places))
        except CompileError as error:
            assert "too small" in str(error)
            reached["no room"] += 1
            continue
        assert mismatches(program, graph, quantise_inputs(graph, feeds)) == 0, f"seed {seed}"
        assert not {name for name, place in places.items() if place == "dram"} & {n for n, h in there.homes.items() if h.on_chip}
        reached["copies"] += sum(layer.op == "Copy" for layer in program.layers)
        reached["left"] += sum(network.homes[name].on_chip > there.homes[name].on_chip for name in places)
    assert reached["copies"] and reached["left"] > 3 and reached["slots"] > 20 and reached["no room"] < 4, reached


def test_places_that_are_none():
    network = Mapped(read_graph(irregular(0)[0]), covenant(preset("edge16")), on_chip=True)
    with pytest.raises(CompileError, match="^tensor nowhere: there is no choice 'chip' of where it stays$"):
        network.placed({"nowhere": "chip"})
    with pytest.raises(CompileError, match="^the mapping keeps tensors on chip: allow that"):
        compile_graph(read_graph(irregular(0)[0]), network.covenant, mapping=NetworkMapping({}, {network.places[0].name: "dram"}))


@pytest.mark.rtl
@pytest.mark.parametrize("name", ["4x4", "4x16"])
def test_random_networks_in_rtl(name):
    params = SHAPES[name]
    batch = []
    for seed in range(22, 26):
        case = Case(f"irregular {seed}", *irregular(seed, 8))
        batch.append(prepare_case(case, params, schedule="optimal", on_chip=True))
        graph = read_graph(case.model)
        expected = evaluate(graph, quantise_inputs(graph, case.inputs))
        (output,) = batch[-1].program.outputs
        assert (batch[-1].program.tensors[output].read(batch[-1].after) == expected[output]).all()
    seen = against_rtl(batch, params)
    assert seen["mismatches"] == 0 and seen["bytes"] > 1000


def test_on_chip_saves_traffic_and_changes_no_result():
    """What stays is neither stored nor fetched."""
    stored = Counter()
    for seed in range(3):
        model, feeds = irregular(seed)
        graph = read_graph(model)
        for on_chip in (False, True):
            program = compile_graph(graph, covenant(preset("edge16")), on_chip=on_chip, effort=1)
            assert mismatches(program, graph, quantise_inputs(graph, feeds)) == 0
            stored[on_chip] += sum(i.mnemonic.timing.cycles("occupancy", i.fields) for i in program.instructions
                               if i.mnemonic.name == "STORE")
    assert stored[True] < 0.6 * stored[False], stored


def test_margins_are_written_a_word_a_cycle():
    """A margin's rows are contiguous on chip, and nothing is read for them."""
    graph = covenant(preset("edge16"))
    margins = cycles = written = 0
    for seed in range(3):
        program = compile_graph(read_graph(irregular(seed)[0]), graph, on_chip=True, effort=1)
        for instruction in (i for i in program.instructions if i.note.startswith("margin")):
            transfer = transfer_of(instruction, frozenset(graph.memory_bytes), graph.bus_bytes, 16)
            assert not any(transfer.beats)
            margins, cycles = margins + 1, cycles + sum(transfer.cycles)
            written += math.prod(loop.count(instruction.fields) for loop in instruction.mnemonic.effect.loops)
    assert margins > 10
    assert cycles < 2 * written / graph.bus_bytes, (cycles, written)  # a row may begin and end within a word


def test_an_unknown_schedule_is_refused():
    graph = read_graph(irregular(0)[0])
    with pytest.raises(CompileError, match=r"^schedule must be one of file, greedy, optimal, not 'best'$"):
        compile_graph(graph, covenant(preset("edge16")), schedule="best")
