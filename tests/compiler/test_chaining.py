"""Layers that are executed together, tile by tile: any chain under any mapping is right, or refused for want of room."""

from collections import Counter

import numpy as np
import pytest

from tenon.compiler import network
from tenon.compiler.chaining import chained
from tenon.compiler.compile import compile_graph
from tenon.compiler.errors import CompileError
from tenon.compiler.ir import Add, Graph, Lookup, Pool, output_size
from tenon.compiler.lower import made
from tenon.compiler.mapping import Mapping, NetworkMapping
from tenon.tb.kernel_networks import COVENANTS, conv, mismatches, random_inputs, tensor


def random_chain(seed):
    """Up to three layers, the middle one a depthwise convolution or pooling, others convolutions; an addition to the last, or tables."""
    rng = np.random.default_rng(seed)
    channels = [int(rng.choice([3, 8, 12, 20])), hidden := int(rng.choice([8, 20, 36])), hidden, int(rng.choice([5, 16, 20]))]
    kinds = [("first", "middle", "last"), ("first", "middle"), ("middle", "last")][seed % 3]
    dtype = str(rng.choice(["uint8", "int8"]))
    size, tensors, kernels = (1, int(rng.integers(7, 20)), int(rng.integers(5, 12))), [], []
    x = tensor("x", *size, channels[0] if kinds[0] == "first" else hidden, dtype=dtype, zero_point=int(rng.integers(0, 9)))
    tensors.append(x)
    for k, kind in enumerate(kinds):
        out = channels[3] if kind == "last" else hidden
        window = {"strides": (1, 1), "pads": (0, 0, 0, 0)}
        kernel = (1, 1)
        if kind != "last":
            kernel = tuple(int(n) for n in rng.choice([1, 3, 3, 5], 2)) if kind == "middle" else (3, 3) if rng.random() < 0.4 else (1, 1)
            pads = rng.integers(0, (kernel[0] + 1) // 2, 4) if rng.random() < 0.8 else np.zeros(4)
            window = {"strides": tuple(int(n) for n in rng.choice([1, 1, 2], 2)), "pads": tuple(int(p) for p in pads),
                      "dilations": (int(rng.choice([1, 1, 2])), 1)}
        pooled = kind == "middle" and rng.random() < 0.3
        if kind == "middle":
            window["group"] = hidden
        probe = conv(rng, x, tensor("probe", 1, 1, 1, out, dtype=dtype), kernel, channels_out=out, **window)
        if min(output_size(x.shape, kernel, probe)) < 1:
            return random_chain(seed + 1000)
        y = tensor(f"t{k}", 1, *output_size(x.shape, kernel, probe), out, dtype=dtype, zero_point=int(rng.integers(0, 9)))
        if pooled:
            y = tensor(y.name, *y.shape, dtype=dtype, zero_point=x.zero_point)
            lo, hi = y.bounds
            kernels.append(Pool(f"pool{k}", (f"pool{k}",), "MaxPool", True, "max", x.name, y.name, kernel, *(
                window[name] for name in ("strides", "pads", "dilations")), lo=lo, hi=hi))
            tensors.append(y)
            x = y
            continue
        kernels.append(conv(rng, x, y, kernel, channels_out=out, per_channel=bool(rng.random() < 0.5), zw=(int(rng.integers(-3, 3)),),
                            **window))
        tensors.append(y)
        if rng.random() < 0.2:
            again = tensor(f"l{k}", *y.shape, dtype=dtype, zero_point=y.zero_point)
            table = rng.integers(0, 256, 256).astype(np.uint8)
            kernels.append(Lookup(f"table{k}", (f"table{k}",), "Relu", True, y.name, again.name, table))
            tensors.append(again)
            y = again
        x = y
    inputs = ["x"]
    if kinds[-1] == "last" and rng.random() < 0.4 and kernels[-1].op == "Conv":
        other, total = tensor("other", *x.shape, dtype=dtype), tensor("sum", *x.shape, dtype=dtype)
        lo, hi = total.bounds
        kernels.append(Add("add", ("add",), "Add", True, x.name, "other", "sum", 0.7, 0.6, -1.0, lo, hi))
        tensors += [other, total]
        inputs.append("other")
    graph = Graph("chain", {t.name: t for t in tensors}, tuple(inputs), (kernels[-1].y,), tuple(kernels))
    graph.verify()
    return graph


@pytest.fixture
def chains(monkeypatch):
    """What can be executed together is."""
    monkeypatch.setattr(network, "chained", lambda machine, graph, layers, kept, cycles: chained(
        machine, graph, layers, kept, lambda layer: -len(layer.before)))


def runs(name, count):
    """Random chains under random mappings: how many were right, and of what kind."""
    seen = Counter()
    for seed in range(count):
        graph, rng = random_chain(seed), np.random.default_rng(seed)
        try:
            laid_out = network.Network(graph, COVENANTS[name], on_chip=True)
        except CompileError as error:
            assert "too small" in str(error)
            continue
        whole = [layer for layer in laid_out.layers if layer.before]
        if not whole:
            seen["apart"] += 1
            continue
        spaces = {layer.name: laid_out.space(k) for k, layer in enumerate(laid_out.layers)}
        for _ in range(3):
            mapping = NetworkMapping({n: s[int(rng.integers(s.size))] for n, s in spaces.items()})
            try:
                program = compile_graph(graph, COVENANTS[name], mapping=mapping, on_chip=True)
            except CompileError as error:
                assert "too small" in str(error) or "no instruction computes" in str(error) or "more tables" in str(error), error
                seen["refused"] += 1
                continue
            wrong = mismatches(program, graph, random_inputs(graph, seed))
            seen["wrong" if wrong else "right"] += 1
            seen[len(whole[0].chain)] += 1
            seen["one tile" if mapping.layers[whole[0].name].choices["tile_h"] == graph.tensors[whole[0].y].shape[1] else "tiles"] += 1
            seen["add"] += bool(whole[0].add)
            seen["pool"] += any(isinstance(layer.main, Pool) for layer in whole[0].chain)
            seen["table"] += any(layer.lookup is not None for layer in whole[0].chain)
    return seen


@pytest.mark.parametrize("name", ["tiny", "edge8", "4x16", "16x8", "edge16"])
def test_random_chains_under_random_mappings(chains, name):
    seen = runs(name, 45)
    assert not seen["wrong"] and seen["right"] > 40, seen
    assert min(seen[kind] for kind in (2, 3, "one tile", "tiles", "add", "table", "pool")) > 3, seen


def test_a_row_that_is_not_written_again_is_missed(chains, monkeypatch):
    """So the test above would see it."""
    monkeypatch.setattr(made.Made, "_rows", lambda self, tile, low, high: [next(rows(self, tile, low, high))])
    assert runs("edge8", 45)["wrong"] > 2


rows = made.Made._rows


def test_room_is_not_taken_too_early(chains, monkeypatch):
    monkeypatch.setattr(made.Made, "room", lambda self, unit, tile, done: True)
    assert runs("edge8", 45)["wrong"]


def test_a_network_takes_what_is_quicker():
    """Three layers as one, and nothing of what is between them in DRAM."""
    rng = np.random.default_rng(1)
    x, a, b, y = tensor("x", 1, 24, 24, 16), tensor("a", 1, 24, 24, 64), tensor("b", 1, 24, 24, 64), tensor("y", 1, 24, 24, 16)
    kernels = (conv(rng, x, a, (1, 1), channels_out=64), conv(rng, a, b, (3, 3), channels_out=64, group=64, pads=(1, 1, 1, 1)),
               conv(rng, b, y, (1, 1), channels_out=16))
    graph = Graph("block", {t.name: t for t in (x, a, b, y)}, ("x",), ("y",), kernels)
    program = compile_graph(graph, COVENANTS["edge16"], on_chip=True)
    assert [record.op for record in program.layers] == ["Conv+Conv+Conv"] and program.tensors.keys() == {"x", "y"}
    assert mismatches(program, graph, random_inputs(graph)) == 0
    replayed = compile_graph(graph, COVENANTS["edge16"], on_chip=True, mapping=program.mapping)
    assert replayed.image() == program.image()
    with pytest.raises(CompileError, match="a mapping's chunk must be one of"):
        compile_graph(graph, COVENANTS["edge16"], on_chip=True, mapping=NetworkMapping({"y_conv": Mapping({"tile_n": 1, "tile_h": 1,
                      "tile_w": 24, "chunk": 3, "ahead": 2, "early": 1, "slots_acc": 1, "slots_y": 1})}))
