"""Programs as folders: written whole, read back, refused on other hardware; compiled from the covenant's file alone."""

import copy
import functools
import json
import operator
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tenon.compiler.compile import compile_graph
from tenon.compiler.errors import CompileError
from tenon.compiler.mapping import NetworkMapping
from tenon.compiler.program import Program
from tenon.tb.kernel_networks import COVENANTS, mismatches, random_inputs, small_network

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def program():
    return compile_graph(small_network(), COVENANTS["edge8"], effort=2)


def test_a_folder_holds_everything(program, tmp_path):
    program.save(tmp_path / "net")
    assert sorted(p.name for p in (tmp_path / "net").iterdir()) == [
        "acg.json", "constants.bin", "image.bin", "listing.txt", "program.bin", "program.json"]
    again = Program.load(tmp_path / "net", COVENANTS["edge8"])
    assert again.image() == program.image() and again.constants == program.constants
    assert (again.layers, again.inputs, again.outputs, again.segments) == (
        program.layers, program.inputs, program.outputs, program.segments)
    assert again.mapping == program.mapping
    graph = small_network()
    assert mismatches(again, graph, random_inputs(graph)) == 0


def test_layers_carry_what_reports_need(program):
    assert [r.op for r in program.layers] == ["Conv", "Conv+Add", "MaxPool", "Relu", "Conv"]
    assert [r.engine for r in program.layers] == ["MATRIX", "MATRIX", "WINDOW", "VECTOR", "MATRIX"]
    assert program.layers[1].macs == 9 * 8 * 20 * 9 * 20
    assert program.layers[1].nodes == ("b_node", "sum_node")
    assert [r.mark for r in program.layers] == [1, 2, 3, 4, 5]
    for r in program.layers:
        assert program.instructions[r.last].header.mark == r.mark
        assert program.instructions[r.last].mnemonic.name == "STORE"
        assert r.bound_cycles >= r.macs / 64
    ends = [r.last for r in program.layers]
    assert [r.first for r in program.layers] == [0, *(e + 1 for e in ends[:-1])]


def test_the_listing_reads_well(program):
    listing = program.listing()
    assert "; b_conv (Conv+Add)" in listing
    assert listing.splitlines()[-1].split() == [str(len(program.instructions)), "END"]
    assert any("MATRIX" in line and "init=bias" in line and "; tile 0" in line for line in listing.splitlines())


def test_saving_replaces_a_program_and_nothing_else(program, tmp_path):
    program.save(tmp_path / "net")
    program.save(tmp_path / "net")
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(CompileError, match=r"other exists and is not a program: choose another folder$"):
        program.save(other)
    assert (other / "thesis.txt").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net", "other"], "nothing half-written stays"


def test_other_hardware_is_refused(program, tmp_path):
    program.save(tmp_path / "net")
    with pytest.raises(CompileError, match=r"net was compiled for edge8 \(\w{12}\), not for tiny \(\w{12}\): compile it again$"):
        Program.load(tmp_path / "net", COVENANTS["tiny"])


@pytest.mark.parametrize("damage", ["missing", "cut", "format", "listless"])
def test_what_is_no_program_is_refused(program, tmp_path, damage):
    folder = tmp_path / "net"
    program.save(folder)
    file = folder / "program.json"
    text = file.read_text()
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_text(text[:100])
    elif damage == "format":
        file.write_text(text.replace('"program": 1', '"program": 99'))
    else:
        file.write_text(text.replace('"tensors"', '"sensors"'))
    with pytest.raises(CompileError, match="net (is not a program|has format 99)"):
        Program.load(folder)


_OTHERS = (None, -1, 1 << 70, 0.5, float("nan"), "", "x", [], [0], {}, {"x": 1}, True)


def _places(value, way=()):
    """Ways to every value of a record, the record's own name and numbers aside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, more in inner:
        yield (*way, name), more
        yield from _places(more, (*way, name))


def test_layouts_that_step_back_or_leave_gaps_are_refused(program, tmp_path):
    """Of any tensor, and of those that the host reads and writes."""
    folder = tmp_path / "net"
    program.save(folder)
    record = json.loads((folder / "program.json").read_text())
    numbers = {t["name"]: n for n, t in enumerate(record["tensors"])}
    inner = next(n for name, n in numbers.items() if name not in (*record["inputs"], *record["outputs"]))

    def refused(number, change, words):
        changed = copy.deepcopy(record)
        change(changed["tensors"][number])
        (folder / "program.json").write_text(json.dumps(changed))
        with pytest.raises(CompileError, match=words):
            Program.load(folder)

    def back(tensor):
        tensor["layout"][-1][2] *= -1

    def gap(tensor):
        tensor["bytes"] -= 1
        tensor["layout"][0][2] += 1

    refused(inner, back, "has a layout of no shape")
    for name in (record["inputs"][0], record["outputs"][0]):
        refused(numbers[name], gap, "is the host's, which has no gaps")


def test_records_are_loaded_right_or_refused(program, tmp_path):
    """Each value of program.json in turn is another: one line says so, or the program can be listed, saved and fed as before."""
    folder = tmp_path / "net"
    program.save(folder)
    record = json.loads((folder / "program.json").read_text())
    refused = 0
    rng = np.random.default_rng(2)
    places = [way for way, _ in _places(record)]
    for way in [places[i] for i in rng.choice(len(places), 250, replace=False)]:
        changed = copy.deepcopy(record)
        holder = functools.reduce(operator.getitem, way[:-1], changed)
        holder[way[-1]] = _OTHERS[rng.integers(len(_OTHERS))]
        (folder / "program.json").write_text(json.dumps(changed))
        try:
            loaded = Program.load(folder)
        except CompileError as error:
            refused += 1
            assert "\n" not in str(error)
        else:
            loaded.listing()
            memory = loaded.memory()
            for placed in loaded.tensors.values():
                assert placed.tensor.to_onnx(placed.read(memory)).size
            loaded.save(tmp_path / "again")
    assert 150 < refused < 250, refused


def test_a_tensor_of_the_wrong_type_is_refused(program):
    memory = program.memory()
    with pytest.raises(ValueError, match=r"^x must be uint8 \(1, 9, 8, 3\), not int8 \(1, 9, 8, 3\)$"):
        program.tensors["x"].write(memory, np.zeros((1, 9, 8, 3), np.int8))


def test_mappings_replay(program):
    text = program.mapping.to_json()
    again = compile_graph(small_network(), COVENANTS["edge8"], mapping=NetworkMapping.from_json(text))
    assert again.image() == program.image()
    with pytest.raises(CompileError, match="^not a mapping: "):
        NetworkMapping.from_json("[1, 2]")
    with pytest.raises(CompileError, match="^not a mapping: it has no layers$"):
        NetworkMapping.from_json('{"conv1": {"tile_h": 1}}')


def test_the_covenant_alone_is_enough(tmp_path):
    """A process in which ``hw`` cannot be imported compiles the same program from ``acg.json``."""
    (tmp_path / "acg.json").write_text(COVENANTS["edge8"].to_json())
    script = """
import sys
sys.modules["tenon.hw"] = None  # importing it fails from now on
from pathlib import Path
from tenon.acg.graph import Graph
from tenon.compiler.compile import compile_model
from tenon.compiler.frontend import load_model
here = Path(sys.argv[1])
compile_model(load_model(here / "model.onnx"), Graph.from_json((here / "acg.json").read_text())).save(here / "net")
try:
    import tenon.hw.params
except ImportError:
    pass
else:
    sys.exit("hw can be imported")
"""
    from tenon.tb.random_layers import random_case

    case = next(c for c in map(random_case, range(50)) if c.name.startswith("conv_add") or "conv_add" in c.name)
    (tmp_path / "model.onnx").write_bytes(case.model.SerializeToString())
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, check=True)
    from tenon.compiler.compile import compile_model

    here = compile_model(case.model, COVENANTS["edge8"])
    assert Program.load(tmp_path / "net", COVENANTS["edge8"]).image() == here.image()
