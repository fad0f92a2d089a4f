"""Softmax and layer normalisation: the result under every mapping, how near it is to real arithmetic, what is refused."""

import itertools

import numpy as np
import pytest

from tenon.compiler.compile import compile_graph
from tenon.compiler.errors import CompileError
from tenon.compiler.evaluate import evaluate
from tenon.compiler.frontend import read_graph
from tenon.compiler.home import homes_of
from tenon.compiler.host import quantise_inputs
from tenon.compiler.layer import layers_of
from tenon.compiler.machine import Machine
from tenon.compiler.mapping import NetworkMapping
from tenon.compiler.rows import Normalise, Softmax, run_of
from tenon.compiler.space import space_of
from tenon.hw.covenant import covenant
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset
from tenon.tb.kernel_networks import mismatches, random_inputs
from tenon.tb.random_model import ModelBuilder


def softmax(shape, axis=-1, seed=0, scale=0.05):
    b = ModelBuilder(np.random.default_rng(seed))
    x = b.input(shape, [b.put(np.float32(scale)), b.put(b.zero_point())])
    share = [b.put(np.float32(1 / 256)), b.put(np.zeros((), b.kind))]
    return b.model(b.quantise(b.op("Softmax", [x], axis=axis), parameters=share), shape), b.feeds


def normalisation(shape, seed=0, **inputs):
    b = ModelBuilder(np.random.default_rng(seed))
    x = b.input(shape)
    factors = [inputs.get("scale", np.ones(shape[-1], np.float32)), inputs.get("bias", np.zeros(shape[-1], np.float32))]
    return b.model(b.quantise(b.op("LayerNormalization", [x, *(b.put(f) for f in factors)]), 0.03), shape), b.feeds


@pytest.mark.parametrize(("rows", "cols"), [(4, 4), (4, 16), (16, 8)])
@pytest.mark.parametrize("make", [softmax, normalisation])
def test_any_mapping_gives_the_same(make, rows, cols):
    """Tiles, chunks that end within a run, and passes that overlap: the definition does not depend on them."""
    model, feeds = make([21, 43], seed=3)
    graph = read_graph(model)
    hardware = covenant(SystolicParams(rows=rows, cols=cols, lanes=cols, bus_bits=64, parameter_bytes=32768))
    machine, inputs = Machine(hardware), quantise_inputs(graph, feeds)
    layers = layers_of(graph)
    homes, _ = homes_of(graph, layers, machine)
    (layer,) = (l for l in layers if isinstance(l.main, Softmax | Normalise))
    cut = set()
    for mapping in space_of(machine, graph, layer, homes):
        if mapping.choices["pieces"] in (2, 8):  # as 1 and 4
            continue
        try:
            program = compile_graph(graph, hardware, mapping=NetworkMapping({layer.name: mapping}), effort=1)
        except CompileError as error:
            assert "too small" in str(error)
            continue
        assert mismatches(program, graph, inputs) == 0, mapping
        cut.add((mapping.choices["runs"] * run_of(43) < 43, mapping.choices["depth"], mapping.choices["pieces"]))
    assert cut == set(itertools.product((True, False), (1, 2), (1, 4) if make is normalisation else (1,)))


@pytest.mark.parametrize("scale", [0.001, 0.05, 1.0])
def test_softmax_is_within_a_step_of_real_arithmetic(scale):
    graph = read_graph(softmax([40, 300], scale=scale)[0])
    (kernel,) = (k for k in graph.kernels if isinstance(k, Softmax))
    x = np.random.default_rng(1).integers(*np.add(graph.tensors[kernel.x].bounds, (0, 1)), graph.tensors[kernel.x].shape)
    got = evaluate(graph_of_one(graph, kernel), {kernel.x: x})[kernel.y][0, 0].astype(int)
    real = np.exp(x[0, 0] * float(np.float32(scale)) - x[0, 0].max(0) * float(np.float32(scale)))
    wanted = np.clip(np.rint(real / real.sum(0) * 256) + kernel.zy, kernel.lo, kernel.hi)
    assert np.abs(got - wanted).max() <= 1 and (got != wanted).mean() < 1e-3


def graph_of_one(graph, kernel):
    return type(graph)("one", graph.tensors, (kernel.x,), (kernel.y,), (kernel,))


def test_columns_of_equal_elements():
    """No variance at all: the result is the bias; and a softmax of equals is even."""
    bias = np.linspace(-1, 1, 24).astype(np.float32)
    model, feeds = normalisation([5, 24], bias=bias)
    graph = read_graph(model)
    inputs = {name: np.full(graph.tensors[name].shape, 3) for name in graph.inputs}
    y = graph.tensors[graph.outputs[0]]
    got = y.to_onnx(evaluate(graph, inputs)[y.name])
    assert (got == np.clip(np.rint(bias / np.float32(y.scale)) + y.zero_point, *y.bounds)).all()


def test_axes_and_operator_sets():
    """Before operator set 13, everything from the axis on is one dimension."""
    model, feeds = softmax([2, 6, 3, 4], axis=1)
    old = type(model)()
    old.CopyFrom(model)
    old.opset_import[0].version = 12
    lengths = [next(g.tensors[k.x].shape[2] for k in g.kernels if isinstance(k, Softmax)) for g in map(read_graph, (model, old))]
    assert lengths == [6, 72]


def test_long_columns_are_finished_in_pieces():
    """Where the smallest memory of constants has no room for a whole run of them."""
    graph, hardware = read_graph(normalisation([3, 1024])[0]), covenant(preset("tiny"))
    program = compile_graph(graph, hardware, effort=1)
    (layer,) = (name for name, m in program.mapping.layers.items() if m.choices.get("pieces", 1) > 1)
    assert mismatches(program, graph, random_inputs(graph)) == 0, layer


def test_a_buffer_that_is_too_small_is_named():
    small = SystolicParams(rows=4, cols=4, lanes=4, bus_bits=32, parameter_bytes=1024)
    with pytest.raises(CompileError, match=r"LayerNormalization.*buffer PAR too small for .* bytes of part"):
        compile_graph(read_graph(normalisation([4, 512])[0]), covenant(small))


@pytest.mark.parametrize(("inputs", "words"), [
    (dict(scale=np.ones(5, np.float32)), "its scale is [5], which cannot be broadcast to [24]"),
])
def test_refusals(inputs, words):
    with pytest.raises(CompileError) as refusal:
        read_graph(normalisation([3, 24], **inputs)[0])
    assert words in str(refusal.value)
