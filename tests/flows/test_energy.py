# amaranth: UnusedElaboratable=no
"""Energy by counts: rows of the table times what is counted, what the command says of it, and tables that are refused."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from tenon.compiler.activity import Operation, activity_of
from tenon.compiler.compile import compile_graph
from tenon.compiler.timing import time_program
from tenon.flows import energy
from tenon.flows.cli import main
from tenon.flows.energy import energy_of
from tenon.flows.energy_table import OPTIONAL, ROWS, default_table, load_table, read_table
from tenon.flows.errors import UserError
from tenon.hw.covenant import covenant
from tenon.hw.presets import preset
from tenon.tb.kernel_networks import small_network

PJ = {"multiply_i8": 0.5, "add_i32": 0.25, "multiply_f32": 4, "add_f32": 1, "sram_64": 8, "sram_64_root": 16, "dram_byte": 100}


def written(tmp_path, rows, name='name = "my 28 nm"\n', more=""):
    text = "".join(f'[{row}]\npj = {pj}\nnode_nm = 28\nsource = "me"\ndate = "2024"\n' for row, pj in rows.items())
    path = tmp_path / "table.toml"
    path.write_text(f"{name}{more}{text}")
    return path


@pytest.fixture(scope="module")
def program():
    return compile_graph(small_network(), covenant(preset("edge8")))


def rows(found):
    return {row.what: row for row in found.rows}


def test_counts_times_table(program, tmp_path):
    found, counted = energy_of(program, read_table(written(tmp_path, PJ))), activity_of(program.covenant, program.instructions)
    by = rows(found)
    macs = by["multiply-accumulate, 8 bits"]
    assert (macs.count, macs.pj, macs.total_pj) == (counted.operations[Operation.MAC], 0.75, 0.75 * macs.count)
    assert (by["binary32 multiply-add"].pj, by["binary32 multiplication"].pj, by["binary32 addition"].pj) == (5, 4, 1)
    assert by["integer addition or comparison"].pj == 0.25
    # Banks of 32, 64, 16 and 8 KiB: 8 pJ and 16 times the root of that, for 8 bytes.
    banks = {"ACT": 32, "WGT": 64, "ACC": 16, "VEC": 8, "PAR": 8, "TAB": 1}
    assert {what: row.pj for what, row in by.items() if what.endswith(" read") and "DRAM" not in what} == pytest.approx({
        f"{memory} read": 1 + 2 * math.sqrt(kib) for memory, kib in banks.items()})
    assert [by[f"DRAM {what}"].count for what in ("read", "written", "instructions fetched")] == [
        counted.dram_read_bytes, counted.dram_written_bytes, counted.fetched_bytes]
    assert by["DRAM read"].pj == 100
    assert (by["instructions"].count, by["instructions"].total_pj) == (len(program.instructions), None)
    assert (by["clock"].count, by["clock"].total_pj) == (time_program(program.covenant, program.instructions).cycles, None)
    priced = [row for row in found.rows if row.pj is not None]
    assert found.pj == pytest.approx(sum(row.count * row.pj for row in priced)) and found.uj == pytest.approx(found.pj / 1e6)
    assert found.macs == sum(layer.macs for layer in program.layers) and found.pj_per_mac == pytest.approx(found.pj / found.macs)
    assert found.label == "model, my 28 nm table"


def test_rows_that_a_table_may_have(program, tmp_path):
    plain = energy_of(program, read_table(written(tmp_path, PJ)), cycles=1000)
    more = energy_of(program, read_table(written(tmp_path, PJ | {"cycle": 7, "instruction": 3})), cycles=1000)
    assert more.pj == pytest.approx(plain.pj + 7 * 1000 + 3 * len(program.instructions))


def test_without_the_event_model_there_are_no_cycles(program, monkeypatch):
    monkeypatch.setattr(energy, "available", lambda: False)
    assert "clock" not in rows(energy_of(program)) and "clock" in rows(energy_of(program, cycles=5))


def test_a_network_without_products(program):
    bare = replace(program, layers=tuple(replace(layer, macs=0) for layer in program.layers))
    assert energy_of(bare).pj_per_mac is None


def test_larger_memories_take_more():
    sizes = [default_table().sram_pj(1024 << k) for k in range(12)]
    assert sizes == sorted(sizes) and sizes[0] > 0


def test_the_table_of_45_nm():
    """What is published, and that what is fitted is what its comment says."""
    table = default_table()
    assert load_table("45nm") is table and set(table.rows) == set(ROWS)
    assert all(row.node_nm == 45 and "Horowitz" in row.source and row.date == "2014-02" for row in table.rows.values())
    assert [table.pj(row) for row in ("multiply_i8", "add_i32", "multiply_f32", "add_f32")] == [0.2, 0.1, 3.7, 0.9]
    assert table.pj("dram_byte") == (1300 + 2600) / 2 / 8
    kib, pj = np.array([8, 32, 1024]), np.array([10.0, 20.0, 100.0])
    fit, *_ = np.linalg.lstsq(np.stack([1 / pj, np.sqrt(kib) / pj], 1), np.ones(3), rcond=None)
    assert fit == pytest.approx([table.pj("sram_64"), table.pj("sram_64_root")], abs=1e-3)
    errors = [100 * (8 * table.sram_pj(1024 * k) / p - 1) for k, p in zip(kib, pj)]
    assert errors == pytest.approx([2.0, -4.4, 2.1], abs=0.05)


@pytest.mark.parametrize(("change", "message"), [
    (lambda p: written(p, {k: v for k, v in PJ.items() if k != "add_f32"}), f"has no row 'add_f32'; a table needs {', '.join(ROWS)}"),
    (lambda p: written(p, PJ | {"add_i33": 1}), f"'add_i33' is no row of an energy table; known are {', '.join((*ROWS, *OPTIONAL))}"),
    (lambda p: written(p, PJ | {"add_i32": -0.1}), "add_i32.pj must be a number of picojoules, 0 or more, not -0.1"),
    (lambda p: written(p, PJ | {"add_i32": "nan"}), "add_i32.pj must be a number of picojoules, 0 or more, not nan"),
    (lambda p: written(p, PJ | {"add_i32": "inf"}), "add_i32.pj must be a number of picojoules, 0 or more, not inf"),
    (lambda p: written(p, PJ | {"add_i32": "true"}), "add_i32.pj must be a number of picojoules, 0 or more, not True"),
    (lambda p: written(p, PJ | {"add_i32": '"much"'}), "add_i32.pj must be a number of picojoules, 0 or more, not 'much'"),
    (lambda p: written(p, PJ | {"add_i32": "1\nunit = 3"}), "add_i32 has 'unit'; a row has pj, node_nm, source, date"),
    (lambda p: written(p, {k: v for k, v in PJ.items() if k != "add_i32"}, more="[add_i32]\npj = 1\n"),
     "add_i32 lacks 'date'; a row has pj, node_nm, source, date"),
    (lambda p: written(p, {k: v for k, v in PJ.items() if k != "add_i32"}, more="add_i32 = 0.1\n"),
     "add_i32 must be a section with pj, node_nm, source, date, not 0.1"),
    (lambda p: written(p, PJ | {"cycle": '1\nnode_nm = 0\nsource = ""\ndate = ""\n[junk]\nx = 1'}),
     f"'junk' is no row of an energy table; known are {', '.join((*ROWS, *OPTIONAL))}"),
    (lambda p: written(p, PJ, name=""), "name must be what figures are labelled with, such as \"45 nm\", not None"),
    (lambda p: written(p, PJ, name='name = "a\\nb"\n'), "name must be what figures are labelled with, such as \"45 nm\", not 'a\\nb'"),
], ids=["missing", "unknown", "negative", "nan", "infinite", "truth", "text", "more", "less", "no-section", "junk", "no-name", "two-lines"])
def test_refused(change, message, tmp_path):
    path = change(tmp_path)
    with pytest.raises(UserError) as refused:
        read_table(path)
    assert str(refused.value) == f"{path}: {message}"


@pytest.mark.parametrize(("old", "new", "message"), [
    ("node_nm = 28", "node_nm = 0", "multiply_i8.node_nm must be a number in 1..1000, not 0"),
    ('source = "me"', 'source = ""', "multiply_i8.source must be text, not ''"),
    ('date = "2024"', "date = 2024", "multiply_i8.date must be text, not 2024"),
], ids=["node", "source", "date"])
def test_rows_say_where_they_are_from(old, new, message, tmp_path):
    path = written(tmp_path, PJ)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(UserError) as refused:
        read_table(path)
    assert str(refused.value) == f"{path}: {message}"


def run(*options):
    return CliRunner().invoke(main, ["run", "zoo:gemm_5x12x9", "--config", "tiny", "--simulator", *map(str, options)])


def test_the_command(tmp_path):
    done = run("model", "--json", tmp_path / "r.json", "--energy-table")
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "r.json").read_text())
    found = report["energy"]
    assert found["basis"] == "model, 45 nm table" and {row["basis"] for row in found["rows"]} == {found["basis"]}
    assert found["uj"] == pytest.approx(sum(row["total_pj"] or 0 for row in found["rows"]) / 1e6)
    assert found["pj_per_mac"] == pytest.approx(1e6 * found["uj"] / report["macs"]) and found["table"]["rows"]["add_i32"]["pj"] == 0.1
    counts = {row["what"]: row["count"] for row in found["rows"]}
    assert counts["clock"] == report["cycles"] and counts["multiply-accumulate, 8 bits"] == 5 * 12 * 12
    assert counts["DRAM read"] + counts["DRAM instructions fetched"] == report["dram_read_bytes"]
    assert counts["DRAM written"] == report["dram_write_bytes"]
    assert "energy of a run (model, 45 nm table)" in done.stdout and f"{found['uj']:,.3f} uJ a run" in done.stdout


def test_the_command_with_a_table_of_ones_own(tmp_path):
    done = run("functional", "--energy-table", written(tmp_path, PJ), "--json", tmp_path / "r.json")
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["cycles"] is None and report["energy"]["basis"] == "model, my 28 nm table"
    assert "model, my 28 nm table" in done.stdout
    done = run("model", "--json", tmp_path / "r.json")
    assert "energy" not in json.loads((tmp_path / "r.json").read_text()) and "uJ" not in done.stdout


def test_a_program_folder_of_an_earlier_version(tmp_path):
    """Its covenant is the same, but for what it notes."""
    folder = tmp_path / "program"
    assert CliRunner().invoke(main, ["compile", "zoo:gemm_5x12x9", "--config", "tiny", "-o", str(folder)]).exit_code == 0
    graph = json.loads((folder / "acg.json").read_text())
    del graph["notes"]["port_bytes"], graph["notes"]["precedence"]
    (folder / "acg.json").write_text(json.dumps(graph))
    done = CliRunner().invoke(main, ["run", str(folder), "--simulator", "model", "--energy-table"])
    assert done.exit_code == 0 and "ACC read" in done.stdout, done.output


@pytest.mark.parametrize(("name", "text", "words"), [
    ("none.toml", None, "none.toml: cannot be read: No such file or directory"), ("t.toml", "pj = [", "t.toml: is not TOML: "),
    ("t.toml", 'name = "x"\n', "t.toml: has no row 'multiply_i8'"), (".", None, "cannot be read: Is a directory"),
    ("t.toml", b"\xff\xfe", "t.toml: is not TOML: "),
], ids=["no-file", "not-toml", "no-rows", "folder", "bytes"])
def test_the_command_refuses(name, text, words, tmp_path):
    if text is not None:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    done = run("model", "--energy-table", tmp_path / name)
    assert done.exit_code == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("tenon: ") and words in line
