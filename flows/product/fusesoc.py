"""The core description for FuseSoC (CAPI2), and the plain list of files."""

from __future__ import annotations

__all__ = ["core", "file_list"]


def core(prefix: str, config: str, version: str) -> str:
    """``tenon:ip:PREFIX``: the RTL for whoever depends on it, and the target ``lint``, Verilator with the waivers."""
    return f"""\
CAPI=2:
name: "tenon:ip:{prefix}:{version}"
description: "Tenon accelerator, configuration {config}"

filesets:
  rtl:
    files:
      - {prefix}.v: {{file_type: verilogSource}}
  waivers:
    files:
      - {prefix}.vlt: {{file_type: vlt}}

targets:
  default:
    filesets: [rtl]
  lint:
    description: "Verilator's lint"
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall]
    filesets: [waivers, rtl]
    toplevel: {prefix}
"""


def file_list(prefix: str) -> str:
    """For ``-f`` of simulators and synthesis: relative to its own folder (``-F`` where a tool has it)."""
    return f"{prefix}.v\n"
