"""The top module's ports, out of its component: what every description of it lists."""

from __future__ import annotations

from amaranth.hdl import Shape
from amaranth.lib.wiring import In

from tenon.flows.port import Port
from tenon.hw.accelerator import Accelerator
from tenon.hw.params import SystolicParams

__all__ = ["MANAGER", "SUBORDINATE", "ports_of", "standard_name"]

#: What the names of the AXI4 manager's and the AXI4-Lite subordinate's ports begin with.
MANAGER, SUBORDINATE = "m_axi_", "s_axil_"


def ports_of(params: SystolicParams) -> list[Port]:
    """Clock and reset, then the component's members in their order."""
    component = Accelerator(params)
    component._MustUse__used = True  # asked for its signature alone
    members = component.signature.members
    return [Port("clk", True, 1), Port("rst", True, 1),
            *(Port(name, member.flow == In, Shape.cast(member.shape).width) for name, member in members.items())]


def standard_name(port: Port) -> str:
    """An AXI port's name as the standard has it, in lower case: ``awaddr``; the name itself of others."""
    return port.name.removeprefix(MANAGER).removeprefix(SUBORDINATE)
