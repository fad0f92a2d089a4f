"""``tenon quantize``: a float network becomes one that compiles and runs, and every bad sample is refused in a line."""

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from tenon.flows.cli import main
from tenon.flows.quantize import CALIBRATION, Drift, drift, quantize_model, random_samples
from tenon.flows.zoo import training
from tenon.flows.zoo.digits import float_model

RNG = np.random.default_rng(1)


def tenon(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


def refused(result, *words):
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit), result.output
    (line,) = [text for text in result.stderr.strip().splitlines() if not text.endswith(" ...")]
    assert line.startswith("tenon: ") and all(word in line for word in words), line


def product(batch=1):
    weights = [numpy_helper.from_array(RNG.standard_normal((12, 5)).astype(np.float32), "w")]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["p"], "product"), helper.make_node("Relu", ["p"], ["y"], "relu")],
                              "float", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 12])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 5])], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def model(tmp_path):
    onnx.save(product(), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def samples(path, x, **others):
    np.savez(path, x=x, **others)
    return path


def metadata(path):
    return {p.key: p.value for p in onnx.load(path).metadata_props}


def test_a_network_with_labels(tmp_path):
    digits = training.load()
    weights = training.train(digits)
    onnx.save(float_model(weights), tmp_path / "m.onnx")
    np.savez(tmp_path / "c.npz", image=digits.test_images[:50])
    np.save(tmp_path / "l.npy", digits.test_labels[:50])
    result = tenon("quantize", tmp_path / "m.onnx", "--calibration", tmp_path / "c.npz", "--labels", tmp_path / "l.npy",
                   "-o", tmp_path / "q.onnx")
    assert result.exit_code == 0, result.output
    before, after = (int(part.split(" of ")[0]) for part in result.stdout.split(": ")[1].split(" before, "))
    assert 45 <= before <= 50 and abs(before - after) <= 2
    assert metadata(tmp_path / "q.onnx")[CALIBRATION] == "data"
    result = tenon("run", tmp_path / "q.onnx", "--config", "tiny", "--simulator", "functional")
    assert result.exit_code == 0 and "all equal" in result.stdout, result.output


def test_samples_of_a_folder_are_those_of_a_file(model, tmp_path):
    x = RNG.standard_normal((6, 12))
    (tmp_path / "parts").mkdir()
    samples(tmp_path / "parts" / "a.npz", x[:1])  # a sample
    samples(tmp_path / "parts" / "b.npz", x[1:4, None].astype(np.float32))  # a batch with a dimension of its own
    samples(tmp_path / "parts" / "c.npz", x[4:])
    samples(tmp_path / "all.npz", x.astype(np.float32))
    for source in ("parts", "all.npz"):
        result = tenon("quantize", model, "--calibration", tmp_path / source, "-o", tmp_path / f"{source}.onnx")
        assert result.exit_code == 0, result.output
        assert "relative RMS" in result.stdout and "on 6 calibration samples" in result.stdout
    assert (tmp_path / "parts.onnx").read_bytes() == (tmp_path / "all.npz.onnx").read_bytes()


def test_random_samples_are_marked(tmp_path):
    onnx.save(product("N"), tmp_path / "m.onnx")
    for name in "pq":
        result = tenon("quantize", tmp_path / "m.onnx", "--random-calibration", 4, "--shape", "N=2", "-o", tmp_path / f"{name}.onnx")
        assert result.exit_code == 0, result.output
    assert metadata(tmp_path / "p.onnx")[CALIBRATION] == "random"
    assert (tmp_path / "p.onnx").read_bytes() == (tmp_path / "q.onnx").read_bytes()


def test_errors_are_measured():
    model = product()
    given = random_samples(model, 8)
    (line,) = drift(model, quantize_model(model, given, "data"), given)
    assert line.output == "y" and 0 < line.max_abs < 0.2 and 0 < line.relative_rms < 0.03
    assert drift(model, model, given) == [Drift("y", 0.0, 0.0)]


BAD = np.zeros((3, 12), np.float32)
BAD[1, 4] = np.nan


@pytest.mark.parametrize(("arrays", "words"), [
    ({"x": BAD}, ["c.npz", "'x'", "NaN or infinity", "sample 1"]),
    ({"x": np.full((3, 12), -np.inf, np.float32)}, ["c.npz", "NaN or infinity"]),
    ({"x": np.full((1, 12), 1e300)}, ["c.npz", "'x'", "too large"]),
    ({"x": np.zeros((3, 11), np.float32)}, ["c.npz", "'x'", "[1, 12]", "[3, 11]"]),
    ({"x": np.zeros((3, 12), np.int32)}, ["c.npz", "'x'", "float32", "int32"]),
    ({"x": np.zeros((0, 12), np.float32)}, ["c.npz", "at least one"]),
    ({"x": np.zeros((1, 12), np.float32), "z": np.zeros(1)}, ["c.npz", "'z'", "x"]),
    ({}, ["c.npz", "'x'", "missing"]),
], ids=["NaN", "infinity", "range", "shape", "type", "none", "name", "missing"])
def test_bad_samples(arrays, words, model, tmp_path):
    np.savez(tmp_path / "c.npz", **arrays)
    before = sorted(tmp_path.iterdir())
    refused(tenon("quantize", model, "--calibration", tmp_path / "c.npz", "-o", tmp_path / "q.onnx"), *words)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("labels", "words"), [
    (np.zeros(2, np.int64), ["3 integers", "[2]"]), (np.zeros(3, np.float32), ["3 integers", "float32"]),
    (np.zeros((3, 1), np.int64), ["3 integers", "[3, 1]"]),
], ids=["count", "type", "shape"])
def test_bad_labels(labels, words, model, tmp_path):
    np.save(tmp_path / "l.npy", labels)
    options = ["--calibration", samples(tmp_path / "c.npz", np.ones((3, 12), np.float32)), "-o", tmp_path / "q.onnx"]
    refused(tenon("quantize", model, *options, "--labels", tmp_path / "l.npy"), "l.npy", *words)
    refused(tenon("quantize", model, *options, "--labels", tmp_path / "no.npy"), "no.npy", "cannot be read")
    refused(tenon("quantize", model, *options, "--labels", model), "m.onnx", "is not an .npy file")
    refused(tenon("quantize", model, *options, "--labels", tmp_path / "c.npz"), "c.npz", "an archive")
    assert not (tmp_path / "q.onnx").exists()


def test_other_refusals(model, tmp_path):
    output = ["-o", tmp_path / "q.onnx"]
    refused(tenon("quantize", model, *output), "--calibration", "--random-calibration")
    refused(tenon("quantize", model, "--calibration", tmp_path, "--random-calibration", 1, *output), "--calibration")
    refused(tenon("quantize", model, "--random-calibration", 1, "--labels", tmp_path / "l.npy", *output), "--labels")
    refused(tenon("quantize", model, "--calibration", tmp_path, *output), "has no .npz files")
    refused(tenon("quantize", model, "--calibration", tmp_path / "no.npz", *output), "no.npz")
    refused(tenon("quantize", model, "--random-calibration", 1, "-o", model), "is the model itself")
    refused(tenon("quantize", model, "--random-calibration", 1, "-o", tmp_path), "is a folder")
    refused(tenon("quantize", "zoo:gemm_5x12x9", "--random-calibration", 1, *output), "quantised already")
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def test_a_model_with_integer_inputs_needs_data(tmp_path):
    model = product()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    model.graph.node.insert(0, helper.make_node("Cast", ["x"], ["real"], "cast", to=TensorProto.FLOAT))
    model.graph.node[1].input[0] = "real"
    onnx.save(model, tmp_path / "m.onnx")
    refused(tenon("quantize", tmp_path / "m.onnx", "--random-calibration", 1, "-o", tmp_path / "q.onnx"), "'x' is int64")


def test_a_model_without_products(tmp_path):
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"], "neg")], "float",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 12])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 12])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    refused(tenon("quantize", tmp_path / "m.onnx", "--random-calibration", 1, "-o", tmp_path / "q.onnx"), "nothing in the model")


def test_every_operator_means_those_that_the_quantiser_leaves_float(tmp_path):
    """Without it what is between an Exp and a Sum stays float, and the model is refused; with it everything runs."""
    weights = [numpy_helper.from_array(RNG.standard_normal((12, 12)).astype(np.float32), name) for name in ("w", "v")]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"], "first"), helper.make_node("Exp", ["a"], ["e"], "exp"),
             helper.make_node("Sum", ["e", "x"], ["s"], "sum"), helper.make_node("MatMul", ["s", "v"], ["y"], "second")]
    graph = helper.make_graph(nodes, "float", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 12])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 12])], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")

    def quantised(*options):
        assert tenon("quantize", tmp_path / "m.onnx", "--random-calibration", 3, "-o", tmp_path / "q.onnx", *options).exit_code == 0
        placed = tenon("compile", tmp_path / "q.onnx", "--config", "tiny", "-o", tmp_path / "p")
        return [node.op_type for node in onnx.load(tmp_path / "q.onnx").graph.node].count("QuantizeLinear"), placed

    few, placed = quantised()
    refused(placed, "must be followed by QuantizeLinear")
    more, placed = quantised("--every-operator")
    assert more > few and placed.exit_code == 0, placed.output
