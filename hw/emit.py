"""Emission: every part becomes one Verilog module, once, however often it is instantiated.

A flat array is a megabyte of text that takes minutes to compile; by parts it is some kilobytes. Inside a
component's ``elaborate``, ``instance`` takes the place of ``m.submodules``, for a part that is instantiated more than once or
has a clock of its own. Other submodules become modules too, called by their parent's name and their own in it.

Ports of every module are the component's members. Left to itself, Amaranth makes ports of whatever bits cross a submodule's
boundary, and numbers them (``\\port$315$0``): any change elsewhere would move them.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from contextvars import ContextVar

from amaranth.back import rtlil
from amaranth.back.verilog import _convert_rtlil_text  # what ``verilog.convert`` calls, for many modules at once
from amaranth.hdl import ClockSignal, Elaboratable, Instance, Module, ResetSignal, Signal, Value
from amaranth.lib import data, wiring

__all__ = ["PREFIX", "instance", "module_name", "verilog"]

#: What the names of all modules begin with, unless another is asked for.
PREFIX = "tenon"

_COLUMNS = 120


class _Emission:
    """The parts of one emission, children before parents: RTLIL of ours, Verilog of black boxes, by module name; and which
    part got which name."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.parts: dict[str, str] = {}
        self.boxes: dict[str, str] = {}
        self.names: dict[tuple, str] = {}
        self.ports: dict[str, frozenset[str]] = {}
        self.comments: dict[str, str] = {}


_current: ContextVar[_Emission | None] = ContextVar("emission", default=None)


class Handle:
    """A part's ports, as signals of the parent, under the component's own member names."""


class _Elaborated(Elaboratable):
    """A component together with what its ``elaborate`` returned."""

    def __init__(self, component: wiring.Component, module: Module) -> None:
        self._component, self._module = component, module

    def __getattr__(self, name: str):
        return getattr(self._component, name)

    def elaborate(self, platform):
        return self._module


def instance(m: Module, name: str, component: wiring.Component, *, clock=None, reset=None):
    """Instantiates ``component`` in ``m`` as ``name``; its module is emitted once.

    The module is called after the component's attribute ``role``, if it has one, or else after its class. Where that name
    is taken by other parameters, a number follows.

    Parameters
    ----------
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
    black_box = getattr(component, "black_box", None)
    if black_box is not None:
        component._MustUse__used = True
        module, text, parameters = black_box(emission.prefix)
        emission.boxes.setdefault(module, text)
        emission.ports.setdefault(module, frozenset({"clk"}))
    else:
        module, parameters = _emitted(emission, component, None), {}
    handle, connections = Handle(), {}
    for member, spec in component.signature.members.items():
        setattr(handle, member, _ports(member, spec, spec.dimensions, f"{name}_{member}", connections))
    m.submodules[name] = _instance(emission, module, connections, parameters, clock, reset)
    return handle


def verilog(component: wiring.Component, name: str, *, prefix: str = PREFIX) -> str:
    """Text of ``component`` as module ``name`` and of all its parts, each once; their names begin with ``prefix``."""
    emission = _Emission(prefix)
    token = _current.set(emission)
    try:
        _emitted(emission, component, name)
    finally:
        _current.reset(token)
    # All at once: starting Yosys takes longer than most parts take to convert.
    text = _convert_rtlil_text("\n".join(emission.parts.values()), strip_internal_attrs=True)
    modules = {re.match(r"module (?:\\(\S+)|(\w+))", part).expand(r"\1\2"): part
               for part in re.split(r"^(?=module )", text, flags=re.M)[1:]}
    ordered = [m for part in emission.parts for m in modules if m.split(".")[0] == part]
    return "\n".join([*emission.boxes.values(), *(emission.comments.get(m, "") + _plain(modules[m]) for m in ordered)])


def module_name(component: wiring.Component, prefix: str = PREFIX) -> str:
    """``tenon_`` and the component's role, or its class's name in snake case."""
    named = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(component).__name__).lower().strip("_")
    return f"{prefix}_{getattr(component, 'role', None) or named}"


def _instance(emission: _Emission, module: str, connections: dict, parameters: dict, clock=None, reset=None) -> Instance:
    present = emission.ports[module]
    if "clk" in present:
        connections["i_clk"] = ClockSignal() if clock is None else clock
    if "rst" in present:
        connections["i_rst"] = ResetSignal() if reset is None else reset
    return Instance(module, **{f"p_{k}": v for k, v in parameters.items()}, **connections)


def _emitted(emission: _Emission, component: wiring.Component, module: str | None) -> str:
    """Emits ``component``, unless an equal part was, and returns its module's name: ``module`` if given."""
    component._MustUse__used = True  # also if an equal part was emitted already
    members = set(component.signature.members)
    settings = {k: v for k, v in sorted(vars(component).items()) if k not in members and not k.startswith("_")}
    key = (type(component), repr(settings), module)
    if key in emission.names:
        return emission.names[key]
    taken = set(emission.names.values())
    if module is None:
        base = module_name(component, emission.prefix)
        module = next(n for n in (base, *(f"{base}_{i}" for i in range(2, 10_000))) if n not in taken)
    elif module in taken:
        raise ValueError(f"two parts would be modules called {module}: name a submodule otherwise")
    emission.names[key] = module
    text = rtlil.convert(_Elaborated(component, _with_parts(emission, component.elaborate(None), module)), name=module, emit_src=False)
    body = re.search(rf"^module \\{re.escape(module)}$(.*?)^end$", text, re.S | re.M)
    emission.ports[module] = frozenset(re.findall(r"^  wire .*?(?:input|output) \d+ .*\\(\w+)$", body[1], re.M))
    emission.comments[module] = _comment(component, settings)
    # Children before parents; a later part of the same emission may not be defined twice.
    emission.parts[module] = text
    return module


def _with_parts(emission: _Emission, m: Module, module: str) -> Module:
    """``m``, whose submodules that are components are instances of modules of their own now.

    What ``ResetInserter`` and its like return stays whole: they change the submodules, too.
    """
    for name, (part, source) in getattr(m, "_named_submodules", {}).items():
        if not isinstance(part, wiring.Component):
            continue
        part_module = _emitted(emission, part, f"{module}_{name}")
        connections = {}
        for path, member, value in part.signature.flatten(part):
            signal = Value.cast(value)
            connections[f"{'i' if member.flow == wiring.In else 'o'}_{'__'.join(map(str, path))}"] = signal
            # The part is written already; from here on this is a signal of its parent.
            signal.name = "_".join([name, *map(str, path)])
        m._named_submodules[name] = (_instance(emission, part_module, connections, {}), source)
    return m


def _comment(component: wiring.Component, settings: dict) -> str:
    """What the component's docstring says of its module, and its parameters, as comments of Verilog."""
    text = (type(component).__doc__ and inspect.getdoc(component)) or ""
    # What the constructor takes and refuses is for the reader of the generator alone.
    sections = re.split(r"\n\n(?=\w+\n-+\n)", text)
    told = [s for s in sections if not s.startswith(("Parameters\n", "Raises\n"))]
    lines = re.sub(r"^-+\n", "", "\n\n".join(told).replace("``", "`"), flags=re.M).splitlines()
    plain = {k: v for k, v in settings.items() if isinstance(v, (int, str, dict, tuple)) and len(repr(v)) < _COLUMNS
             and k not in ("role", "fingerprint")}  # which the module's name says, and the file's title
    if plain:
        values = ", ".join(f"{k} = {v!r}" for k, v in plain.items())
        lines += ["", *textwrap.wrap(f"Here {values}.", _COLUMNS - 3, break_long_words=False)]
    return "".join(f"// {line}".rstrip() + "\n" for line in lines)


def _plain(text: str) -> str:
    """A module of Yosys's text with its ports on lines of readable length, numbered by itself, with combinational processes
    that also run at the start.

    Each ``always @*`` that it writes reads a register initialised to 0, for the event. SystemVerilog initialises
    before any process waits, so there is none, and outputs stay unknown until some input changes.
    """
    head, rest = text.split("\n", 1)
    text = "\n".join(textwrap.wrap(head, _COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)) + "\n" + rest
    events = list(dict.fromkeys(re.findall(r"\\\$auto\$verilog_backend\S+", text)))
    for number, name in enumerate(events):
        text = text.replace(f"{name} ", f"\\$start{number} ")
    return re.sub(r"reg (\\\$start\d+) +(?:= 0)?;", r"reg \1 ; initial \1 <= 0;", text)


def _ports(member: str, spec, dimensions, path: str, connections: dict, port: str | None = None):
    port = port or member
    if dimensions:
        return [_ports(member, spec, dimensions[1:], f"{path}_{i}", connections, f"{port}__{i}")
                for i in range(dimensions[0])]
    signal = Signal(spec.shape, name=path)
    value = signal.as_value() if isinstance(signal, data.View) else signal
    connections[f"{'i' if spec.flow == wiring.In else 'o'}_{port}"] = value
    return signal
