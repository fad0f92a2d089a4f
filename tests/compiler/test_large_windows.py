"""Windows that no buffer holds: cut, and equal to the reference; and tensors of more rows than an instruction counts."""

import numpy as np
import pytest

import tenon
from tenon.compiler.frontend import read_graph
from tenon.compiler.ir import Conv, Pool
from tenon.compiler.large_windows import cut_windows
from tenon.compiler.lower.emitter import _near_zero
from tenon.compiler.machine import Machine
from tenon.hw.covenant import covenant
from tenon.tb.random_model import ModelBuilder

_SMALL = tenon.load_config("tiny", activation_bytes=1024, weight_bytes=1024)


def _model(operator, shape, seed):
    b = ModelBuilder(np.random.default_rng(seed))
    model = b.model(b.quantise(operator(b, b.input(shape))), [1])
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


def _window(b, kernel):
    """Random strides, dilations and pads of a window."""
    return dict(strides=[int(v) for v in b.rng.integers(1, 4, 2)], pads=[int(v) for v in b.rng.integers(0, min(kernel) // 2 + 1, 4)],
                dilations=[int(v) for v in b.rng.integers(1, 3 if max(kernel) < 14 else 2, 2)])


def _max(b, x):
    kernel = [int(v) for v in b.rng.integers(16, 21, 2)]
    return b.op("MaxPool", [x], kernel_shape=kernel, **_window(b, kernel))


def _conv(b, x):
    kernel = [int(v) for v in b.rng.integers(9, 13, 2)]
    weight, _, _ = b.weight((int(b.rng.integers(1, 6)), 5, *kernel), 0)
    return b.op("Conv", [x, weight], **_window(b, kernel))


@pytest.mark.parametrize(("operator", "kind"), [(_max, Pool), (_conv, Conv)])
def test_cut_windows_are_the_same_elements(operator, kind):
    cut = 0
    for seed in range(6):
        model = _model(operator, [1, 5, 29, 27], seed)
        graph = read_graph(model)
        found = cut_windows(Machine(covenant(_SMALL)), graph)
        found.verify()
        assert sum(map(found.macs, found.kernels)) == sum(map(graph.macs, graph.kernels))
        cut += len(found.kernels) > len(graph.kernels)
        run = tenon.run(model, _SMALL, simulator="functional")
        assert run.passed and run.report.comparison.exact.elements
        assert any(isinstance(k, kind) for k in graph.kernels)
    assert cut == 6


@pytest.mark.parametrize("operator", ["GlobalMaxPool", "GlobalAveragePool"])
def test_whole_images_of_more_pixels_than_an_instruction_counts(operator):
    run = tenon.run(_model(lambda b, x: b.op(operator, [x]), [1, 3, 224, 211], 1), "tiny", simulator="functional")
    assert run.passed and run.report.comparison.exact.elements == 3


def test_windows_that_fit_stay_as_they_are():
    graph = read_graph(_model(_conv, [1, 5, 29, 27], 0))
    assert cut_windows(Machine(covenant(tenon.load_config("edge16"))), graph).kernels == graph.kernels


def test_guards_let_the_same_pass_whatever_they_count_from():
    for first in range(-5, 9):
        for limit in range(0, 9):
            for reach in range(0, 6):
                near, low = _near_zero((first, limit), reach)
                passing = [0 <= first + i < limit for i in range(reach + 1)]
                assert [0 <= near + i < low for i in range(reach + 1)] == passing
                assert max(near, low) <= reach + 1
