# amaranth: UnusedElaboratable=no
"""The command line: what it writes, and how every bad input ends."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from tenon.flows.cli import main
from tenon.flows.zoo import layers
from tenon.hw.presets import PRESETS
from tenon.tb import toolchain
from tenon.tb.reference import Reference

GEMM = "zoo:gemm_5x12x9"


def tenon(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


def refused(result, *words):
    """One line on stderr, exit status 2, no traceback; the line says all of ``words``."""
    assert result.exit_code == 2, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    *progress, line = result.stderr.strip().splitlines()
    assert all(text.endswith(" ...") for text in progress), result.stderr
    assert line.startswith("tenon: ")
    for word in words:
        assert word in line
    return line


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "program"
    result = tenon("compile", GEMM, "--config", "tiny", "-o", folder)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def gemm(tmp_path):
    path = tmp_path / "gemm.onnx"
    onnx.save(layers.gemm(5, 12, 9), path)
    return path


def edited(path, change):
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)
    return path


# What it writes.

def test_help_names_every_preset():
    said = tenon("--help").output
    assert all(name in said for name in PRESETS)


def test_help_names_every_command():
    text = tenon("--help").stdout
    commands = ("generate", "acg", "quantize", "compile", "run", "report", "disasm", "doctor")
    assert all(f"\n  {name} " in text for name in commands)
    assert tenon("--version").stdout == "tenon, version 0.1.0\n"


def test_generate(tmp_path):
    folder = tmp_path / "rtl"
    for _ in range(2):  # the second time in place of the first
        assert tenon("generate", "tiny", "-o", folder).exit_code == 0
    assert sorted(p.name for p in folder.iterdir()) == [
        "acg.json", "component.xml", "isa.md", "registers.md", "tenon.core", "tenon.f", "tenon.h", "tenon.lpf", "tenon.sdc", "tenon.v",
        "tenon.vlt", "tenon.xdc", "tenon_litex.py"]
    assert [p.name for p in tmp_path.iterdir()] == ["rtl"], "nothing temporary is left"
    fingerprint = json.loads((folder / "acg.json").read_text())["fingerprint"]
    assert f"#define TENON_FINGERPRINT_VALUE {int(fingerprint[:8], 16):#x}u" in (folder / "tenon.h").read_text()
    assert "\nmodule tenon(" in (folder / "tenon.v").read_text()
    assert "## MATRIX" in (folder / "isa.md").read_text()
    assert "`PROGRAM_LENGTH`" in (folder / "registers.md").read_text()


def test_acg_prints_json_and_draws(tmp_path):
    assert json.loads(tenon("acg", "tiny").stdout)["name"] == "tiny"
    assert tenon("acg", "tiny", "--svg", tmp_path / "a.svg").exit_code == 0
    assert (tmp_path / "a.svg").read_text().startswith("<svg")


def test_compile_and_disassemble(program):
    assert {p.name for p in program.iterdir()} == {"program.bin", "program.json", "constants.bin", "image.bin", "listing.txt", "acg.json",
                                                  "model.onnx"}
    lines = tenon("disasm", program).stdout.splitlines()
    assert lines[-1].endswith("END") and any("MATRIX" in line for line in lines)


def test_compile_says_where_nodes_run(tmp_path):
    result = tenon("compile", "zoo:digits", "--config", "tiny", "-o", tmp_path / "p")
    assert result.exit_code == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines() if "│" in line]
    runs = {row[0]: row[2:] for row in rows}
    assert runs["conv1"] == ["MATRIX", ""]
    assert runs["residual"] == ["MATRIX", ""]
    assert runs["pool"] == ["VECTOR", "no products of activations and weights"]
    assert runs["flatten"] == ["nowhere", "another name for the same bytes"]
    assert runs["image_QuantizeLinear"] == ["host", "quantises an input"]
    assert runs["dense.w_DequantizeLinear"] == ["compiler", "constant"]


INTERFACE = {
    "tenon", "config", "model", "simulator", "cycles", "macs", "peak_macs_per_cycle", "utilization", "dram_read_bytes",
    "dram_write_bytes", "reference", "outputs_compared", "mismatches", "max_abs_diff", "wall_seconds", "cycles_per_second", "layers",
    "bus_bytes_per_cycle", "placements",
}


@pytest.mark.parametrize("simulator", ["functional", "model", pytest.param("verilator", marks=pytest.mark.rtl),
                                       pytest.param("icarus", marks=pytest.mark.rtl)])
def test_run(simulator, tmp_path, request):
    if simulator == "icarus":
        request.getfixturevalue("icarus")
    result = tenon("run", GEMM, "--config", "tiny", "--simulator", simulator, "--json", tmp_path / "r.json")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "r.json").read_text())
    assert set(report) >= INTERFACE
    assert (report["config"], report["model"], report["simulator"]) == ("tiny", GEMM, simulator)
    assert report["macs"] == 5 * 12 * 9 and report["peak_macs_per_cycle"] == 16
    (layer,) = report["layers"]
    assert set(layer) == {"name", "op", "engine", "cycles", "macs", "bound_cycles", "stalls", "dram_bytes", "traffic_bytes",
                          "engines", "reads"}
    assert (layer["name"], layer["op"], layer["engine"], layer["macs"]) == ("gemm", "Gemm", "MATRIX", 540)
    if simulator == "model":
        assert report["reference"] is None and report["outputs_compared"] == 0
    else:
        assert report["reference"] == "ONNX Runtime 1.32.0"
        assert (report["outputs_compared"], report["mismatches"], report["max_abs_diff"]) == (45, 0, 0)
        assert "45 elements compared with ONNX Runtime 1.32.0: all equal" in result.stdout
    if simulator == "functional":
        assert report["cycles"] is None and layer["cycles"] is None
    else:
        assert report["cycles"] == layer["cycles"] > layer["bound_cycles"] > 0
        assert report["utilization"] == 540 / (report["cycles"] * 16)
    if simulator in ("verilator", "icarus"):
        assert set(layer["stalls"]) == {"token", "bank", "bus", "empty"}
        assert report["dram_read_bytes"] > 12 * 9
        assert layer["dram_bytes"] == report["dram_read_bytes"] + report["dram_write_bytes"]
        assert {cause: layer["engines"]["MATRIX"][cause] for cause in layer["stalls"]} == layer["stalls"]


@pytest.mark.rtl
def test_a_folder_runs_as_the_model_does(program, tmp_path):
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "x.npz", x=rng.uniform(-2, 2, (5, 12)).astype(np.float32))
    options = ["--input", tmp_path / "x.npz", "--runs", 2, "--json", tmp_path / "r.json", "--dram", "latency=90,stall=20",
               "--trace", tmp_path / "t.json", "--waves", tmp_path / "w.vcd", "--waves-to", 200]
    result = tenon("run", program, *options)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["config"], report["runs"], report["outputs_compared"], report["mismatches"]) == ("tiny", 2, 90, 0)
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    assert [e["dur"] for e in events if e.get("cat") == "layer"] == [report["cycles"]]
    assert (tmp_path / "w.vcd").stat().st_size > 10_000


def load(path):
    with np.load(path) as archive:
        return dict(archive)


@pytest.mark.parametrize("simulator", ["functional", pytest.param("verilator", marks=pytest.mark.rtl)])
def test_outputs_are_the_references(simulator, program, tmp_path):
    for name, runs in (("one", 1), ("three", 3)):
        x = np.random.default_rng(runs).uniform(-2, 2, (5, 12)).astype(np.float32)
        np.savez(tmp_path / "x.npz", x=x)
        result = tenon("run", program, "--simulator", simulator, "--input", tmp_path / "x.npz", "--runs", runs,
                       "--output", tmp_path / f"{name}.npz")
        assert result.exit_code == 0, result.output
        expected = Reference(onnx.load(program / "model.onnx")).run({"x": x})
        outputs = load(tmp_path / f"{name}.npz")
        assert outputs.keys() == expected.keys() == {"y"}
        assert outputs["y"].dtype == expected["y"].dtype == np.float32
        assert np.array_equal(outputs["y"], expected["y"] if runs == 1 else np.stack([expected["y"]] * runs))


def test_numbers_of_64_bits_are_rounded_with_a_note(program, tmp_path):
    x = np.random.default_rng(1).uniform(-2, 2, (5, 12))
    for name in ("float64", "float32"):
        np.savez(tmp_path / f"{name}.npz", x=x.astype(name))
        result = tenon("run", program, "--simulator", "functional", "--input", tmp_path / f"{name}.npz", "--runs", 2,
                       "--output", tmp_path / f"y_{name}.npz")
        assert result.exit_code == 0, result.output
        notes = [line for line in result.stderr.splitlines() if line.startswith("tenon: note: ")]
        assert len(notes) == (name == "float64") and all("'x' rounded from float64 to float32" in line for line in notes)
    assert np.array_equal(load(tmp_path / "y_float64.npz")["y"], load(tmp_path / "y_float32.npz")["y"])


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, np.float64])
def test_integers_of_another_width_are_refused(dtype, gemm, tmp_path):
    def quantised(model):
        model.graph.input[0].CopyFrom(helper.make_tensor_value_info(model.graph.node[0].output[0], TensorProto.UINT8, [5, 12]))
        del model.graph.node[0]

    name = onnx.load(edited(gemm, quantised)).graph.input[0].name
    np.savez(tmp_path / "in.npz", **{name: np.zeros((5, 12), dtype)})
    refused(tenon("run", gemm, "--config", "tiny", "--simulator", "functional", "--input", tmp_path / "in.npz"),
            "in.npz", f"must be uint8, not {np.dtype(dtype)}")


def test_an_output_that_stays_quantised_is_written_as_it_is(gemm, tmp_path):
    def quantised(model):
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("file", TensorProto.UINT8, [5, 9]))
        node = model.graph.node.pop()
        model.graph.node[-1].output[0] = "file"  # a name that numpy.savez takes for its own
        assert node.op_type == "DequantizeLinear"

    result = tenon("run", edited(gemm, quantised), "--config", "tiny", "--simulator", "functional", "--output", tmp_path / "y.npz")
    assert result.exit_code == 0, result.output
    outputs = load(tmp_path / "y.npz")
    assert outputs.keys() == {"file"} and outputs["file"].dtype == np.uint8 and outputs["file"].shape == (5, 9)


def test_every_cycle_of_a_network_belongs_to_a_layer(tmp_path):
    assert tenon("run", "zoo:digits", "--config", "edge8", "--simulator", "model", "--json", tmp_path / "r.json").exit_code == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert [layer["name"] for layer in report["layers"]] == ["conv1", "conv2+residual", "pool", "conv3", "dense"]
    assert sum(layer["cycles"] for layer in report["layers"]) == report["cycles"]


def test_a_difference_is_exit_status_1(program, monkeypatch):
    run = Reference.run

    def wrong(self, inputs):
        return {name: array + (array.dtype == np.uint8) for name, array in run(self, inputs).items()}

    monkeypatch.setattr(Reference, "run", wrong)
    result = tenon("run", program, "--simulator", "functional")
    assert result.exit_code == 1
    assert "45 differ, by 1 at most" in result.stdout and "NOT EQUAL: y_q of run 0" in result.stdout


def test_doctor():
    result = tenon("doctor")
    assert result.exit_code == 0, result.output
    assert all(name in result.stdout for name in ("verilator", "onnxruntime", "ziglang", "linux"))


# Bad input.

def test_a_file_that_is_not_onnx(tmp_path):
    (tmp_path / "m.onnx").write_text("certainly not a protocol buffer")
    refused(tenon("compile", tmp_path / "m.onnx", "--config", "tiny", "-o", tmp_path / "p"), "m.onnx", "is not an ONNX model")
    assert not (tmp_path / "p").exists()


def test_a_truncated_model(gemm, tmp_path):
    gemm.write_bytes(gemm.read_bytes()[:-40])
    refused(tenon("run", gemm, "--config", "tiny", "--simulator", "functional"), "gemm.onnx", "truncated")


def test_a_model_that_is_not_there(tmp_path):
    refused(tenon("run", tmp_path / "no.onnx", "--config", "tiny", "--simulator", "model"), "no.onnx")


def test_dynamic_shapes(gemm):
    edited(gemm, lambda model: setattr(model.graph.input[0].type.tensor_type.shape.dim[0], "dim_param", "batch"))
    refused(tenon("run", gemm, "--config", "tiny", "--simulator", "model"), "'x'", "dynamic", "batch")


def test_shapes_that_are_given(gemm, tmp_path):
    edited(gemm, lambda model: setattr(model.graph.input[0].type.tensor_type.shape.dim[0], "dim_param", "batch"))
    options = ["--config", "tiny", "--simulator", "functional"]
    result = tenon("run", gemm, *options, "--shape", "batch=7", "--output", tmp_path / "y.npz")
    assert result.exit_code == 0, result.output
    assert load(tmp_path / "y.npz")["y"].shape == (7, 9)
    assert tenon("compile", gemm, "--config", "tiny", "--shape", "x=3x12", "-o", tmp_path / "p").exit_code == 0
    assert tenon("run", tmp_path / "p", "--simulator", "functional").exit_code == 0
    refused(tenon("run", gemm, *options, "--shape", "N=7"), "'N'", "'batch'", "'x'")
    refused(tenon("compile", gemm, "--config", "tiny", "--shape", "N=7", "-o", tmp_path / "q"), "'N'", "'batch'", "'x'")
    refused(tenon("run", tmp_path / "p", "--simulator", "functional", "--shape", "batch=3"), "compiled already", "--shape")
    assert not (tmp_path / "q").exists()


def test_float_without_calibration(tmp_path):
    path = tmp_path / "float.onnx"
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "product")], "float",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 4])], [numpy_helper.from_array(np.ones((3, 4), np.float32), "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    refused(tenon("run", path, "--config", "tiny", "--simulator", "model"), "float", "quantise", "calibration")


def test_an_unsupported_operator(gemm):
    def insert(model):
        model.graph.node[4].op_type = "Einsum"
        del model.graph.node[4].input[1:]
        del model.graph.node[4].attribute[:]
        model.graph.node[4].attribute.append(helper.make_attribute("equation", "ij->ij"))

    refused(tenon("run", edited(gemm, insert), "--config", "tiny", "--simulator", "model"), "gemm (Einsum)")


def test_an_unsupported_attribute(gemm):
    edited(gemm, lambda model: model.graph.node[4].attribute.append(helper.make_attribute("transA", 1)))
    edited(gemm, lambda model: model.graph.input[0].type.tensor_type.shape.CopyFrom(
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [12, 5]).type.tensor_type.shape))
    refused(tenon("run", gemm, "--config", "tiny", "--simulator", "model"), "gemm (Gemm)", "transA")


def test_an_unknown_built_in():
    refused(tenon("run", "zoo:digit", "--config", "tiny"), "zoo:digits")


@pytest.mark.parametrize(("text", "words"), [
    ("rows = 7\n", ["c.toml", "rows", "4..128", "7"]),
    ("row = 8\n", ["c.toml", "'row'", "did you mean 'rows'"]),
    ("rows = \n", ["c.toml", "is not TOML"]),
    ("preset = 'edge9'\n", ["c.toml", "preset", "edge8"]),
], ids=["range", "unknown key", "syntax", "preset"])
def test_a_bad_configuration(text, words, tmp_path):
    (tmp_path / "c.toml").write_text(text)
    refused(tenon("generate", tmp_path / "c.toml", "-o", tmp_path / "rtl"), *words)
    assert not (tmp_path / "rtl").exists()


def test_a_reader_that_stops(program):
    """``tenon disasm FOLDER | head -1``"""
    with subprocess.Popen([sys.executable, "-m", "tenon.flows.cli", "disasm", str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=os.environ | {"PYTHONUNBUFFERED": "1"}) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize("simulator", ["functional", pytest.param("verilator", marks=pytest.mark.rtl)])
def test_an_interrupt(simulator, tmp_path):
    """Ctrl-C while it simulates: exit status 130, a line, nothing half-written."""
    command = [sys.executable, "-m", "tenon.flows.cli", "run", "zoo:digits", "--config", "tiny", "--simulator", simulator, "--runs", "1000",
               "--output", str(tmp_path / "y.npz")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline().startswith("compiling ")
        assert process.stderr.readline().startswith("simulating ")
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (130, "", "tenon: interrupted\n")
    assert not list(tmp_path.iterdir())


def test_an_unknown_preset(tmp_path):
    refused(tenon("generate", "edge61", "-o", tmp_path / "rtl"), "edge61", "did you mean 'edge16'")


def test_a_configuration_that_cannot_hold_the_layer(tmp_path):
    (tmp_path / "small.toml").write_text("preset = 'tiny'\nvector_bytes = 1024\nweight_bytes = 1024\nactivation_bytes = 1024\n"
                                         "accumulator_bytes = 1024\nparameter_bytes = 1024\n")
    refused(tenon("run", "zoo:conv_65536x1_1_4_65536", "--config", tmp_path / "small.toml", "--simulator", "model"), "conv")


def test_a_program_for_other_hardware(program, tmp_path):
    refused(tenon("run", program, "--config", "edge8", "--simulator", "functional"), "compiled for tiny", "edge8")


def test_a_folder_that_is_no_program(tmp_path):
    refused(tenon("run", tmp_path, "--simulator", "functional"), "is not a program")
    refused(tenon("disasm", tmp_path), "is not a program")


def test_a_damaged_program(program, tmp_path):
    import shutil

    copy = shutil.copytree(program, tmp_path / "p")
    (copy / "program.json").write_text("{")
    refused(tenon("disasm", copy), "is not a program")
    shutil.copy(program / "program.json", copy)
    (copy / "program.bin").write_bytes(b"\xff" * 128)
    refused(tenon("disasm", copy), "p")


@pytest.mark.parametrize("text", ["[]", '{"program": 1}', '{"program": 1, "fingerprint": 3}'])
def test_a_record_that_is_no_programs(text, program, tmp_path):
    import shutil

    copy = shutil.copytree(program, tmp_path / "p")
    (copy / "program.json").write_text(text)
    refused(tenon("disasm", copy), "is not a program")


def test_names_with_brackets_are_shown_as_they_are(gemm, tmp_path):
    def renamed(model):
        model.graph.node[-1].name = "[/red]x"

    path = tmp_path / "m[bold].onnx"
    onnx.save(onnx.load(edited(gemm, renamed)), path)
    result = tenon("run", path, "--config", "tiny", "--simulator", "functional")
    assert result.exit_code == 0 and "m[bold].onnx" in result.stdout


def test_an_existing_folder_stays_the_same_folder(tmp_path):
    inode = tmp_path.stat().st_ino
    for _ in range(2):
        result = tenon("generate", "tiny", "-o", tmp_path)
        assert result.exit_code == 0 and tmp_path.stat().st_ino == inode
    assert (tmp_path / "tenon.v").stat().st_size > 100_000 and not list(tmp_path.parent.glob(f".{tmp_path.name}*"))


@pytest.mark.parametrize("setting", ["stall=100", "latency=0", "beats=0", "latency=4294967296"])
def test_a_dram_that_cannot_be(setting):
    refused(tenon("run", GEMM, "--config", "tiny", "--dram", setting), setting.split("=")[0], "must be in")


def test_a_missing_tool(monkeypatch):
    real = toolchain.survey
    monkeypatch.setattr(toolchain, "survey", lambda **options: [
        tool if tool.name != "g++" else type(tool)(tool.name, None, "", tool.purpose, tool.remedy) for tool in real(**options)])
    refused(tenon("run", GEMM, "--config", "tiny"), "g++", "is missing", "apt-get install g++")
    refused(tenon("doctor"), "g++ is missing", "apt-get install g++")


@pytest.mark.parametrize(("arrays", "words"), [
    ({"x": np.zeros((5, 11), np.float32)}, ["'x'", "[5, 12]", "[5, 11]"]),
    ({"x": np.full((5, 12), 1e39)}, ["'x'", "too large for float32"]),
    ({"x": np.zeros((5, 12), np.int32)}, ["'x'", "must be float32, not int32"]),
    ({"y": np.zeros((5, 12), np.float32)}, ["'y'", "x"]),
    ({}, ["'x'", "missing"]),
], ids=["shape", "range", "type", "name", "none"])
def test_a_wrong_input(arrays, words, program, tmp_path):
    np.savez(tmp_path / "in.npz", **arrays)
    refused(tenon("run", program, "--simulator", "functional", "--input", tmp_path / "in.npz"), "in.npz", *words)


def test_an_array_instead_of_an_archive(program, tmp_path):
    np.save(tmp_path / "in.npy", np.zeros((5, 12), np.float32))
    refused(tenon("run", program, "--simulator", "functional", "--input", tmp_path / "in.npy"), "in.npy", "must be an .npz file")


def test_a_member_that_is_no_array(program, tmp_path):
    with zipfile.ZipFile(tmp_path / "in.npz", "w") as archive:
        archive.writestr("x", "text")
    refused(tenon("run", program, "--simulator", "functional", "--input", tmp_path / "in.npz"), "in.npz", "'x' is no array")


@pytest.mark.parametrize("contents", [b"", b"text", b"PK\x03\x04 cut short"], ids=["empty", "text", "truncated"])
def test_an_input_that_is_no_archive(contents, program, tmp_path):
    (tmp_path / "in.npz").write_bytes(contents)
    refused(tenon("run", program, "--simulator", "functional", "--input", tmp_path / "in.npz"), "in.npz")


def test_an_input_that_is_not_there(program, tmp_path):
    refused(tenon("run", program, "--simulator", "functional", "--input", tmp_path / "no.npz"), "no.npz")


def test_a_model_needs_a_configuration():
    refused(tenon("run", GEMM, "--simulator", "model"), "--config")


@pytest.mark.parametrize(("options", "word"), [
    (["--simulator", "functional", "--trace", "t.json"], "--trace"), (["--simulator", "model", "--waves", "w.vcd"], "--waves"),
    (["--simulator", "model", "--output", "y.npz"], "--output needs values"), (["--output", "y.txt"], "must end in .npz"),
    (["--simulator", "model", "--dram", "stall=3"], "--dram"), (["--dram", "latncy=3"], "'latncy=3'"), (["--dram", "stall=x"], "'stall=x'"),
    (["--waves-from", "3"], "--waves"), (["--waves", "w.txt"], ".vcd"), (["--waves", ".vcd"], ".vcd"),
    (["--waves", "w.vcd", "--waves-from", "30", "--waves-to", "30"], "--waves-to must be more than"),
])
def test_options_that_do_not_fit(options, word, program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(tenon("run", program, *options), word)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [["generate", "tiny"], ["compile", GEMM, "--config", "tiny"]], ids=["generate", "compile"])
def test_a_folder_of_somebody_else_is_left_alone(command, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    refused(tenon(*command, "-o", tmp_path), "thesis.tex")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "rtl").write_text("")
    refused(tenon("generate", "tiny", "-o", tmp_path / "rtl"), "is not a folder")


def test_a_report_that_cannot_be_written(program, tmp_path):
    (tmp_path / "file").write_text("")
    refused(tenon("run", program, "--simulator", "model", "--json", tmp_path / "file" / "r.json"), "file")
    refused(tenon("run", program, "--simulator", "functional", "--output", tmp_path / "file" / "y.npz"), "file")


def test_layers_beyond_the_time_stamps_say_so(tmp_path):
    (tmp_path / "few.toml").write_text('preset = "edge16"\nmarkers = 16\n')
    done = tenon("run", "zoo:swiftnet_cell_a", "--config", tmp_path / "few.toml", "--simulator", "model", "--json", tmp_path / "r.json")
    assert done.exit_code == 0
    layers = json.loads((tmp_path / "r.json").read_text())["layers"]
    assert [layer["cycles"] is None for layer in layers] == [i > 14 for i in range(len(layers))] and len(layers) > 17
    assert f"{len(layers) - 15} layers have no time of their own" in done.stdout and "markers = 32" in done.stdout


def test_a_program_is_called_what_its_model_was(tmp_path):
    model = layers.conv((1, 1), 2, 2, 3)
    model.graph.name = "main_graph"
    onnx.save(model, tmp_path / "mine.onnx")
    assert tenon("compile", tmp_path / "mine.onnx", "--config", "tiny", "-o", tmp_path / "p").exit_code == 0
    assert "mine.onnx on tiny" in tenon("run", tmp_path / "p", "--simulator", "functional").stdout
