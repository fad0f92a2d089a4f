"""Built-in networks: accuracy, class of arithmetic, ranges, and names that are none."""

import numpy as np
import pytest

from tenon.compiler.errors import CompileError
from tenon.compiler.evaluate import evaluate
from tenon.compiler.frontend import read_graph
from tenon.compiler.host import quantise_inputs
from tenon.flows.zoo import resolve
from tenon.hw.presets import preset
from tenon.tb.random_layers import Case
from tenon.tb.random_runs import against_reference, prepare_case
from tenon.tb.reference import Reference


def test_digits_is_accurate_exact_and_equals_the_reference(tmp_path):
    zoo = resolve("zoo:digits", tmp_path)
    graph = read_graph(zoo.model)
    assert all(k.exact for k in graph.kernels)
    assert sorted(k.op for k in graph.kernels) == ["Add", "Conv", "Conv", "Conv", "Gemm", "MaxPool"]
    reference = Reference(zoo.model, [graph.tensors[k.y].onnx_name for k in graph.kernels])
    right = 0
    for feeds, label in zip(zoo.inputs(300), zoo.labels(300), strict=True):
        expected = reference.run(feeds)
        right += int(expected["logits"].argmax()) == label
        values = evaluate(graph, quantise_inputs(graph, feeds))
        for kernel in graph.kernels:
            tensor = graph.tensors[kernel.y]
            assert (tensor.to_onnx(values[kernel.y]) == expected[tensor.onnx_name]).all()
    assert right / 300 >= 0.95


@pytest.mark.parametrize("name", ["zoo:gemm_40x50x60", "zoo:conv_3x3_16_24_12", "zoo:conv_7x7_3_16_20_s2"])
def test_layers_use_the_whole_range(name, tmp_path):
    zoo = resolve(name, tmp_path)
    (feeds,) = zoo.inputs(1)
    graph = read_graph(zoo.model)
    (kernel,) = graph.kernels
    y = evaluate(graph, quantise_inputs(graph, feeds))[kernel.y]
    assert kernel.exact and len(np.unique(y)) > 100
    assert ((y == 0) | (y == 255)).mean() < 0.05


@pytest.mark.parametrize(("name", "message"), [
    ("zoo:digit", "did you mean zoo:digits"), ("zoo:gemm_3x4", "is not a built-in network"),
    ("zoo:gemm_0x4x5", "every size must be in 1..65536"),
])
def test_unknown_names(name, message, tmp_path):
    with pytest.raises(CompileError, match=message):
        resolve(name, tmp_path)


@pytest.mark.parametrize("cell, inputs, outputs", [("a", 1, 1), ("b", 1, 1), ("c", 1, 1), ("", 1, 1)])
def test_swiftnet_equals_the_reference(cell, inputs, outputs):
    found = resolve(f"zoo:swiftnet_cell_{cell}" if cell else "zoo:swiftnet", None)
    assert (len(found.model.graph.input), len(found.model.graph.output)) == (inputs, outputs)
    seen = against_reference(prepare_case(Case("swiftnet", found.model, found.inputs(1)[0]), preset("edge8"), effort=1))
    assert seen["exact"] > 50_000 and not seen["exact_mismatches"] and not seen["step"]
