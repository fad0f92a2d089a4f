"""Verilator's lint of generated Verilog, under the waivers that go with it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from tenon.hw.emit import PREFIX
from tenon.tb import toolchain

__all__ = ["WAIVERS", "lint"]

#: Verilator's configuration with each waiver and its reason.
WAIVERS = (Path(__file__).resolve().parents[1] / "hw" / "tenon.vlt").read_text(encoding="utf-8")

_SECONDS = 300


def lint(verilog: str, waivers: str = WAIVERS, top: str = PREFIX) -> list[str]:
    """The warnings of ``verilator --lint-only -Wall``, a line each; none if ``verilog`` with its top module is clean.

    Raises
    ------
    tb.toolchain.ToolError
        If Verilator is missing.
    """
    toolchain.require("verilator", "perl")
    with tempfile.TemporaryDirectory(prefix="tenon-lint-") as folder:
        for name, text in (("tenon.vlt", waivers), ("tenon.v", verilog)):
            (Path(folder) / name).write_text(text, encoding="utf-8")
        command = ["verilator", "--lint-only", "-Wall", "--top-module", top, "tenon.vlt", "tenon.v"]
        command[0] = str(toolchain.verilator_root() / "bin" / command[0])
        done = subprocess.run(command, cwd=folder, env=toolchain.child_environment(), capture_output=True, text=True,
                              timeout=_SECONDS, check=False)
    found = [line for line in done.stderr.splitlines() if line.startswith("%")]
    return found or ([f"verilator ended with {done.returncode}"] if done.returncode else [])
