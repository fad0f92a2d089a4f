"""Emission: every part becomes one Verilog module, once, however often it is instantiated.

A flat array is a megabyte of text that takes minutes to compile; by parts it is some kilobytes. Inside a
component's ``elaborate``, ``instance`` takes the place of ``m.submodules``.
"""

from __future__ import annotations

import re
from contextvars import ContextVar

from amaranth.back import rtlil
from amaranth.back.verilog import _convert_rtlil_text  # what ``verilog.convert`` calls, for many modules at once
from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Signal
from amaranth.lib import data, wiring

__all__ = ["instance", "module_name", "verilog"]


class _Emission:
    """The parts of one emission, children before parents: RTLIL of ours, Verilog of black boxes, by module name; and which
    part got which name."""

    def __init__(self) -> None:
        self.parts: dict[str, str] = {}
        self.boxes: dict[str, str] = {}
        self.names: dict[tuple, str] = {}
        self.ports: dict[str, frozenset[str]] = {}


_current: ContextVar[_Emission | None] = ContextVar("emission", default=None)


class Handle:
    """A part's ports, as signals of the parent, under the component's own member names."""


def instance(m: Module, name: str, component: wiring.Component, *, module: str | None = None, clock=None, reset=None):
    """Instantiates ``component`` in ``m`` as ``name``; its module is emitted once.

    Parameters
    ----------
    module : str, optional
        Name of the Verilog module; ``tenon_<class>`` with a number for each set of parameters if not given.
    clock, reset : Value, optional
        Other than the parent's ``sync`` (a gated clock).

    Returns
    -------
    Handle
        Signals with the names of the component's members; arrays are lists.
    """
    emission = _current.get()
    if emission is None:
        raise RuntimeError("emit.instance is to be used inside emit.verilog")
    component._MustUse__used = True  # an equal part may have been emitted already: that is use enough
    black_box = getattr(component, "black_box", None)
    if black_box is not None:
        module, text, parameters = black_box()
        emission.boxes.setdefault(module, text)
        emission.ports.setdefault(module, frozenset({"clk"}))
    else:
        module, parameters = _emitted(emission, component, module), {}
    handle, connections = Handle(), {}
    for member, spec in component.signature.members.items():
        setattr(handle, member, _ports(member, spec, spec.dimensions, f"{name}_{member}", connections))
    present = emission.ports[module]
    if "clk" in present:
        connections["i_clk"] = ClockSignal() if clock is None else clock
    if "rst" in present:
        connections["i_rst"] = ResetSignal() if reset is None else reset
    m.submodules[name] = Instance(module, **{f"p_{k}": v for k, v in parameters.items()}, **connections)
    return handle


def verilog(component: wiring.Component, name: str) -> str:
    """Text of ``component`` as module ``name`` and of all its parts, each once."""
    emission = _Emission()
    token = _current.set(emission)
    try:
        _emitted(emission, component, name)
    finally:
        _current.reset(token)
    # All at once: starting Yosys takes longer than most parts take to convert.
    text = _convert_rtlil_text("\n".join(emission.parts.values()), strip_internal_attrs=True)
    modules = {re.match(r"module (?:\\(\S+)|(\w+))", part).expand(r"\1\2"): part
               for part in re.split(r"^(?=module )", text, flags=re.M)[1:]}
    _name_ports(modules)
    ordered = [m for part in emission.parts for m in modules if m.split(".")[0] == part]
    return "\n".join([*emission.boxes.values(), *(_plain(modules[m]) for m in ordered)])


def module_name(component: wiring.Component) -> str:
    """``tenon_`` and the class's name in snake case."""
    return "tenon_" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(component).__name__).lower()


def _emitted(emission: _Emission, component: wiring.Component, module: str | None) -> str:
    members = set(component.signature.members)
    settings = tuple((k, repr(v)) for k, v in sorted(vars(component).items())
                     if k not in members and not k.startswith("_"))
    key = (type(component), settings, module)
    if key in emission.names:
        return emission.names[key]
    if module is None:
        base = module_name(component)
        taken = set(emission.names.values())
        module = next(n for n in (base, *(f"{base}_{i}" for i in range(2, 10_000))) if n not in taken)
    emission.names[key] = module
    text = rtlil.convert(component, name=module, emit_src=False)
    body = re.search(rf"^module \\{re.escape(module)}$(.*?)^end$", text, re.S | re.M)
    emission.ports[module] = frozenset(re.findall(r"^  wire .*?(?:input|output) \d+ .*\\(\w+)$", body[1], re.M))
    # Children before parents; a later part of the same emission may not be defined twice.
    emission.parts[module] = text
    return module


def _plain(text: str) -> str:
    """A module of Yosys's text, numbered by itself, with combinational processes that also run at the start.

    Each ``always @*`` that it writes reads a register initialised to 0, for the event. SystemVerilog initialises
    before any process waits, so there is none, and outputs stay unknown until some input changes.
    """
    events = list(dict.fromkeys(re.findall(r"\\\$auto\$verilog_backend\S+", text)))
    for number, name in enumerate(events):
        text = text.replace(f"{name} ", f"\\$start{number} ")
    return re.sub(r"reg (\\\$start\d+) +(?:= 0)?;", r"reg \1 ; initial \1 <= 0;", text)


_INSTANCE = re.compile(r"^  (\\\S+ |\w+) +(?:\\\S+ |\w+) \(\n(.*?)^  \);", re.M | re.S)
_CONNECTION = re.compile(r"\.\\(port\$\S+) \((.*)\),?$", re.M)


def _name_ports(modules: dict[str, str]) -> None:
    """Gives all ports names after what the parent connects to them.

    Where a submodule takes some bits of a signal of its parent, Amaranth calls its port by numbers (``\\port$315$0``) that
    any change elsewhere moves.
    """
    for parent in sorted(modules, key=lambda name: name.count(".")):
        for instance_ in _INSTANCE.finditer(modules[parent]):
            child, connected = instance_[1].strip().removeprefix("\\"), instance_[2]
            if child not in modules:
                continue
            taken, better = set(re.findall(r"[\w$]+", modules[child])), connected
            for port, value in _CONNECTION.findall(connected):
                plain = re.fullmatch(r"(\w+?)(?:_in\d*)? ?(?:\[(?:\d+:)?(\d+)\])?", value)
                base = "_".join(filter(None, plain.groups())) if plain and plain[1][0].isalpha() else "value"
                name = next(n for n in (f"{base}_in", *(f"{base}_in{i}" for i in range(2, 10_000))) if n not in taken)
                taken.add(name)
                better = better.replace(f".\\{port} ", f".{name} ")
                # A port of the same name may be connected inside.
                modules[child] = re.sub(rf"(?<!\.)\\{re.escape(port)} ", f"{name} ", modules[child])
            modules[parent] = modules[parent].replace(connected, better)


def _ports(member: str, spec, dimensions, path: str, connections: dict, port: str | None = None):
    port = port or member
    if dimensions:
        return [_ports(member, spec, dimensions[1:], f"{path}_{i}", connections, f"{port}__{i}")
                for i in range(dimensions[0])]
    signal = Signal(spec.shape, name=path)
    value = signal.as_value() if isinstance(signal, data.View) else signal
    connections[f"{'i' if spec.flow == wiring.In else 'o'}_{port}"] = value
    return signal
