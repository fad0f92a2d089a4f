"""Small kernel graphs, and the functional execution of their programs: what tests of the compiler share."""

from __future__ import annotations

import numpy as np

from tenon.compiler.checker import check_program
from tenon.compiler.evaluate import evaluate
from tenon.compiler.ir import Add, Conv, Graph, Lookup, Pool, Tensor
from tenon.hw.covenant import covenant
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset
from tenon.tb.functional import FunctionalSimulator, Instruction

__all__ = ["COVENANTS", "conv", "mismatches", "random_inputs", "small_network", "tensor"]

_KIB = 1024
_SMALL = dict(activation_bytes=16 * _KIB, weight_bytes=16 * _KIB, accumulator_bytes=16 * _KIB, vector_bytes=16 * _KIB,
              parameter_bytes=4 * _KIB)

COVENANTS = {
    "tiny": covenant(preset("tiny")),
    "edge8": covenant(preset("edge8")),
    "4x16": covenant(SystolicParams.from_dict({"name": "r4c16", "rows": 4, "cols": 16, **_SMALL})),
    "16x8": covenant(SystolicParams.from_dict({"name": "r16c8", "rows": 16, "cols": 8, **_SMALL})),
    "edge16": covenant(preset("edge16")),
}


def conv(rng, x, y, kernel, *, channels_out, zw=(0,), per_channel=False, **window) -> Conv:
    """A convolution with random weights."""
    group = window.get("group", 1)
    shape = (*kernel, x.shape[3] // group, channels_out)
    weight = rng.integers(-128, 128, shape)
    depth = int(np.prod(shape[:3]))
    scale = (rng.uniform(0.5, 1.5, channels_out if per_channel else 1) / (60 * 40 * np.sqrt(depth))).astype(np.float32)
    lo, hi = y.bounds
    return Conv(f"{y.name}_conv", (f"{y.name}_node",), "Conv", True, x.name, y.name, weight,
                rng.integers(-5000, 5000, channels_out).astype(np.int32), scale, x.zero_point, np.array(zw), y.zero_point,
                lo, hi, **window)


def tensor(name, *shape, dtype="uint8", zero_point=3) -> Tensor:
    return Tensor(name, tuple(shape), dtype, 0.05, zero_point, name, tuple(shape))


def small_network(seed: int = 0) -> Graph:
    """Convolutions, one of them with a residual addition, pooling, a table and a product."""
    rng = np.random.default_rng(seed)
    x, a, b = tensor("x", 1, 9, 8, 3), tensor("a", 1, 9, 8, 20), tensor("b", 1, 9, 8, 20)
    s, p, t = tensor("s", 1, 9, 8, 20), tensor("p", 1, 5, 4, 20), tensor("t", 1, 5, 4, 20)
    y = tensor("y", 1, 1, 1, 10)
    kernels = (
        conv(rng, x, a, (3, 3), channels_out=20, pads=(1, 1, 1, 1), per_channel=True),
        conv(rng, a, b, (3, 3), channels_out=20, pads=(1, 1, 1, 1), zw=(2,)),
        Add("sum", ("sum_node",), "Add", True, "b", "a", "s", 0.7, 0.6, -1.0, 0, 255),
        Pool("pool", ("pool_node",), "MaxPool", True, "max", "s", "p", (3, 3), (2, 2), (1, 1, 1, 1), lo=0, hi=255),
        Lookup("table", ("table_node",), "Relu", True, "p", "t", rng.integers(0, 256, 256).astype(np.uint8)),
        conv(rng, t, y, (5, 4), channels_out=10),
    )
    graph = Graph("small", {v.name: v for v in (x, a, b, s, p, t, y)}, ("x",), ("y",), kernels)
    graph.verify()
    return graph


def random_inputs(graph: Graph, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    found = {}
    for name in graph.inputs:
        t = graph.tensors[name]
        lo, hi = t.bounds
        found[name] = rng.integers(lo, hi + 1, t.shape).astype(t.dtype)
    return found


def mismatches(program, graph: Graph, inputs: dict[str, np.ndarray]) -> int:
    """Elements of any stored tensor that differ from the graph's definition, after a check that the program is legal."""
    check_program(program.covenant, program.image(), program.segments)
    memory = program.memory()
    for name in program.inputs:
        program.tensors[name].write(memory, inputs[name])
    code = [Instruction(i.mnemonic, i.fields, i.header) for i in program.instructions]
    FunctionalSimulator(program.covenant.memory_bytes).run(code, memory)
    expected = evaluate(graph, inputs)
    return sum(int((placed.read(memory) != expected[name]).sum()) for name, placed in program.tensors.items())
