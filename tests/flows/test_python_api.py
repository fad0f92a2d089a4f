"""The Python API where it is told nonsense, and what it keeps apart."""

import subprocess
import sys

import numpy as np
import pytest

import tenon
from tenon.compiler.errors import CompileError
from tenon.flows.errors import UserError
from tenon.flows.zoo import layers
from tenon.hw.params import ParameterError


@pytest.fixture(scope="module")
def program():
    return tenon.compile(layers.conv((3, 3), 4, 4, 6), "tiny")


def test_what_is_no_name_of_it_is_refused():
    assert set(tenon.__all__) <= set(dir(tenon))
    with pytest.raises(AttributeError, match="no attribute 'synthesise'"):
        _ = tenon.synthesise


def test_importing_a_part_stays_light():
    done = subprocess.run([sys.executable, "-c", "import sys, tenon.acg.graph; print(*sys.modules)"], capture_output=True, text=True)
    assert not {"onnx", "amaranth", "tenon.flows"} & set(done.stdout.split())


def test_configurations_change():
    wide = tenon.load_config("edge16", cols=32)
    assert (wide.rows, wide.cols, wide.lanes, wide.name) == (16, 32, 32, "edge16_changed")
    with pytest.raises(ParameterError, match="'colls' is not a parameter.*'cols'"):
        tenon.load_config("edge16", colls=32)


@pytest.mark.parametrize(("call", "message"), [
    (lambda p: tenon.run("zoo:digits"), "give the hardware"),
    (lambda p: tenon.run(p, "edge16"), "compiled already"),
    (lambda p: tenon.run(p, inputs=[]), "inputs are empty"),
    (lambda p: tenon.run(p, inputs={}, runs=2), "runs is the number of"),
    (lambda p: tenon.run(p, inputs={"y": np.zeros(1)}), "inputs: 'y' is not an input of the model"),
    (lambda p: tenon.quantize("zoo:digits"), "give samples, or else random"),
    (lambda p: tenon.run(p, simulator="model").save_outputs("x.npz"), "computes no outputs"),
    (lambda p: tenon.run(p, simulator="model").save_report("x.pdf"), "must end in .html or .json"),
])
def test_one_line_says_what_is_wrong(program, call, message):
    with pytest.raises(UserError, match=message) as raised:
        call(program)
    assert "\n" not in str(raised.value)


def test_a_quantised_model_is_not_quantised_again():
    with pytest.raises(CompileError, match="quantised"):
        tenon.quantize("zoo:digits", random=2)


def test_runs_and_outputs_belong_together(program, tmp_path):
    name = program.source.model.graph.input[0].name
    images = np.random.default_rng(1).standard_normal((3, 1, 4, 6, 6)).astype(np.float32)
    run = tenon.run(program, inputs=[{name: image} for image in images], simulator="functional")
    assert run.passed and run.cycles is None and len(run.outputs) == 3
    run.save_outputs(tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as saved:
        (output,) = saved.files
        assert np.array_equal(saved[output][2], run.outputs[2][output])
    program.save(tmp_path / "program")
    assert (tmp_path / "program" / "program.bin").exists()
