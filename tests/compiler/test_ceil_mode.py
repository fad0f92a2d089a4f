"""Pooling with ceil_mode, against the reference: windows that begin inside and end outside."""

import numpy as np
import pytest

from tenon.compiler.frontend import read_graph
from tenon.flows.compile import compile_source
from tenon.flows.execution import Simulator
from tenon.flows.run import Job, run
from tenon.flows.source import Source
from tenon.hw.presets import preset
from tenon.tb.gateware import graph_of
from tenon.tb.random_model import ModelBuilder

PARAMS = preset("tiny")


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_windows_at_the_ends(op):
    rng, added = np.random.default_rng(8), 0
    for _ in range(20):
        kernel, strides = (int(v) for v in rng.integers(1, 4, 2)), (int(v) for v in rng.integers(1, 4, 2))
        b = ModelBuilder(rng, "uint8")
        parameters = b.parameters(0.05)
        x = b.input([1, 3, *(int(v) for v in rng.integers(5, 10, 2))], parameters)
        attributes = {"kernel_shape": list(kernel), "strides": list(strides), "ceil_mode": 1}
        model = b.model(b.quantise(b.op(op, [x], **attributes), parameters=parameters), None)
        report, _ = run(Job(compile_source(Source(op, model), graph_of(PARAMS)), PARAMS, op, [b.feeds]), Simulator.FUNCTIONAL)
        assert report.comparison.passed and report.comparison.total.max_abs_diff <= (op == "AveragePool"), attributes
        added += any(getattr(k, "pads", ())[2:] != (0, 0) for k in read_graph(model).kernels)
    assert added > 3
