"""Engines: when they were at work, and what they waited for."""

from __future__ import annotations

from collections import Counter

from tenon.flows.engine_use import EngineUse
from tenon.flows.html.markup import Markup, count, element, join, percent
from tenon.flows.html.record import LayerRow, RunRecord
from tenon.flows.html.tables import table

__all__ = ["engine_strips", "engine_waits"]

_LEFT, _WIDTH, _RIGHT, _ROW = 90, 740, 130, 30
_MISSING = element("p", "Not known for this run. RTL counts it (--simulator verilator or icarus), and the cycle model keeps it "
                        "(--simulator model).", class_="soft")


def _observed(run: RunRecord) -> list[LayerRow]:
    return [layer for layer in run.layers if layer.engines and layer.cycles]


def _engines(layers: list[LayerRow]) -> list[str]:
    return list(dict.fromkeys(name for layer in layers for name in layer.engines))


def engine_strips(run: RunRecord) -> Markup:
    """Engines over time: the darker, the more of a layer's cycles an engine was at work in."""
    layers = _observed(run)
    if not layers:
        return _MISSING
    engines, total = _engines(layers), sum(layer.cycles for layer in layers)
    marks = []
    for row, engine in enumerate(engines):
        y, at, busy = row * _ROW, 0, 0
        marks.append(element("text", engine, x=_LEFT - 10, y=y + 18, text_anchor="end"))
        marks.append(element("rect", x=_LEFT, y=y + 2, width=_WIDTH, height=_ROW - 6, class_="strip"))
        for layer in layers:
            use = layer.engines.get(engine)
            share = min(use.busy / layer.cycles, 1.0) if use else 0.0
            busy += use.busy if use else 0
            title = element("title", f"{layer.name}: {engine} busy in {percent(share)} of {layer.cycles:,} cycles")
            marks.append(element("rect", title, x=_LEFT + _WIDTH * at / total, y=y + 2, width=max(_WIDTH * layer.cycles / total - 0.5, 0.2),
                                 height=_ROW - 6, class_="fill-busy", fill_opacity=share))
            at += layer.cycles
        marks.append(element("text", f"{percent(busy / total)} busy", x=_LEFT + _WIDTH + 10, y=y + 18))
    height = len(engines) * _ROW + 22
    marks += [element("text", "cycle 0", x=_LEFT, y=height - 6, class_="soft"),
              element("text", f"{total:,}", x=_LEFT + _WIDTH, y=height - 6, text_anchor="end", class_="soft")]
    width = _LEFT + _WIDTH + _RIGHT
    return element("div", element("svg", *marks, class_="chart", role="img", aria_label="Engines over time", width=width, height=height,
                                  viewBox=f"0 0 {width} {height}"), class_="wide")


def engine_waits(run: RunRecord) -> Markup:
    """A table: what each engine did in each layer, those apart that did nothing all along."""
    layers = _observed(run)
    if not layers:
        return _MISSING
    rows = []
    idle: Counter[str] = Counter()
    for layer in layers:
        for engine, use in layer.engines.items():
            if not use.busy and not use.token:
                idle[engine] += 1
                continue
            name = element("b", engine) if engine == layer.engine else engine
            rows.append([layer.name, name, count(use.busy), percent(use.busy / layer.cycles), count(use.bus), count(use.bank),
                         count(use.token), _origins(use), count(use.empty)])
    columns = [("layer", False), ("engine", False), ("busy", True), ("of cycles", True), ("bus", True), ("bank", True), ("token", True),
               ("tokens of", False), ("empty", True)]
    notes = []
    if any(layer.engines[e].token_from is None for layer in layers for e in layer.engines):
        notes.append("Whose tokens were waited for is known of a run with --trace.")
    if any(use.bus is None for layer in layers for use in layer.engines.values()):
        notes.append("Waits for the bus and for banks are counted in RTL alone.")
    if idle:
        without = ", ".join(f"{engine} in {layers_idle}" for engine, layers_idle in idle.items())
        notes.append(f"Without work in the layer, and left out: {without} of {len(layers)} layers.")
    return join([table(columns, rows), element("p", " ".join(notes), class_="soft") if notes else ""])


def _origins(use: EngineUse) -> str:
    if use.token_from is None:
        return "–"
    ordered = sorted(use.token_from.items(), key=lambda item: -item[1])
    return ", ".join(f"{engine} {cycles:,}" for engine, cycles in ordered) if ordered else ""
