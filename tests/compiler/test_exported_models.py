"""Models as exporters and quantisers write them: every tensor against ONNX Runtime, by its class."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tenon.compiler.errors import CompileError
from tenon.compiler.evaluate import evaluate
from tenon.compiler.frontend import load_model, read_graph, read_parts
from tenon.compiler.host import read_inputs
from tenon.flows.compile import Compiled, compile_source
from tenon.flows.execution import Simulator
from tenon.flows.host_parts import enter, leave
from tenon.flows.run import Job, run
from tenon.flows.source import Source
from tenon.hw.config import load_config
from tenon.tb.exported_models import EXPORTED, exported
from tenon.tb.gateware import graph_of
from tenon.tb.reference import Reference

_SEEDS = 6
_MOVES_ONLY = {"moved_before_quantising", "blocks_of_channels", "shared_weight", "rescaled_maximum"}  # exact throughout, if not mixed


@pytest.mark.parametrize("kind", EXPORTED)
def test_tensors_equal_the_reference(kind):
    compared, seen = 0, set()
    for seed in range(_SEEDS):
        model, feeds = exported(kind, seed)
        graph, parts = read_parts(model)
        seen |= {name for name in ("head", "tail") if getattr(parts, name)}
        values = evaluate(graph, read_inputs(graph, enter(parts, [feeds])[0]))
        names = {k.y: graph.tensors[k.y].onnx_name for k in graph.kernels if graph.tensors[k.y].onnx_name}
        assert names, "nothing of it would be compared"
        expected = Reference(model, list(names.values())).run(feeds)
        for tensor, name in names.items():
            got = graph.tensors[tensor].to_onnx(values[tensor])
            assert got.shape == expected[name].shape
            difference = np.abs(got.astype(int) - expected[name].astype(int))
            assert difference.max() <= {"exact": 0, "step": 1, "after": 255}[graph.classes[tensor]], f"{kind} {seed}: {name}"
            compared += difference.size
        if kind in _MOVES_ONLY:
            assert set(graph.classes.values()) == {"exact"}
    assert compared > 10
    assert seen == {"float_head": {"head"}, "float_tail": {"tail"}}.get(kind, set()), "only they need the host"


@pytest.mark.parametrize("kind", EXPORTED)
def test_programs_equal_the_reference(kind):
    model, feeds = exported(kind, _SEEDS)
    params = load_config("tiny")
    compiled: Compiled = compile_source(Source(kind, model), graph_of(params))
    report, execution = run(Job(compiled, params, kind, [feeds]), Simulator.FUNCTIONAL)
    assert report.comparison.passed and report.comparison.total.elements
    outputs = [o.name for o in model.graph.output]
    (ours,) = leave(compiled.parts, compiled.program, enter(compiled.parts, [feeds]), execution.tensors, outputs)
    for name, expected in Reference(model).run(feeds).items():
        assert ours[name].shape == expected.shape and ours[name].dtype == expected.dtype
        assert np.abs(ours[name] - expected).max() <= 0.21  # a step of any scale here, at most


def test_functions_of_the_model_are_inlined():
    domain = "my.domain"
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(domain, 1)]
    body = [helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Neg", ["b"], ["c"])]
    function = helper.make_function(domain, "NegativePart", ["a"], ["c"], body, opsets[:1])
    constants = [onnx.numpy_helper.from_array(v, n) for n, v in (("s", np.float32(0.1)), ("z", np.uint8(120)))]
    nodes = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]), helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
             helper.make_node("NegativePart", ["d"], ["y"], domain=domain), helper.make_node("QuantizeLinear", ["y", "s", "z"], ["r"])]
    values = [helper.make_tensor_value_info(n, t, [2, 9]) for n, t in (("x", TensorProto.FLOAT), ("r", TensorProto.UINT8))]
    graph = helper.make_graph(nodes, "functions", values[:1], values[1:], constants)
    model = helper.make_model(graph, opset_imports=opsets, functions=[function], ir_version=9)
    feeds = {"x": np.random.default_rng(1).normal(0, 8, (2, 9)).astype(np.float32)}
    read = read_graph(model)
    values = evaluate(read, read_inputs(read, feeds))
    assert (read.tensors[read.outputs[0]].to_onnx(values[read.outputs[0]]) == Reference(model).run(feeds)["r"]).all()
    assert len(read.kernels) == 1, "both are one table"


@pytest.mark.parametrize("op, domain, words", [
    ("Quant", "qonnx.custom_op.general", "export_onnx_qcdq"),
    ("DynamicQuantizeLinear", "", "quantise it statically"),
    ("MatMulInteger", "", "quantise it statically"),
    ("Relu", "", "the model is float: quantise it first, .* tenon quantize"),
])
def test_other_forms_are_told_how_to_export(tmp_path: Path, op, domain, words):
    node = helper.make_node(op, ["x"], ["y"], domain=domain)
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 8]) for n in "xy"]
    model = helper.make_model(helper.make_graph([node], "other", values[:1], values[1:]),
                              opset_imports=[helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else []))
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(CompileError, match=words):
        read_graph(load_model(path) if op in ("Relu", "Quant") else model)


def test_channels_last_are_the_accelerators_own_order():
    for seed in range(_SEEDS):
        graph = read_graph(exported("channels_last", seed)[0])
        assert [k.op for k in graph.kernels] == ["Conv"], "no byte is moved"
