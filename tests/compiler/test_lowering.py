"""Programs against the kernels' definition, by the functional simulator: random models, shapes of arrays and mappings."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tenon.compiler.compile import compile_graph
from tenon.compiler.errors import CompileError
from tenon.compiler.frontend import read_graph
from tenon.compiler.home import homes_of
from tenon.compiler.host import quantise_inputs
from tenon.compiler.ir import Add, Graph, Pool, output_size
from tenon.compiler.layer import layers_of
from tenon.compiler.machine import Machine
from tenon.compiler.mapping import NetworkMapping
from tenon.compiler.space import space_of
from tenon.hw.covenant import covenant
from tenon.hw.params import SystolicParams
from tenon.tb.functional import FunctionalSimulator
from tenon.tb.kernel_networks import COVENANTS, conv, mismatches, random_inputs, small_network, tensor
from tenon.tb.random_layers import random_case

SHAPES = ("tiny", "4x16", "16x8", "edge8")


@pytest.mark.parametrize("name", SHAPES)
def test_random_models(name):
    for seed in range(60):
        case = random_case(seed)
        graph = read_graph(case.model)
        program = compile_graph(graph, COVENANTS[name], effort=1)
        assert mismatches(program, graph, quantise_inputs(graph, case.inputs)) == 0, f"seed {seed}: {case.name}"


@pytest.mark.parametrize("name", SHAPES)
def test_any_mapping_is_right_or_refused(name):
    machine, right = Machine(COVENANTS[name]), 0
    for seed in range(12):
        case = random_case(seed)
        graph = read_graph(case.model)
        rng = np.random.default_rng(seed)
        layers = layers_of(graph)
        homes, _ = homes_of(graph, layers, machine)
        spaces = {layer.name: space_of(machine, graph, layer, homes) for layer in layers}
        for _ in range(3):
            mapping = NetworkMapping({n: s[int(rng.integers(s.size))] for n, s in spaces.items()})
            try:
                program = compile_graph(graph, COVENANTS[name], mapping=mapping)
            except CompileError as error:
                assert "too small" in str(error) or "no instruction computes" in str(error)
                continue
            assert program.mapping == mapping
            assert mismatches(program, graph, quantise_inputs(graph, case.inputs)) == 0, f"seed {seed}: {mapping}"
            right += 1
    assert right > 30


def single(kernel, *tensors):
    graph = Graph("single", {t.name: t for t in tensors}, tuple(kernel.inputs), (kernel.y,), (kernel,))
    graph.verify()
    return graph


@pytest.mark.parametrize("window", [
    {"strides": (2, 1), "pads": (2, 0, 1, 1)}, {"dilations": (2, 3), "pads": (1, 3, 2, 2)}, {"group": 3}, {"group": 12},
    {"strides": (3, 3)}, {"zw": (5,)}, {"zw": tuple(range(-6, 6))}, {"per_channel": True, "pads": (1, 1, 1, 1)},
], ids=str)
@pytest.mark.parametrize("name", SHAPES)
def test_convolutions_by_their_attributes(name, window):
    rng = np.random.default_rng(3)
    x = tensor("x", 2, 11, 10, 12, dtype="int8", zero_point=-4)
    probe = conv(rng, x, tensor("y", 1, 1, 1, 12), (3, 2), channels_out=12, **window)
    y = tensor("y", 2, *output_size(x.shape, (3, 2), probe), 12, dtype="int8")
    kernel = conv(rng, x, y, (3, 2), channels_out=12, **window)
    graph = single(kernel, x, y)
    assert mismatches(compile_graph(graph, COVENANTS[name], effort=2), graph, random_inputs(graph)) == 0


def test_average_counts_what_lies_inside():
    x, y = tensor("x", 1, 7, 6, 20), tensor("y", 1, 4, 3, 20)
    for include in (False, True):
        kernel = Pool("pool", ("node",), "AveragePool", True, "average", "x", "y", (3, 3), (2, 2), (1, 1, 1, 1),
                      count_include_pad=include, sx=0.05, sy=0.04, zx=3, zy=3, lo=0, hi=255)
        graph = single(kernel, x, y)
        program = compile_graph(graph, COVENANTS["16x8"])
        assert mismatches(program, graph, random_inputs(graph)) == 0
        divisors = {i.fields["f1_p"] for i in program.instructions if i.mnemonic.name == "VECTOR"}
        assert len(divisors) == (1 if include else 3), "windows at the border have divisors of their own"


@pytest.mark.parametrize("sides", [("b", "a"), ("a", "b")], ids=["convolution second", "convolution first"])
def test_addition_is_fused_on_either_side(sides):
    graph = small_network()
    swapped = tuple(replace(k, a=sides[1], b=sides[0]) if isinstance(k, Add) else k for k in graph.kernels)
    graph = replace(graph, kernels=swapped)
    program = compile_graph(graph, COVENANTS["tiny"])
    assert [layer.op for layer in program.layers] == ["Conv", "Conv+Add", "MaxPool", "Relu", "Conv"]
    assert "b" not in program.tensors, "the sum's operand is never stored"
    assert mismatches(program, graph, random_inputs(graph)) == 0


def test_a_result_that_others_read_is_stored_before_it_is_added():
    graph = small_network()
    graph = replace(graph, outputs=("y", "b"))
    program = compile_graph(graph, COVENANTS["tiny"])
    assert "Conv+Add" not in [layer.op for layer in program.layers]
    assert program.tensors["b"].home.segment == "OUTPUTS"
    assert mismatches(program, graph, random_inputs(graph)) == 0


@pytest.mark.parametrize("name", ["tiny", "edge8"])
def test_constants_of_many_channels_stay_while_they_are_used(name):
    """More channels than the parameter buffer holds constants of, and sums that take several steps."""
    x, y = tensor("x", 1, 1, 40, 300), tensor("y", 1, 1, 40, 1100)
    rng = np.random.default_rng(4)
    kernel = conv(rng, x, y, (1, 1), channels_out=1100, per_channel=True, zw=tuple(rng.integers(-3, 4, 1100)))
    graph = single(kernel, x, y)
    for effort in (1, 4):
        assert mismatches(compile_graph(graph, COVENANTS[name], effort=effort), graph, random_inputs(graph)) == 0


def test_what_cannot_fit_names_layer_node_and_buffer():
    small = covenant(SystolicParams.from_dict({
        "name": "small", "rows": 4, "cols": 4, "activation_bytes": 1024, "weight_bytes": 1024, "accumulator_bytes": 1024,
        "vector_bytes": 1024, "parameter_bytes": 1024}))
    x, y = tensor("x", 1, 40, 40, 4), tensor("y", 1, 1, 1, 4)
    kernel = Pool("pool", ("node",), "AveragePool", False, "average", "x", "y", (40, 40), sx=0.05, sy=0.05, lo=0, hi=255)
    with pytest.raises(CompileError, match=r"^layer pool \(node\): buffer VEC too small for .* of 1024 bytes; a configuration"):
        compile_graph(single(kernel, x, y), small)
    kernel = Pool("pool", ("node",), "GlobalAveragePool", True, "global", "x", "y", (40, 40), sx=0.05, sy=0.05, lo=0, hi=255)
    assert mismatches(compile_graph(single(kernel, x, y), small), single(kernel, x, y), random_inputs(single(kernel, x, y))) == 0
    kernel = conv(np.random.default_rng(0), x, y, (40, 40), channels_out=4, group=4)
    with pytest.raises(CompileError, match=r"^layer y_conv \(y_node\): buffer ACT too small for the activations of a tile: "):
        compile_graph(single(kernel, x, y), small)


def test_a_mapping_outside_the_space_is_refused():
    graph = small_network()
    mapping = compile_graph(graph, COVENANTS["tiny"], effort=1).mapping
    layers = dict(mapping.layers)
    name = graph.kernels[0].name
    layers[name] = type(layers[name])({**layers[name].choices, "tile_h": 1000})
    with pytest.raises(CompileError, match=rf"^layer {re.escape(name)}: a mapping's tile_h must be one of 1, .*, not 1000$"):
        compile_graph(graph, COVENANTS["tiny"], mapping=NetworkMapping(layers))


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 1, 1, 1)])
def test_nothing_depends_on_what_memories_held(pads):
    """Also not the padding of channels: two programs in one simulation leave the same bytes in either order."""
    x, y, z = tensor("x", 1, 7, 6, 5), tensor("y", 1, 7 - 1 + sum(pads[::2]), 6 - 1 + sum(pads[1::2]), 5), tensor("z", 1, 1, 1, 5)
    kernels = (Pool("pool", ("p",), "MaxPool", True, "max", "x", "y", (2, 2), pads=pads, lo=0, hi=255),
               Pool("mean", ("m",), "GlobalAveragePool", True, "global", "y", "z", y.shape[1:3], sx=1.0, sy=1.0, lo=0, hi=255))
    graph = Graph("pools", {t.name: t for t in (x, y, z)}, ("x",), ("z",), kernels)
    graph.verify()
    program = compile_graph(graph, COVENANTS["edge8"], effort=1)
    left = []
    for dirt in (0, 0xA5):
        memory = program.memory()
        program.tensors["x"].write(memory, random_inputs(graph)["x"])
        simulator = FunctionalSimulator(COVENANTS["edge8"].memory_bytes)
        for held in simulator.memories.values():
            held[...] = dirt
        simulator.run(program.instructions, memory)
        left.append(memory["ARENA"].copy())
    assert (left[0] == left[1]).all()
