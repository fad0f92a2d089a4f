"""Output shapes of ConvTranspose that its attributes state."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tenon.compiler.evaluate import evaluate
from tenon.compiler.frontend import read_graph
from tenon.compiler.frontend.quantize import quantize
from tenon.compiler.host import read_inputs
from tenon.tb.reference import Reference


@pytest.mark.parametrize("shape", [(10, 8), (9, 7), (8, 7), (7, 5)], ids=["beyond", "natural", "odd", "inside"])
def test_output_shape(shape):
    rng = np.random.default_rng(2)
    constants = [numpy_helper.from_array(rng.standard_normal(s).astype(np.float32), n) for n, s in (("w", (2, 3, 3, 3)), ("b", (3,)))]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", (1, 2, 3, 3)), ("y", (1, 3, *shape)))]
    node = helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], strides=[3, 2], output_shape=list(shape))
    model = helper.make_model(helper.make_graph([node], "one", values[:1], values[1:], constants),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    feeds = {"x": rng.standard_normal((1, 2, 3, 3)).astype(np.float32)}
    model = quantize(model, {"x": feeds["x"]}, every_operator=True)
    graph = read_graph(model)
    found = graph.aliases["y"].to_onnx(evaluate(graph, read_inputs(graph, feeds))[graph.outputs[0]])
    quantised = next(n.output[0] for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] != "x")
    expected = Reference(model, [quantised]).run(feeds)[quantised]
    assert found.shape == expected.shape == (1, 3, *shape)
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1
    assert len(np.unique(found)) > 20
