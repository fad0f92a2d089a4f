"""Comparison with the reference: what is computed from elements within a step is held against the kernels' definition."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tenon.compiler.frontend import read_graph
from tenon.flows.comparison import compare
from tenon.flows.compile import compile_source
from tenon.flows.execution import Simulator
from tenon.flows.run import Job, run
from tenon.flows.source import Source
from tenon.hw.presets import preset
from tenon.tb.gateware import graph_of
from tenon.tb.random_model import ModelBuilder
from tenon.tb.reference import Reference

PARAMS = preset("tiny")


def job(b, output):
    """A builder's model, compiled, with its inputs."""
    model = b.model(output, None)
    return Job(compile_source(Source("model", model), graph_of(PARAMS)), PARAMS, "model", [b.feeds])


def test_what_comes_after_a_step_is_held_against_its_definition():
    b = ModelBuilder(np.random.default_rng(5), "uint8")
    x = b.quantise(b.op("Sigmoid", [b.input([4, 8])]), 1 / 256)
    weight, _, _ = b.weight((8, 6), 1)
    found = job(b, b.quantise(b.op("MatMul", [x, weight]), 0.05))
    report, execution = run(found, Simulator.FUNCTIONAL)
    assert report.comparison.after.elements == 24 and report.comparison.passed
    damaged = [{name: np.where(array == array.max(), array ^ 64, array) for name, array in execution.tensors[0].items()}]
    comparison, _ = compare(found.compiled.program, found.compiled.graph, found.compiled.model, found.feeds, damaged)
    assert comparison.undefined and not comparison.passed


def test_weights_quantised_in_the_model_are_constants_to_the_reference():
    """Integer kernels of constant weights alone are the same on every processor."""
    b = ModelBuilder(np.random.default_rng(6), "uint8")
    scale, zero = b.put(np.float32(0.02)), b.put(np.int8(0))
    weight = b.op("QuantizeLinear", [b.put((b.rng.standard_normal((64, 16)) * 2).astype(np.float32)), scale, zero])
    y = b.op("MatMul", [b.input([5, 64]), b.op("DequantizeLinear", [weight, scale, zero])])
    report, _ = run(job(b, b.quantise(y, 2.0)), Simulator.FUNCTIONAL)
    assert report.comparison.exact.elements == 80 and report.comparison.passed


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_types_without_a_zero_point(kind):
    """QuantizeLinear says its type by an attribute, DequantizeLinear takes that of its input."""
    wanted = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    nodes = [helper.make_node("QuantizeLinear", ["x", "s"], ["q"], output_dtype=wanted),
             helper.make_node("DequantizeLinear", ["q", "s"], ["d"]),
             helper.make_node("Relu", ["d"], ["r"]), helper.make_node("QuantizeLinear", ["r", "s"], ["y"], output_dtype=wanted)]
    graph = helper.make_graph(nodes, "types", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 7])],
                              [helper.make_tensor_value_info("y", wanted, [3, 7])], [onnx.numpy_helper.from_array(np.float32(0.1), "s")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    assert {t.dtype for t in read_graph(model).tensors.values()} == {kind}
    x = np.linspace(-10, 10, 21, dtype=np.float32).reshape(3, 7)
    compiled = compile_source(Source("types", model), graph_of(PARAMS))
    report, _ = run(Job(compiled, PARAMS, "types", [{"x": x}]), Simulator.FUNCTIONAL)
    assert report.comparison.passed and report.comparison.total.elements == 21
    assert Reference(model).run({"x": x})["y"].dtype == kind
