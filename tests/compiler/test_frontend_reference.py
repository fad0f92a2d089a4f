"""The kernel graph's arithmetic against ONNX Runtime, over random models of every operator."""

from collections import Counter

import numpy as np

from compiler.evaluate import evaluate
from compiler.frontend import read_graph
from compiler.host import quantise_inputs
from tb.random_layers import random_case
from tb.reference import Reference

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
