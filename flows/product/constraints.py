"""Timing constraints: SDC for ASIC flows and Quartus, XDC for Vivado, LPF for nextpnr and Diamond."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from tenon.flows.port import Port

__all__ = ["IO_FRACTION", "lpf", "sdc", "xdc"]

#: Part of the clock period that the surroundings have, before inputs and after outputs.
IO_FRACTION = 0.3

_CLOCK, _SCAN = "clk", "scan_enable"


def _create_clock(mhz: float) -> str:
    return f"create_clock -name {_CLOCK} -period {1000 / mhz:.3f} [get_ports {_CLOCK}]\n"


def _get(ports: Sequence[Port]) -> str:
    names = textwrap.wrap(" ".join(port.name for port in ports), 110)
    return "[get_ports {" + " \\\n    ".join(names) + "}]"


def sdc(ports: Sequence[Port], prefix: str, mhz: float) -> str:
    """Clock, delays of ports, scan enable. Gated clocks follow ``clk`` through their gates by themselves."""
    delay = f"{IO_FRACTION * 1000 / mhz:.3f} -clock {_CLOCK}"
    inputs = [port for port in ports if port.is_input and port.name not in (_CLOCK, _SCAN)]
    return (f"# Constraints of module {prefix} at {mhz:g} MHz. Times are in ns.\n"
            f"{_create_clock(mhz)}\n"
            f"# The surroundings have {IO_FRACTION:.0%} of the period, before inputs and after outputs.\n"
            f"set_input_delay {delay} {_get(inputs)}\n"
            f"set_output_delay {delay} [all_outputs]\n\n"
            "# It changes only between shifting and running.\n"
            f"set_false_path -from [get_ports {_SCAN}]\n")


def xdc(prefix: str, mhz: float) -> str:
    """For synthesis out of context; in a design whose clock comes from elsewhere, that clock's own constraint holds."""
    return (f"# Constraints of module {prefix} at {mhz:g} MHz, out of context. Times are in ns.\n"
            f"{_create_clock(mhz)}"
            f"set_false_path -from [get_ports {_SCAN}]\n")


def lpf(prefix: str, mhz: float) -> str:
    """The clock, for a design in which ``clk`` is a port of the top."""
    return f"# Constraints of module {prefix} at {mhz:g} MHz.\nFREQUENCY PORT \"{_CLOCK}\" {mhz:g} MHZ;\n"
