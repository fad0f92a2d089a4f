"""The kernel graph's arithmetic against ONNX Runtime, over random models of every operator."""

from collections import Counter

import numpy as np

from tenon.compiler.evaluate import evaluate
from tenon.compiler.frontend import read_graph
from tenon.compiler.host import quantise_inputs
from tenon.tb.random_layers import random_case
from tenon.tb.random_model import ModelBuilder
from tenon.tb.reference import Reference

_CASES = 304


def test_kernels_equal_the_reference():
    seen = Counter()
    for seed in range(_CASES):
        case = random_case(seed)
        graph = read_graph(case.model)
        values = evaluate(graph, quantise_inputs(graph, case.inputs))
        compared = [k for k in graph.kernels if graph.tensors[k.y].onnx_name]
        expected = Reference(case.model, [graph.tensors[k.y].onnx_name for k in compared]).run(case.inputs)
        for kernel in compared:
            tensor = graph.tensors[kernel.y]
            kind = graph.classes[tensor.name]
            difference = np.abs(tensor.to_onnx(values[kernel.y]).astype(int) - expected[tensor.onnx_name].astype(int))
            assert difference.max() <= {"exact": 0, "step": 1, "after": 255}[kind], f"{case.name}: {kernel.op}"
            seen[kind] += difference.size
            seen[kernel.op] += 1
            seen[tensor.dtype] += 1
            seen["varied"] += len(np.unique(expected[tensor.onnx_name])) > 2
    assert seen["exact"] > 100_000 and seen["step"] > 3_000
    assert set(seen) >= {"Conv", "MatMul", "Add", "MaxPool", "AveragePool", "GlobalAveragePool", "Clip", "Requantise", "Concat",
                         "Transpose",
                         "int8", "uint8"}
    assert seen["varied"] > _CASES / 2, "results must not all be saturated"


def test_numbers_need_no_tensors():
    """Constant with value_floats and value_int: as constants with a tensor."""
    b = ModelBuilder(np.random.default_rng(5), "uint8")
    x = b.input([1, 2, 4, 4])
    low, high = b.op("Constant", [], value_float=-0.5), b.op("Constant", [], value_float=2.5)
    y = b.op("Unsqueeze", [b.op("Clip", [x, low, high]), b.op("Constant", [], value_ints=[0])])
    y = b.quantise(b.op("Squeeze", [y, b.op("Constant", [], value_ints=[0])]), 0.03)
    model = b.model(y, [1, 2, 4, 4])
    graph = read_graph(model)
    values = evaluate(graph, quantise_inputs(graph, b.feeds))
    (kernel,) = graph.kernels
    expected = Reference(model, [graph.tensors[kernel.y].onnx_name]).run(b.feeds)[graph.tensors[kernel.y].onnx_name]
    assert (graph.tensors[kernel.y].to_onnx(values[kernel.y]) == expected).all() and len(np.unique(expected)) > 5
