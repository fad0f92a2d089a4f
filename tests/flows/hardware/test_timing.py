"""Timing finds the path that was planted, by the names of its registers, in whatever technology."""

import json

import pytest
from click.testing import CliRunner

from tenon.flows.cli import main
from tenon.flows.errors import UserError
from tenon.flows.hardware import analysis, placement
from tenon.flows.hardware.analysis import check_clock, paths_of
from tenon.flows.hardware.design import take_apart


@pytest.fixture(params=["ecp5", "osu018"])
def technology(request):
    if request.param == "osu018":
        request.getfixturevalue("library")
    return request.param


def bit_of(name: str) -> str:
    """A register's name without the bit's number, which has to be there."""
    assert name.endswith("]")
    return name.partition("[")[0]


def test_each_module(planted, technology):
    found = paths_of(planted, "planted", technology)
    assert [(path.module, path.instances) for path in found.paths] == [("tenon_planted", 1), ("tenon_quick", 2)]
    slow, quick = found.paths
    assert bit_of(slow.start) in ("first", "other") and bit_of(slow.end) == "second"
    assert bit_of(quick.end) == "o" and (quick.start.startswith("port ") or bit_of(quick.start) == "o")
    assert slow.ns > 4 * quick.ns and slow.levels > quick.levels >= 1
    times = [step.ns for step in slow.steps]
    assert 0 < times[0] and times == sorted(times) and times[-1] < slow.ns
    assert (slow.routing_ns is None, slow.fo4 is None) == ((False, True) if technology == "ecp5" else (True, False))


def test_the_whole(planted, technology):
    found = paths_of(planted, "planted", technology, whole=True)
    slowest = found.paths[0]
    assert slowest.module == ("tenon" if technology == "ecp5" else "tenon_planted")
    assert bit_of(slowest.start) in ("planted.first", "planted.other") and bit_of(slowest.end) == "planted.second"


def test_memories_and_ports_are_ends(planted, library):
    """What goes into a memory ends there, and what it reads starts there."""
    ends = {path.module: path for path in paths_of(planted, "planted", "osu018", whole=True).paths}
    assert set(ends) == {"tenon_planted", "tenon_quick", "tenon", "memories, ports"}
    only = take_apart("\n".join(part.text for part in planted.parts.values() if part.module == "tenon_memory") + """
module tenon(clk, i, o); input clk; input [11:0] i; output o; reg o; wire [11:0] read;
  tenon_memory #(.WIDTH(12), .DEPTH(512), .LANE(12), .ADDRESS(9)) store(.clk(clk), .w_en(i[0]), .w_addr(i[8:0]), .w_data(i),
    .r_en(1'b1), .r_addr(i[11:3]), .r_data(read));
  always @(posedge clk) o <= ^read;
endmodule""", "only")
    (path,) = paths_of(only, "only", "osu018", ["tenon"]).paths
    assert path.start.startswith("store.r_data[") and path.end == "o" and path.levels == 4
    (path,) = paths_of(only, "only", "ecp5", ["tenon"]).paths
    # One level more where a read has to see the write of its own cycle.
    assert path.start.startswith("store.words") and path.end == "o" and path.levels in (2, 3)


def test_a_clock_that_cannot_be_met(planted, library):
    found = paths_of(planted, "planted", "osu018")
    check_clock(found, found.paths[0].mhz * 0.99)
    with pytest.raises(UserError, match=r"^planted does not reach 2000 MHz: tenon_planted allows \d+\.\d \(\d\.\d\d ns from \w+\[\d+\] "
                                        r"to second\[\d+\]\)$"):
        check_clock(found, 2000)


def test_modules_with_many_copies(planted, technology):
    """Are left out on an FPGA, with all that they are in, unless they are named."""
    rows = take_apart("\n".join(part.text for part in planted.parts.values() if part.module == "tenon_quick") + """
module tenon_rows(clk, rst, a, o); input clk, rst; input [3:0] a; output [11:0] o;
  tenon_quick quick_0(.clk(clk), .rst(rst), .enable(a[0]), .a(a), .o(o[3:0]), .one());
  tenon_quick quick_1(.clk(clk), .rst(rst), .enable(a[1]), .a(a), .o(o[7:4]), .one());
  tenon_quick quick_2(.clk(clk), .rst(rst), .enable(a[2]), .a(a), .o(o[11:8]), .one());
endmodule
module tenon(clk, rst, a, o); input clk, rst; input [3:0] a; output [11:0] o;
  tenon_rows rows(.clk(clk), .rst(rst), .a(a), .o(o));
endmodule""", "rows")
    names = {path.module for path in paths_of(rows, "rows", technology).paths}
    assert names == ({"tenon_quick"} if technology == "ecp5" else {"tenon_quick", "tenon_rows"})
    assert [path.module for path in paths_of(rows, "rows", technology, ["rows", "quick"]).paths] == ["tenon_rows", "tenon_quick"]


def test_unknown_modules(planted):
    with pytest.raises(UserError, match="^--module: tenon has no module 'plantd'; did you mean planted[?]$"):
        paths_of(planted, "planted", "ecp5", ["plantd"])
    with pytest.raises(UserError, match="^--module: tenon has no module 'xyz'; their names are in its Verilog$"):
        paths_of(planted, "planted", "ecp5", ["xyz"])
    with pytest.raises(UserError, match="has no module 'memory'"):  # that is no logic
        paths_of(planted, "planted", "ecp5", ["memory"])


def test_results_are_kept(planted, monkeypatch):
    first = paths_of(planted, "planted", "ecp5", ["quick"])
    monkeypatch.setattr(placement, "run_yosys", None)
    assert paths_of(planted, "planted", "ecp5", ["quick"]) == first
    other = take_apart(planted.text_of("tenon_quick").replace("o ^ a", "o & a"), "other", "tenon_quick")
    with pytest.raises(TypeError):  # another text is another design
        paths_of(other, "other", "ecp5", ["quick"])


def test_tries(planted, tmp_path, monkeypatch):
    """The fastest of all placements counts, or the first that is fast enough; those that are kept are not made again."""
    monkeypatch.setenv("TENON_CACHE", str(tmp_path))
    times, routed = [], placement._routed

    def counted(*args):
        path, said = routed(*args)
        times.append(placement._ns(path))
        return path, said

    monkeypatch.setattr(placement, "_routed", counted)
    (path,) = paths_of(planted, "planted", "ecp5", ["planted"], tries=3).paths
    assert len(times) == len(set(times)) == 3 and path.ns == pytest.approx(min(times), abs=0.001)
    every, clock = tuple(times), 1000 / sorted(times)[1]
    (path,) = paths_of(planted, "planted", "ecp5", ["planted"], tries=3, clock_mhz=clock).paths
    assert path.ns == pytest.approx(next(ns for ns in every if ns <= 1000 / clock), abs=0.001) and len(times) == 3
    (path,) = paths_of(planted, "planted", "ecp5", ["planted"], tries=4).paths
    assert len(times) == 4 and path.ns == pytest.approx(min(times), abs=0.001)


def test_a_device_that_is_too_small(tmp_path):
    """156 multipliers are what the largest ECP5 has; the log stays, for those who want to know more."""
    rows = "\n".join(f"  always @(posedge clk) o{n} <= i[{n}+:9] * i[{n + 9}+:9];" for n in range(157))
    ports = ", ".join(f"o{n}" for n in range(157))
    declared = "\n".join(f"  output [17:0] o{n}; reg [17:0] o{n};" for n in range(157))
    design = take_apart(f"module tenon(clk, i, {ports});\n  input clk; input [199:0] i;\n{declared}\n{rows}\nendmodule\n", "wide")
    with pytest.raises(UserError, match="^tenon does not fit an LFE5U-85F: 157 of 156 MULT18X18D$"):
        paths_of(design, "wide", "ecp5", whole=True, log=tmp_path / "log")
    assert "MULT18X18D" in (tmp_path / "log").read_text()


# The command.

def tenon(*arguments):
    return CliRunner().invoke(main, ["generate", "tiny", *map(str, arguments)])


def test_command(technology, tmp_path):
    done = tenon("-o", tmp_path / "rtl", "--timing", technology, "--module", "systolic_row", "--json", tmp_path / "timing.json")
    assert done.exit_code == 0, done.output
    (path,) = json.loads((tmp_path / "timing.json").read_text())["paths"]
    assert path["module"] == "tenon_systolic_row" and path["mhz"] == round(1000 / path["ns"], 1) and len(path["steps"]) > 1
    assert f"{path['ns']:.2f}" in done.output and path["start"] in done.output and path["steps"][0]["cell"] in done.output


def test_command_with_a_clock(tmp_path):
    done = tenon("-o", tmp_path / "rtl", "--timing", "ecp5", "--module", "systolic_row", "--clock", 900, "--log", tmp_path / "log")
    assert done.exit_code == 2 and done.stderr.splitlines()[-1].startswith("tenon: tiny does not reach 900 MHz: tenon_systolic_row allows ")
    assert "Max frequency" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(("options", "words"), [
    (["--module", "lane"], "--module needs --timing"), (["--clock", "9"], "--clock needs --timing"),
    (["--whole", "--area"], "--whole needs --timing"), (["--timing", "ecp5", "--log", "l"], "--log is nextpnr's"),
    (["--timing", "ecp5", "--whole", "--module", "lane"], "--module is of no use"), (["--json", "j"], "--json needs --area or --timing"),
    (["--timing", "ecp5", "--area", "--json", "j"], "--json needs --area or --timing, one of the two"),
])
def test_options_that_do_not_go_together(options, words, tmp_path):
    done = tenon("-o", tmp_path / "rtl", *options)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1) and words in done.stderr
    assert not (tmp_path / "rtl").exists()


def test_tools_are_looked_for_first(monkeypatch, tmp_path):
    def missing():
        raise UserError("nothing is there")

    monkeypatch.setattr(analysis, "find_placer", missing)
    done = tenon("-o", tmp_path / "rtl", "--timing", "ecp5")
    assert (done.exit_code, done.stderr) == (2, "tenon: nothing is there\n") and not (tmp_path / "rtl").exists()
