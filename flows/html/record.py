"""What ``tenon run --json`` wrote, read again; every value is checked, since the file may be anything."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tenon.flows.engine_use import EngineUse
from tenon.flows.errors import UserError

__all__ = ["EnergyRow", "LayerRow", "NodeRow", "RunRecord", "parse_record", "read_record"]

_MOST = 1 << 63


@dataclass(frozen=True)
class LayerRow:
    """A layer; as ``flows.report.LayerLine``."""

    name: str
    op: str
    engine: str
    cycles: int | None
    macs: int
    bound_cycles: int
    dram_bytes: int | None
    traffic_bytes: int | None
    engines: Mapping[str, EngineUse] | None
    reads: tuple[int, ...] | None = None

    @property
    def moved_bytes(self) -> int | None:
        """Bytes that crossed the bus, or those that the program asks for, if nobody counted."""
        return self.traffic_bytes if self.dram_bytes is None else self.dram_bytes


@dataclass(frozen=True)
class NodeRow:
    """Where a node of the model runs; as ``flows.compile.Placement``."""

    node: str
    op: str
    where: str
    why: str


@dataclass(frozen=True)
class EnergyRow:
    """What ``tenon run --power`` found; as ``flows.hardware.power.power.Power``."""

    uj: float
    logic_uj: float
    clock_pins_uj: float
    memories_uj: float
    error_uj: float
    pj_per_mac: float | None
    mean_mw: float | None


@dataclass(frozen=True)
class RunRecord:
    """A run. ``classes``: elements, mismatches and largest difference by kind of comparison; ``accuracy``: test images, and
    right answers of the network and of the reference; ``time``: us, at how many MHz, and who says that."""

    tenon: str
    config: str
    model: str
    simulator: str
    runs: int
    cycles: int | None
    macs: int
    peak_macs_per_cycle: int
    utilization: float | None
    dram_read_bytes: int | None
    dram_write_bytes: int | None
    bus_bytes_per_cycle: int | None
    reference: str | None
    classes: Mapping[str, tuple[int, int, int]] | None
    undefined: int
    accuracy: tuple[int, int, int] | None
    layers: tuple[LayerRow, ...]
    placements: tuple[NodeRow, ...]
    time: tuple[float, float, str] | None = None
    energy: EnergyRow | None = None


def read_record(path: Path) -> RunRecord:
    """The run in ``path``.

    Raises
    ------
    UserError
        Naming the first value that a run's report does not have, or has otherwise.
    """
    try:
        return parse_record(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not JSON: {error}") from None


def parse_record(text: str, where: str) -> RunRecord:
    """The run in the JSON ``text``, which messages say is of ``where``. Raises as ``read_record`` does."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        what = "too deeply nested" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        raise UserError(f"{where}: is not JSON: {what}") from None
    try:
        if not isinstance(data, dict) or not {"tenon", "simulator", "layers"} <= data.keys():
            raise _Wrong("is not the report of a run: give what tenon run --json wrote")
        return _run(_Fields(data, ""))
    except _Wrong as error:
        raise UserError(f"{where}: {error}") from None


class _Wrong(Exception):
    """A value is not as a report has it."""


class _Fields:
    """An object of JSON at ``where``, whose values are asked for by name and kind."""

    def __init__(self, value: object, where: str):
        if not isinstance(value, dict):
            raise _Wrong(f"{where} must be an object")
        self.values, self.where = value, where

    def place(self, name: str) -> str:
        return f"{self.where}.{ascii(name)[1:-1]}" if self.where else ascii(name)[1:-1]

    def _get(self, name: str) -> object:
        if name not in self.values:
            raise _Wrong(f"{self.place(name)} is missing")
        return self.values[name]

    def text(self, name: str) -> str:
        value = self._get(name)
        if not isinstance(value, str):
            raise _Wrong(f"{self.place(name)} must be text, not {_said(value)}")
        return value

    def count(self, name: str) -> int:
        value = self._get(name)
        if type(value) is not int or not 0 <= value < _MOST:
            raise _Wrong(f"{self.place(name)} must be a whole number of at least 0, not {_said(value)}")
        return value

    def number(self, name: str) -> float:
        value = self._get(name)
        if type(value) not in (int, float) or not 0 <= value < _MOST or not math.isfinite(value):
            raise _Wrong(f"{self.place(name)} must be a number of at least 0, not {_said(value)}")
        return float(value)

    def known(self, name: str) -> bool:
        """It is there and not null: reports of older versions lack some."""
        return self.values.get(name) is not None

    def count_if_known(self, name: str) -> int | None:
        return self.count(name) if self.known(name) else None

    def counts(self, name: str) -> tuple[int, ...]:
        value = self._get(name)
        if not isinstance(value, list) or any(type(v) is not int or not 0 <= v < _MOST for v in value):
            raise _Wrong(f"{self.place(name)} must be a list of whole numbers of at least 0, not {_said(value)}")
        return tuple(value)

    def inner(self, name: str) -> _Fields:
        return _Fields(self._get(name), self.place(name))

    def rows(self, name: str) -> list[_Fields]:
        value = self._get(name)
        if not isinstance(value, list):
            raise _Wrong(f"{self.place(name)} must be a list, not {_said(value)}")
        return [_Fields(inner, f"{self.place(name)}[{number}]") for number, inner in enumerate(value)]


def _said(value: object) -> str:
    if value is None or isinstance(value, dict | list):
        return {type(None): "null", dict: "an object", list: "a list"}[type(value)]
    try:
        text = ascii(value)
    except ValueError:  # an integer of thousands of digits
        return "one as large"
    return text if len(text) <= 40 else f"{text[:39]}..."


def _run(f: _Fields) -> RunRecord:
    nodes = f.rows("placements") if f.known("placements") else []
    accuracy = _counts(f.inner("accuracy"), "images", "network", "reference") if f.known("accuracy") else None
    time = (f.number("time_us"), f.number("clock_mhz"), f.text("clock_from")) if f.known("time_us") else None
    return RunRecord(
        f.text("tenon"), f.text("config"), f.text("model"), f.text("simulator"), f.count("runs"), f.count_if_known("cycles"),
        f.count("macs"), f.count("peak_macs_per_cycle"), f.number("utilization") if f.known("utilization") else None,
        f.count_if_known("dram_read_bytes"), f.count_if_known("dram_write_bytes"), f.count_if_known("bus_bytes_per_cycle"),
        f.text("reference") if f.known("reference") else None, _classes(f.inner("classes")) if f.known("classes") else None,
        f.count_if_known("undefined") or 0, accuracy, tuple(_layer(layer) for layer in f.rows("layers")),
        tuple(NodeRow(*(node.text(name) for name in ("node", "op", "where", "why"))) for node in nodes), time,
        _energy(f.inner("power")) if f.known("power") else None)


def _energy(f: _Fields) -> EnergyRow:
    sums = (f.number(name) for name in ("uj", "logic_uj", "clock_pins_uj", "memories_uj", "error_uj"))
    return EnergyRow(*sums, *(f.number(name) if f.known(name) else None for name in ("pj_per_mac", "mean_mw")))


def _counts(f: _Fields, *names: str) -> tuple[int, ...]:
    return tuple(f.count(name) for name in names)


def _classes(f: _Fields) -> dict[str, tuple[int, ...]]:
    return {kind: _counts(f.inner(kind), "elements", "mismatches", "max_abs_diff") for kind in ("exact", "step", "after")}


def _layer(f: _Fields) -> LayerRow:
    engines = None
    if f.known("engines"):
        uses = f.inner("engines")
        engines = {name: _use(uses.inner(name)) for name in uses.values}
    return LayerRow(f.text("name"), f.text("op"), f.text("engine"), f.count_if_known("cycles"), f.count("macs"), f.count("bound_cycles"),
                    f.count_if_known("dram_bytes"), f.count_if_known("traffic_bytes"), engines,
                    f.counts("reads") if f.known("reads") else None)


def _use(f: _Fields) -> EngineUse:
    origins = None
    if f.known("token_from"):
        inner = f.inner("token_from")
        origins = {name: inner.count(name) for name in inner.values}
    return EngineUse(f.count("busy"), f.count("token"), f.count_if_known("bank"), f.count_if_known("bus"), f.count("empty"), origins)
