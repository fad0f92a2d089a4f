"""Bars: cycles of each layer, and the least that it could take."""

from __future__ import annotations

from tenon.flows.html.limit import Kind, limit_of
from tenon.flows.html.markup import Markup, count, element, join, short
from tenon.flows.html.record import LayerRow, RunRecord

__all__ = ["layer_bars"]

_MOST = 60  # bars; the other layers are summed
_ROW, _LEFT, _WIDTH, _RIGHT, _HEAD = 26, 250, 520, 190, 6


def layer_bars(run: RunRecord) -> Markup:
    """A bar for each of the most expensive layers, in the order in which they run; beneath it, thin, its bound."""
    cost = [layer.bound_cycles if layer.cycles is None else layer.cycles for layer in run.layers]
    kept = sorted(sorted(range(len(cost)), key=lambda i: -cost[i])[:_MOST])
    most = max((max(cost[i], run.layers[i].bound_cycles) for i in kept), default=0) or 1
    rows = [_bar(run, run.layers[i], _HEAD + number * _ROW, most) for number, i in enumerate(kept)]
    rest = [layer for i, layer in enumerate(run.layers) if i not in set(kept)]
    height = _HEAD + (len(kept) + bool(rest)) * _ROW
    if rest:
        known = [layer.cycles for layer in rest if layer.cycles is not None]
        text = f"{len(rest)} cheaper layers: " + (f"{sum(known):,} cycles together, " if known else "")
        text += f"bound {sum(layer.bound_cycles for layer in rest):,}"
        rows.append(element("text", text, x=_LEFT, y=_HEAD + len(kept) * _ROW + 16, class_="soft"))
    width = _LEFT + _WIDTH + _RIGHT
    drawing = element("svg", *rows, class_="chart", role="img", aria_label="Cycles by layer", width=width, height=height,
                      viewBox=f"0 0 {width} {height}")
    return join([_legend(run), element("div", drawing, class_="wide")])


def _bar(run: RunRecord, layer: LayerRow, y: int, most: int) -> Markup:
    limit = limit_of(layer, run)
    length = _WIDTH * (layer.cycles or 0) / most
    bound = _WIDTH * layer.bound_cycles / most
    end = _LEFT + max(length, bound) + 8
    said = f"{count(layer.cycles)} cycles, bound {layer.bound_cycles:,}" if layer.cycles is not None else f"bound {layer.bound_cycles:,}"
    marks = [
        element("title", f"{layer.name} ({layer.op}) on {layer.engine}: {said}; limit: {limit.name}"),
        element("rect", x=0, y=y, width=_LEFT + _WIDTH + _RIGHT, height=_ROW, class_="hit"),
        element("text", short(layer.name, 30), x=_LEFT - 10, y=y + 16, text_anchor="end"),
    ]
    if length > 0:
        marks.append(element("rect", x=_LEFT, y=y + 3, width=max(length, 1.0), height=13, rx=2, class_=f"fill-{limit.kind}"))
    marks.append(element("rect", x=_LEFT, y=y + 18, width=max(bound, 1.0), height=3, class_="fill-bound"))
    value = count(layer.cycles) if layer.cycles is not None else f"at least {layer.bound_cycles:,}"
    marks.append(element("text", element("tspan", value, class_="strong"), f"  {limit.name}", x=end, y=y + 16))
    return element("g", *marks)


def _legend(run: RunRecord) -> Markup:
    used = {limit_of(layer, run).kind for layer in run.layers if layer.cycles is not None}
    texts = {Kind.ARRAY: "the array's peak", Kind.BUS: "the DRAM bus", Kind.ENGINE: "an engine, named beside the bar",
             Kind.WAITING: "nothing for long: engines wait for one another"}
    keys = [element("span", element("i", class_=f"key back-{kind}"), texts[kind]) for kind in Kind if kind in used]
    return element("p", *keys, element("span", element("i", class_="key back-bound"), "bound: the larger of its products at the "
                   "array's peak and its least traffic at the bus's"), class_="legend")
