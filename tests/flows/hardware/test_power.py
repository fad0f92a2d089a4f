"""Power: gates go through the cycles of the RTL, toggles are counted, and two routes from toggles to energy agree."""

import dataclasses
import json
import random
import re
import subprocess

import pytest
from click.testing import CliRunner

from tenon.flows.cli import main
from tenon.flows.hardware import osu018
from tenon.flows.hardware.analysis import design_of
from tenon.flows.hardware.gates import CLOCK, Cell, Netlist
from tenon.flows.hardware.opensta import cycle_pj
from tenon.flows.hardware.power import energy, measured
from tenon.flows.hardware.power.energies import energies, net_pj
from tenon.flows.hardware.power.energy import clock_pj, energy_of, toggle_pj
from tenon.flows.hardware.power.functions import function
from tenon.flows.hardware.power.memories import access_pj
from tenon.flows.hardware.power.recorded import read_recorded
from tenon.flows.hardware.power.toggles import Gates, settle, toggles
from tenon.hw.presets import preset

ROW = "tenon_systolic_row"


def signal(register: Cell) -> str:
    return register.path.removeprefix("port ")


@pytest.fixture(scope="module")
def row(library, tmp_path_factory):
    """A row of cells in gates, what its registers held in 256 cycles of random inputs in RTL, and what its nets settled at."""
    if subprocess.run(["which", "iverilog"], capture_output=True, check=False).returncode:
        pytest.skip("no iverilog")
    design = design_of(preset("tiny"))
    part, rng, folder = design.parts[ROW], random.Random(1), tmp_path_factory.mktemp("row")
    inputs = [p for p in part.ports if p.is_input and p.name != "clk"]
    declared = [f"{'reg' if p in inputs else 'wire'} {p.range} \\{p.name} {'= 0' if p in inputs else ''};" for p in part.ports
                if p.name != "clk"]
    steps = []
    for cycle in range(256):
        drawn = {p.name: rng.getrandbits(p.width) for p in inputs} | {"rst": int(cycle < 4)}
        steps.append("#5 clk = 0; #5 clk = 1; #1 " + " ".join(f"\\{p.name} = {p.width}'d{drawn[p.name]};" for p in inputs))
    (folder / "row.v").write_text("\n".join(["`timescale 1ns/1ns", design.text_of(ROW), "module bench; reg clk = 1;", *declared,
                                             part.instance("dut"), 'initial begin $dumpfile("row.vcd"); $dumpvars(0, bench);', *steps,
                                             "$finish; end endmodule", ""]))
    subprocess.run(["iverilog", "-g2012", "-o", "row", "row.v"], cwd=folder, check=True)
    subprocess.run(["vvp", "row"], cwd=folder, check=True, capture_output=True)
    netlist = osu018.gates_of(design, ROW)
    for cell in netlist.cells:
        cell.part = cell.part or "ports"  # as OpenSTA has it: no cell is outside
    gates = Gates(netlist, library)
    recorded = read_recorded(folder / "row.vcd", "bench.dut", {signal(register) for register in gates.registers})
    settled = settle(gates, {gates.held(r): recorded.bits[signal(r)] for r in gates.registers}, recorded.mask)
    return gates, recorded, settled


def contradicted(gates, settled, follows) -> list[str]:
    """Registers within the row that hold something else than what the gates made them take."""
    return [r.path for r in gates.registers if not r.path.startswith("port ")
            and (settled[gates.taken(r)] << 1 ^ settled[gates.held(r)]) & follows]


def test_gates_go_through_the_cycles_of_the_rtl(row):
    gates, recorded, settled = row
    assert recorded.cycles == 256 and recorded.samples == (range(256),)
    after_reset = recorded.follows & ~0xFF
    assert contradicted(gates, settled, after_reset) == []
    assert sum(len({bin(recorded.bits[signal(r)]), "0b0"}) == 2 for r in gates.registers) > 300, "they all stand still"
    wrong = {gates.held(r): recorded.bits[signal(r)] ^ (1 << 99) * (r.path == "port across[1]") for r in gates.registers}
    assert contradicted(gates, settle(gates, wrong, recorded.mask), after_reset)


def routes(row) -> tuple[float, float]:
    """pJ of a cycle by counted toggles, and by OpenSTA for as many; without the clock's net, which OpenSTA leaves out."""
    gates, recorded, settled = row
    found = energy_of(gates, settled, recorded.follows, recorded.mask, part=lambda cell: "row", clocked=lambda register: recorded.mask)
    cycles = recorded.follows.bit_count()
    clock_net = sum(2 * net_pj(gates.library, gates.library.gates[r.kind].inputs["CLK"]) for r in gates.registers)
    ours = (found.toggles_pj["row"].sum() + found.clock_pj["row"].sum()) / cycles - clock_net
    return ours, cycle_pj(gates.netlist, gates.library, found.toggles["row"] / found.outputs["row"] / cycles)


def test_two_routes_agree(row, monkeypatch):
    """Within 10 %, and no more with twice the energies of flip-flops: these are a third of a row."""
    ours, theirs = routes(row)
    assert 0.9 < ours / theirs < 1.1
    true = energies(row[0].library)
    monkeypatch.setattr(energy, "energies", lambda library: true | {"DFFPOSX1": twice(true["DFFPOSX1"])})
    assert routes(row)[0] / theirs > 1.15


def twice(cell):
    return dataclasses.replace(cell, inputs={pin: 2 * pj for pin, pj in cell.inputs.items()},
                               outputs={pin: (loads, tuple(2 * pj for pj in values)) for pin, (loads, values) in cell.outputs.items()})


def behind_registers(library, kind: str) -> Netlist:
    """Four cells of ``kind`` behind the same registers; without loads, so that what is within them counts."""
    netlist = Netlist()
    gate = library.gates[kind]
    inputs = {pin: netlist.new_net(pin) for pin in gate.inputs}
    netlist.cells = [Cell("DFFPOSX1", pin, {"CLK": CLOCK, "D": 0, "Q": net}, "x") for pin, net in inputs.items()]
    netlist.cells += [Cell(kind, "", inputs | {pin: netlist.new_net(pin) for pin in gate.outputs}, "x") for _ in range(4)]
    return netlist


@pytest.mark.parametrize("kind", ["INVX1", "INVX4", "BUFX2", "BUFX4", "NAND2X1", "NOR2X1", "AND2X2", "OR2X1", "XOR2X1", "XNOR2X1", "HAX1"])
def test_both_routes_on_one_kind_of_cell(kind, library, monkeypatch):
    """Within 10 %, but not with twice the energy in that kind. Of cells with more inputs OpenSTA 2.0.17 adds some energies up."""
    gates = Gates(behind_registers(library, kind), library)
    theirs = cycle_pj(gates.netlist, library, 1.0) - cycle_pj(gates.netlist, library, 0.0)
    assert 0.9 < sum(toggle_pj(gates).values()) / theirs < 1.1
    true = energies(library)
    monkeypatch.setattr(energy, "energies", lambda library: true | {kind: twice(true[kind])})
    assert sum(toggle_pj(gates).values()) / theirs > 1.18


def test_opensta_takes_both_edges_for_one(library, tmp_path):
    """Which is why half of it counts: an inverter in a library in which every edge takes 0.1 pJ, and nothing else does."""
    text = re.sub(r"(rise|fall)_power\(.*?\n\s*\}", lambda power: re.sub(r"values \(.*?\);", lambda values: re.sub(
        r"-?\d+(\.\d+)?", "0.1", values[0]), power[0], flags=re.S), library.path.read_text(errors="replace"), flags=re.S)
    (tmp_path / "same.lib").write_text(re.sub(r"capacitance : [\d.]+", "capacitance : 0", text))
    same = dataclasses.replace(library, path=tmp_path / "same.lib")
    netlist = behind_registers(library, "INVX1")
    alone = Netlist(cells=netlist.cells[:1], nets=netlist.nets)
    assert (cycle_pj(netlist, same, 0.5) - cycle_pj(alone, same, 0.5)) == pytest.approx(4 * 0.5 * 0.1, rel=1e-3)


def test_a_clock_that_stands_still_takes_nothing(row):
    gates, recorded, settled = row
    half = recorded.mask // 0b11  # every other cycle
    full, gated, none = (energy_of(gates, settled, recorded.follows, recorded.mask, part=lambda cell: "row",
                                   clocked=lambda register, edges=edges: edges).clock_pj["row"].sum() for edges in (recorded.mask, half, 0))
    assert full == pytest.approx(255 * sum(clock_pj(gates, register) for register in gates.registers))
    assert 0.49 < gated / full < 0.51 and none == 0


def two_paths(inverters: int, readers: int) -> Netlist:
    """An exclusive or of a register and of the same through a chain of inverters, an even number of them, with so many readers."""
    netlist = Netlist()
    first = net = netlist.new_net("first")
    netlist.cells = [Cell("DFFPOSX1", "first", {"CLK": CLOCK, "D": 0, "Q": first}, "x")]
    for n in range(inverters):
        pins = {"A": net, "Y": netlist.new_net(f"chain{n}")}
        netlist.cells.append(Cell("INVX1", f"chain{n}", pins, "x"))
        net = pins["Y"]
    netlist.cells.append(Cell("XOR2X1", "differ", {"A": first, "B": net, "Y": netlist.new_net("differ")}, "x"))
    out = netlist.cells[-1].pins["Y"]
    netlist.cells += [Cell("DFFPOSX1", "", {"CLK": CLOCK, "D": out, "Q": netlist.new_net("")}, "x") for _ in range(readers)]
    return netlist


@pytest.mark.parametrize(("inverters", "readers", "pulses"), [(0, 1, 0), (2, 60, 0), (12, 1, 2), (40, 60, 2)])
def test_glitches(inverters, readers, pulses, library):
    """The output settles at 0 in every cycle: all that it does is glitches, which a slow gate lets through only if they are long."""
    gates = Gates(two_paths(inverters, readers), library)
    first, differ = (next(cell for cell in gates.netlist.cells if cell.path == path) for path in ("first", "differ"))
    held = {gates.held(register): 0 for register in gates.registers} | {first.pins["Q"]: 0b0110_1010}
    settled = settle(gates, held, 0xFF)
    assert settled[differ.pins["Y"]] == 0
    found = list(toggles(gates, settled, 0b1111_1100, 0xFF))
    assert [bits for net, bits in found if net == first.pins["Q"]] == [0b1011_1100]
    assert [bits for net, bits in found if net == differ.pins["Y"]] == pulses * [0b1011_1100]


@pytest.mark.parametrize(("text", "value"), [
    ("(A B)", 0b1000), ("(!A)", 0b0101), ("(A+B)", 0b1110), ("A^B", 0b0110), ("(!((A B)+A))", 0b0101), ("A' * !B", 0b0001),
    ("A & B | !A", 0b1101), ("(!((A A) + (!A B)))", 0b0001)])
def test_functions(text, value):
    assert function(text, ["A", "B"])([0b1010, 0b1100], 0b1111) == value


VCD = """$scope module top $end $scope module dut $end
$var wire 1 ! clk $end $var reg 4 " x [3:0] $end
$var reg 9 # x[2] $end $var reg 1 % flag $end
$upscope $end $upscope $end
$enddefinitions $end
""".replace(" $var", "\n$var").replace(" $scope", "\n$scope")


def record(tmp_path, changes: str):
    (tmp_path / "a.vcd").write_text(VCD + changes)
    return read_recorded(tmp_path / "a.vcd", "top.dut", ["x[0]", "x[2]", "flag"])


def test_records_with_gaps(tmp_path):
    """Values in the middle of cycles; x[2] is a bit of x, not the signal called so; what is unknown is 0."""
    edges = "#{}\n1!\n{}\n#{}\n0!\n"
    changes = [("b0101 \"\n1%\nb111111111 #", 10), ("b0100 \"", 20), ("bx001 \"", 30), ("b0101 \"\nx%", 90), ("", 100)]
    found = record(tmp_path, "".join(edges.format(time, change, time + 5) for change, time in changes))
    assert (found.cycles, found.samples, found.follows) == (5, (range(3), range(3, 5)), 0b10110)
    assert found.bits == {"x[0]": 0b11101, "x[2]": 0b11011, "flag": 0b00111}
    with pytest.raises(KeyError, match="y"):
        read_recorded(tmp_path / "a.vcd", "top.dut", ["y"])


def test_memories_are_scaled_from_what_was_published():
    assert [access_pj(size << 10, 64) / 16 for size in (8, 32, 1024)] == pytest.approx([10, 20, 100])
    assert access_pj(2 << 10, 64) / 16 == pytest.approx(5) and access_pj(8 << 10, 128) == 2 * access_pj(8 << 10, 64)


# The command.

def tenon(*arguments):
    return CliRunner().invoke(main, ["run", "zoo:digits", "--config", "tiny", "--runs", "1", *map(str, arguments)])


@pytest.mark.rtl
def test_command(library, tmp_path, monkeypatch):
    """Parts add up, an engine that does little has idle clock pins, memories are read, and the result is kept."""
    config = tmp_path / "tiny.toml"
    config.write_text('preset = "tiny"\nname = "tiny"\nclock_mhz = 50\n')
    done = tenon("--config", config, "--power", "--json", tmp_path / "r.json")
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "r.json").read_text())
    power = report["power"]
    parts = {part["part"]: part for part in power["parts"]}
    assert {"array", "lanes", "MATRIX, rest", "VECTOR, rest", "LOAD", "STORE", "WINDOW", "sequencer", "memory ports"} == set(parts)
    assert power["uj"] == pytest.approx(sum(p["toggles_uj"] + p["clock_pins_uj"] for p in parts.values())
                                        + sum(memory["uj"] for memory in power["memories"]))
    assert power["pj_per_mac"] == pytest.approx(1e6 * power["uj"] / report["macs"])
    assert power["mean_mw"] == pytest.approx(1000 * power["uj"] / report["time_us"] + power["leakage_uw"] / 1000)
    for part in parts.values():
        assert 0 < part["glitches_uj"] < part["toggles_uj"] and 0 <= part["idle_clock_pins_uj"] <= part["clock_pins_uj"]
    assert parts["STORE"]["idle_clock_pins_uj"] > 0.5 * parts["STORE"]["clock_pins_uj"]
    words = {memory["memory"]: memory for memory in power["memories"]}
    assert words["weights.bank"]["reads"] > 1000 and words["activations.bank"]["written_bits"] > 8000
    assert 0 < power["error_uj"] < 0.2 * power["uj"] and 900 < power["sampled_cycles"] <= 1088
    assert "an assumption, not a measurement" in done.output and f"{power['uj']:,.3f} uJ a run" in done.output
    page = tmp_path / "r.html"
    assert CliRunner().invoke(main, ["report", str(tmp_path / "r.json"), "-o", str(page)]).exit_code == 0
    assert f"{power['uj']:,.1f} uJ" in page.read_text() and f"{power['mean_mw']:,.1f} mW" in page.read_text()
    monkeypatch.setattr(measured, "execute", None)  # it is kept
    assert tenon("--config", config, "--power", "--json", tmp_path / "again.json").exit_code == 0
    assert json.loads((tmp_path / "again.json").read_text())["power"] == power


@pytest.mark.rtl
@pytest.mark.parametrize(("broken", "words"), [
    ({"_signal": lambda register: register.path.removeprefix("port ").replace("counters.value", "none")}, "RTL recorded no none"),
    ({"settle": lambda gates, held, ones: settle(gates, {net: bits ^ ones for net, bits in held.items()}, ones)}, "something else in RTL"),
])
def test_hardware_and_record_that_do_not_agree(broken, words, library, tmp_path, monkeypatch):
    for name, replacement in broken.items():
        monkeypatch.setattr(measured, name, replacement)
    monkeypatch.setattr(measured, "kept", lambda kind, recipe, make: make())
    done = tenon("--power", "--json", tmp_path / "r.json")
    assert done.exit_code == 2 and words in done.stderr.splitlines()[-1] and not (tmp_path / "r.json").exists()


@pytest.mark.parametrize(("options", "words"), [
    (["--simulator", "model"], "--power needs recorded signals: use it with --simulator verilator"),
    (["--simulator", "icarus"], "--power needs recorded signals"), ([], "apt-get install qflow-tech-osu018")])
def test_refused(options, words, tmp_path, monkeypatch):
    monkeypatch.setattr(osu018, "_LIBERTY", tmp_path / "cells.lib")
    done = tenon("--power", *options, "--json", tmp_path / "r.json")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1) and words in done.stderr
    assert not (tmp_path / "r.json").exists()
