"""Networks as packets: every element of every layer is what the kernel graph's definition says."""

from dataclasses import replace

import numpy as np
import pytest

from tenon.compiler.errors import CompileError
from tenon.compiler.evaluate import evaluate
from tenon.compiler.frontend import read_graph
from tenon.compiler.ir import Add, Conv, Graph, Lookup, Pool, Tensor, output_size
from tenon.compiler.layer import layers_of
from tenon.compiler.packets.network import compile_packets
from tenon.flows.source import open_source
from tenon.hw.packet.covenant import packet_covenant
from tenon.hw.packet.presets import PACKET_PRESETS
from tenon.tb.packets.simulate import PacketSimulator

GRAPHS = {name: packet_covenant(p) for name, p in PACKET_PRESETS.items()}


def network(name, kinds=()):
    """A network of the zoo up to the first kernel that is none of ``kinds``; the host reads what every layer makes."""
    graph = read_graph(open_source(f"zoo:{name}").model)
    end = next((k for k, kernel in enumerate(graph.kernels) if kinds and not isinstance(kernel, kinds)), len(graph.kernels))
    graph = replace(graph, kernels=graph.kernels[:end], outputs=(graph.kernels[end - 1].y,))
    return replace(graph, outputs=tuple(layer.y for layer in layers_of(graph)))


def run(graph, covenant, seed=1):
    """Elements of all outputs that differ, of how many; and cycles, with transfers as early and as late as can be."""
    rng, program = np.random.default_rng(seed), compile_packets(graph, covenant)
    feeds = {}
    for name in graph.inputs:
        low, high = graph.tensors[name].bounds
        feeds[name] = rng.integers(low, high + 1, graph.tensors[name].shape).astype(graph.tensors[name].dtype)
    expected = evaluate(graph, feeds)
    wrong, total, cycles = 0, 0, []
    for late in (False, True):
        segments = {"CONSTANTS": np.frombuffer(program.constants, np.uint8).copy(), "ARENA": np.zeros(64, np.uint8),
                    "INPUTS": np.zeros(1 << 18, np.uint8), "OUTPUTS": np.zeros(1 << 20, np.uint8)}
        for name, offset in program.inputs.items():
            segments["INPUTS"][offset:offset + feeds[name].size] = feeds[name].reshape(-1).view(np.uint8)
        cycles.append(PacketSimulator(covenant).run(list(program.packets), segments, late=late).cycles)
        for name, offset in program.outputs.items():
            wanted = np.ascontiguousarray(expected[name]).reshape(-1).view(np.uint8)
            wrong += int((segments["OUTPUTS"][offset:offset + wanted.size] != wanted).sum())
            total += wanted.size
    assert cycles[0] == cycles[1]
    return wrong, total, cycles[0]


@pytest.mark.parametrize("preset", GRAPHS)
def test_digits(preset):
    assert run(network("digits"), GRAPHS[preset])[0] == 0


def test_resnet8():
    wrong, total, _ = run(network("resnet8", (Conv, Add, Pool)), GRAPHS["vec32"])
    assert wrong == 0 and total > 2 * 60_000


def test_dscnn():
    """Its pooling is a sum of 125 numbers, one after the other."""
    wrong, total, _ = run(network("dscnn", (Conv, Pool)), GRAPHS["vec32"])
    assert wrong == 0 and total > 2 * 64_000


def tensor(name, shape, rng):
    dtype = str(rng.choice(["int8", "uint8"]))
    low, high = (-128, 127) if dtype == "int8" else (0, 255)
    return Tensor(name, shape, dtype, 0.05, int(rng.integers(low, high + 1)))


def random_graph(seed):
    """A few kernels, each of a random kind, on what the last one made; and an addition of two that are alike."""
    rng = np.random.default_rng(seed)
    shape = (1, int(rng.integers(3, 9)), int(rng.integers(3, 11)), int(rng.integers(1, 41)))
    tensors, kernels, last = {"x": tensor("x", shape, rng)}, [], "x"
    for k in range(4):
        x, y, kind = tensors[last], f"t{k}", rng.choice(["conv", "deep", "same", "max", "mean", "table", "add", "add"])
        size = tuple(int(n) for n in rng.integers(1, 1 + np.minimum(3, x.shape[1:3])))
        window = {"strides": tuple(int(n) for n in rng.integers(1, 3, 2)), "pads": tuple(int(n) for n in rng.integers(0, size + size))}
        if kind == "same":  # a result that can be added to its operand
            size, window = (1, 1), {}
        if kind in ("conv", "deep", "same"):
            ci, group = (1, x.shape[3]) if kind == "deep" else (x.shape[3], 1)
            co = int(rng.integers(1, 41)) if kind == "conv" else x.shape[3]
            zw = int(rng.integers(-9, 10))
            scale = rng.uniform(1e-4, 4e-3, co if rng.random() < 0.5 else 1).astype(np.float32)
            weight, bias = rng.integers(-128, 128, (*size, ci, co)), rng.integers(-999, 999, co).astype(np.int32)
            kernel = Conv(y, (), "Conv", True, last, y, weight, bias, scale, x.zero_point, np.array([zw]), 0, 0, 0, group=group, **window)
            result = tensor(y, (1, *output_size(x.shape, size, kernel), co), rng)
            kernel = replace(kernel, zy=result.zero_point, lo=result.bounds[0], hi=result.bounds[1])
        elif kind in ("max", "mean"):
            kernel = Pool(y, (), "Pool", True, "max" if kind == "max" else "average", last, y, size, **window, sx=x.scale, sy=x.scale,
                          zx=x.zero_point, zy=x.zero_point, lo=x.bounds[0], hi=x.bounds[1], count_include_pad=bool(rng.random() < 0.5))
            result = replace(x, name=y, shape=(1, *output_size(x.shape, size, kernel), x.shape[3]))
        elif kind == "table":
            kernel, result = Lookup(y, (), "Sigmoid", True, last, y, rng.integers(0, 256, 256).astype(np.uint8)), tensor(y, x.shape, rng)
        else:
            other = rng.choice([n for n, t in tensors.items() if t.shape == x.shape])
            result = tensor(y, x.shape, rng)
            kernel = Add(y, (), "Add", True, last, str(other), y, 0.61, 0.43, float(result.zero_point), *result.bounds)
        kernels.append(kernel)
        tensors[y], last = result, y
    return Graph("random", tensors, ("x",), (last,), tuple(kernels))


def test_random_networks():
    """Right, or refused with the layer's name; nearly all are compiled."""
    compiled, kinds = 0, set()
    for seed in range(60):
        graph = random_graph(seed)
        graph = replace(graph, outputs=tuple(layer.y for layer in layers_of(graph)))
        try:
            graph.verify()
            wrong, _, _ = run(graph, GRAPHS[["vec16", "vec32", "vec128"][seed % 3]], seed)
        except CompileError as error:
            assert str(error).startswith("layer t")
            continue
        assert wrong == 0, seed
        compiled += 1
        kinds |= {layer.op for layer in layers_of(graph)}
    assert compiled > 45 and kinds >= {"Conv", "Pool", "Sigmoid", "Add", "Conv+Add", "Conv+Sigmoid"}, (compiled, kinds)


@pytest.mark.parametrize(("name", "preset", "message"), [
    ("resnet8", "vec32", "layer Gemm_0_QuantizeLinear_Output.1_copy: Transpose is not compiled to packets yet"),
    ("mobilenet_v2", "vec16", "does not fit beside what is there at the same time: 32768 bytes of scratchpad"),
])
def test_refusals(name, preset, message):
    with pytest.raises(CompileError, match=message):
        compile_packets(network(name), GRAPHS[preset])
