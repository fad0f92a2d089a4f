"""IP-XACT (IEEE 1685-2014): the component with its bus interfaces, ports, registers and files, for Vivado and other integrators."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from tenon.flows.port import Port
from tenon.flows.product.ports import MANAGER, SUBORDINATE, standard_name
from tenon.hw.register_map import Access, Field, Register, RegisterMap

__all__ = ["NAMESPACE", "component"]

NAMESPACE = "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_VENDOR = "tenon"
_REGISTERS, _SPACE = "registers", "memory"

# Bus definitions by vendor and library; AMBA's as Arm publishes them, the signals' as Vivado knows them.
_AXI4, _AXI4_LITE = ("amba.com", "AMBA4", "AXI4", "r0p0_0"), ("amba.com", "AMBA4", "AXI4-Lite", "r0p0_0")
_SIGNAL = ("xilinx.com", "signal", "{}", "1.0")


def component(ports: Sequence[Port], registers: RegisterMap, prefix: str, config: str, version: str) -> str:
    """Text of ``component.xml`` for the module ``prefix``."""
    ElementTree.register_namespace("ipxact", NAMESPACE)
    ElementTree.register_namespace("xsi", _XSI)
    root = Element(_tag("component"), {f"{{{_XSI}}}schemaLocation": f"{NAMESPACE} {NAMESPACE}/index.xsd"})
    for name, text in (("vendor", _VENDOR), ("library", "ip"), ("name", prefix), ("version", version)):
        _add(root, name, text)

    buses = _add(root, "busInterfaces")
    _bus(buses, MANAGER.rstrip("_"), _AXI4, "master", [p for p in ports if p.name.startswith(MANAGER)])
    _bus(buses, SUBORDINATE.rstrip("_"), _AXI4_LITE, "slave", [p for p in ports if p.name.startswith(SUBORDINATE)])
    _signal(buses, "clk", "clock", "slave", "CLK", {"ASSOCIATED_BUSIF": f"{MANAGER[:-1]}:{SUBORDINATE[:-1]}", "ASSOCIATED_RESET": "rst"})
    _signal(buses, "rst", "reset", "slave", "RST", {"POLARITY": "ACTIVE_HIGH"})
    _signal(buses, "irq", "interrupt", "master", "INTERRUPT", {"SENSITIVITY": "LEVEL_HIGH"})

    width = {port.name: port.width for port in ports}
    space = _add(_add(root, "addressSpaces"), "addressSpace")
    _add(space, "name", _SPACE)
    _add(space, "range", f"'h{1 << width['m_axi_awaddr']:x}")
    _add(space, "width", str(width["m_axi_wdata"]))
    _memory_map(root, registers, 1 << width["s_axil_awaddr"])
    _model(root, ports, prefix)

    files = _add(_add(root, "fileSets"), "fileSet")
    _add(files, "name", "rtl")
    source = _add(files, "file")
    _add(source, "name", f"{prefix}.v")
    _add(source, "fileType", "verilogSource")
    _add(root, "description", f"Tenon accelerator, configuration {config}")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _add(parent: Element, name: str, text: str | None = None, /, **attributes: str) -> Element:
    element = SubElement(parent, _tag(name), attributes)
    element.text = text
    return element


def _bus(buses: Element, name: str, definition: tuple[str, str, str, str], mode: str, ports: Sequence[Port]) -> None:
    element = _interface(buses, name, definition, {standard_name(port).upper(): port.name for port in ports})
    role = _add(element, mode)
    if mode == "master":
        _add(role, "addressSpaceRef", addressSpaceRef=_SPACE)
    else:
        _add(role, "memoryMapRef", memoryMapRef=_REGISTERS)


def _signal(buses: Element, port: str, kind: str, mode: str, signal: str, parameters: dict[str, str]) -> None:
    vendor, library, _, version = _SIGNAL
    element = _interface(buses, port, (vendor, library, kind, version), {signal: port})
    _add(element, mode)
    listed = _add(element, "parameters")
    for name, value in parameters.items():
        parameter = _add(listed, "parameter", parameterId=f"{port}_{name}")
        _add(parameter, "name", name)
        _add(parameter, "value", value)


def _interface(buses: Element, name: str, definition: tuple[str, str, str, str], maps: dict[str, str]) -> Element:
    """A bus interface with its types and the logical signals of its ports; the role is to follow."""
    vendor, library, kind, version = definition
    element = _add(buses, "busInterface")
    _add(element, "name", name)
    _add(element, "busType", vendor=vendor, library=library, name=kind, version=version)
    abstraction = _add(_add(element, "abstractionTypes"), "abstractionType")
    _add(abstraction, "abstractionRef", vendor=vendor, library=library, name=f"{kind}_rtl", version=version)
    mapped = _add(abstraction, "portMaps")
    for logical, physical in maps.items():
        one = _add(mapped, "portMap")
        _add(_add(one, "logicalPort"), "name", logical)
        _add(_add(one, "physicalPort"), "name", physical)
    return element


def _memory_map(root: Element, registers: RegisterMap, size: int) -> None:
    memory_map = _add(_add(root, "memoryMaps"), "memoryMap")
    _add(memory_map, "name", _REGISTERS)
    block = _add(memory_map, "addressBlock")
    _add(block, "name", _REGISTERS)
    _add(block, "baseAddress", "'h0")
    _add(block, "range", f"'h{size:x}")
    _add(block, "width", "32")
    _add(block, "usage", "register")
    for register in registers.registers:
        _register(block, register)
    _add(memory_map, "addressUnitBits", "8")


def _register(block: Element, register: Register) -> None:
    element = _add(block, "register")
    _add(element, "name", register.name)
    if register.count > 1:
        _add(element, "dim", str(register.count))
    _add(element, "addressOffset", f"'h{register.offset:x}")
    _add(element, "size", "32")
    for part in register.fields:
        _field(element, part)


def _field(register: Element, part: Field) -> None:
    element = _add(register, "field")
    _add(element, "name", part.name)
    _add(element, "description", part.doc)
    _add(element, "bitOffset", str(part.shift))
    _add(element, "bitWidth", str(part.width))
    _add(element, "access", "read-only" if part.access is Access.RO else "read-write")
    if part.access is Access.W1:
        _add(element, "modifiedWriteValue", "oneToSet")


def _model(root: Element, ports: Sequence[Port], prefix: str) -> None:
    model = _add(root, "model")
    view = _add(_add(model, "views"), "view")
    _add(view, "name", "rtl")
    _add(view, "componentInstantiationRef", "rtl")
    instantiation = _add(_add(model, "instantiations"), "componentInstantiation")
    _add(instantiation, "name", "rtl")
    _add(instantiation, "language", "verilog")
    _add(instantiation, "moduleName", prefix)
    _add(_add(instantiation, "fileSetRef"), "localName", "rtl")
    listed = _add(model, "ports")
    for port in ports:
        element = _add(listed, "port")
        _add(element, "name", port.name)
        wire = _add(element, "wire")
        _add(wire, "direction", "in" if port.is_input else "out")
        if port.width > 1:
            vector = _add(_add(wire, "vectors"), "vector")
            _add(vector, "left", str(port.width - 1))
            _add(vector, "right", "0")
