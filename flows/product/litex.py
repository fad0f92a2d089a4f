"""A LiteX module around the accelerator, as Python text that needs LiteX and the Verilog beside it, and nothing of ours."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.flows.port import Port
from tenon.flows.product.names import class_name
from tenon.flows.product.ports import MANAGER, SUBORDINATE, standard_name

__all__ = ["wrapper"]

_TEXT = '''\
"""The Tenon accelerator `{prefix}` (configuration {config}) in a LiteX system.

In the system's constructor:

    from {prefix}_litex import {name}

    self.submodules.{prefix} = {name}(platform)
    self.{prefix}.add_to(self, "{prefix}", origin=0x8000_0000)

The registers are then at the origin, where the CPU caches nothing (generated/mem.h has it as {upper}_BASE), the accelerator
is a master of the system's bus, and its interrupt is {upper}_INTERRUPT of generated/soc.h. No CSR is used.
"""

from pathlib import Path

from litex.soc.integration.soc import SoCRegion
from litex.soc.interconnect import axi
from migen import ClockSignal, Instance, Module, ResetSignal, Signal


class _Interrupt(Module):
    """A level, as SoC.irq wants it: an event manager without registers, since the accelerator has its own."""

    def __init__(self, irq):
        self.irq = irq


class {name}(Module):
    """The accelerator, clocked and reset by `sys`.

    Attributes
    ----------
    registers : AXILiteInterface
        Subordinate, 32 bits wide; {lite_bits} bits of addresses count.
    memory : AXIInterface
        Manager, {bits} bits wide, with {address_bits} bits of addresses, which are the bus's.
    irq : Signal
        High from the end of a program until it is cleared.
    """

    def __init__(self, platform):
        self.registers = registers = axi.AXILiteInterface(data_width=32, address_width=32)
        self.memory = memory = axi.AXIInterface(data_width={bits}, address_width={address_bits}, id_width=1)
        self.irq = Signal()
        self.submodules.ev = _Interrupt(self.irq)
        self.specials += Instance(
            "{prefix}",
{connections}
        )
        platform.add_source(str(Path(__file__).with_name("{prefix}.v")))

    def add_to(self, soc, name, origin):
        """Connects registers, memory and interrupt to a system under `name`."""
        soc.bus.add_slave(name, self.registers, SoCRegion(origin=origin, size=1 << {lite_bits}, cached=False))
        soc.bus.add_master(name, self.memory)
        if soc.irq.enabled:
            soc.irq.add(name, use_loc_if_exists=True)
'''

_CHANNELS = ("aw", "ar", "w", "b", "r")
_OPEN = ("perf_counters", "mark_valid", "mark_index")  # for a bench
_PLAIN = {"clk": "ClockSignal()", "rst": "ResetSignal()", "irq": "self.irq", "scan_enable": "0"}


def wrapper(ports: Sequence[Port], prefix: str, config: str) -> str:
    """Text of ``PREFIX_litex.py``."""
    width = {port.name: port.width for port in ports}
    lines = [f"            {'i' if port.is_input else 'o'}_{port.name}={_expression(port)}," for port in ports if port.name not in _OPEN]
    return _TEXT.format(prefix=prefix, config=config, name=class_name(prefix), upper=prefix.upper(),
                        bits=width["m_axi_wdata"], address_bits=width["m_axi_awaddr"],
                        lite_bits=width["s_axil_awaddr"], connections="\n".join(lines))


def _expression(port: Port) -> str:
    if port.name in _PLAIN:
        return _PLAIN[port.name]
    standard = standard_name(port)
    bus = {MANAGER: "memory", SUBORDINATE: "registers"}[port.name.removesuffix(standard)]
    channel = next(c for c in _CHANNELS if standard.startswith(c))
    name = standard.removeprefix(channel)
    part = f"[:{port.width}]" if name == "addr" and port.is_input else ""  # LiteX's addresses are whole, not offsets
    return f"{bus}.{channel}.{name}{part}"
