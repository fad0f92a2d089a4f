"""The roofline: what the array reached, over how often each byte of DRAM was used."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tenon.flows.html.limit import limit_of
from tenon.flows.html.markup import Markup, element, join, short
from tenon.flows.html.record import LayerRow, RunRecord

__all__ = ["roofline"]

_LEFT, _TOP, _WIDTH, _HEIGHT, _BOTTOM, _RIGHT = 70, 20, 820, 380, 50, 70
_NAMED = 10  # points with a name beside them: those of the layers that take most cycles


@dataclass(frozen=True)
class _Axis:
    """Powers of ten ``low``..``high`` on pixels ``begin``..``end``."""

    low: int
    high: int
    begin: float
    end: float

    @classmethod
    def over(cls, values: list[float], begin: float, end: float) -> _Axis:
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        return cls(low, max(high, low + 2), begin, end)

    def at(self, value: float) -> float:
        return self.begin + (self.end - self.begin) * (math.log10(value) - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Values with a line, and what is written there."""
        decades = range(self.low, self.high + 1)
        steps = (1, 2, 5) if len(decades) <= 4 else (1,)
        return [(step * 10.0**d, f"{step * 10.0**d:,g}") for d in decades for step in steps if d < self.high or step == 1]


def roofline(run: RunRecord) -> Markup:
    """Layers as points under the two lines that no layer gets above."""
    bus, peak = run.bus_bytes_per_cycle, run.peak_macs_per_cycle
    points = [(layer, layer.macs / layer.moved_bytes, layer.macs / layer.cycles) for layer in run.layers
              if layer.macs and layer.moved_bytes and layer.cycles]
    if not points or not bus or not peak:
        why = "no layer with products has cycles: use --simulator verilator, icarus or model"
        return element("p", f"Not drawn: {why if bus and peak else 'the report does not say how wide the bus is'}.", class_="soft")
    ridge = peak / bus
    x = _Axis.over([ridge, *(p[1] for p in points)], _LEFT, _LEFT + _WIDTH)
    y = _Axis.over([peak * 1.2, *(p[2] for p in points)], _TOP + _HEIGHT, _TOP)
    width, height = _LEFT + _WIDTH + _RIGHT, _TOP + _HEIGHT + _BOTTOM
    drawing = element("svg", *_grid(x, y), *_roof(x, y, bus, peak), *_points(run, points, x, y), class_="chart", role="img",
                      aria_label="Roofline", width=width, height=height, viewBox=f"0 0 {width} {height}")
    return join([element("div", drawing, class_="wide"), element("p", _note(run, len(points)), class_="soft")])


def _grid(x: _Axis, y: _Axis) -> list[Markup]:
    marks = []
    for value, text in x.ticks():
        at = x.at(value)
        marks += [element("path", d=f"M{at:.1f} {_TOP}V{_TOP + _HEIGHT}", class_="grid"),
                  element("text", text, x=at, y=_TOP + _HEIGHT + 18, text_anchor="middle", class_="soft")]
    for value, text in y.ticks():
        at = y.at(value)
        marks += [element("path", d=f"M{_LEFT} {at:.1f}H{_LEFT + _WIDTH}", class_="grid"),
                  element("text", text, x=_LEFT - 8, y=at + 4, text_anchor="end", class_="soft")]
    marks.append(element("text", "MACs per byte of DRAM traffic", x=_LEFT + _WIDTH / 2, y=_TOP + _HEIGHT + 42, text_anchor="middle"))
    middle = _TOP + _HEIGHT / 2
    marks.append(element("text", "MACs per cycle", x=16, y=middle, text_anchor="middle", transform=f"rotate(-90 16 {middle:.0f})"))
    return marks


def _roof(x: _Axis, y: _Axis, bus: int, peak: int) -> list[Markup]:
    """The bus's line up to the ridge, and the array's from there."""
    ridge, left, bottom = peak / bus, 10.0**x.low, 10.0**y.low
    start = max(left, bottom / bus)  # where the bus's line enters the drawing
    corner = x.at(ridge), y.at(peak)
    slope = f"M{x.at(start):.1f} {y.at(start * bus):.1f}L{corner[0]:.1f} {corner[1]:.1f}"
    middle = math.sqrt(start * ridge)
    angle = math.degrees(math.atan2(corner[1] - y.at(start * bus), max(corner[0] - x.at(start), 1e-9)))
    at = x.at(middle), y.at(middle * bus) - 8
    marks = [element("path", d=f"{slope}H{_LEFT + _WIDTH}", class_="roof"),
             element("text", f"array: {peak:,} MACs per cycle", x=_LEFT + _WIDTH - 6, y=corner[1] - 16, text_anchor="end", class_="halo")]
    if corner[0] - x.at(start) > 160:
        marks.append(element("text", f"bus: {bus:,} bytes per cycle", x=at[0], y=at[1], text_anchor="middle", class_="halo",
                             transform=f"rotate({angle:.1f} {at[0]:.1f} {at[1]:.1f})"))
    return marks


def _points(run: RunRecord, points: list[tuple[LayerRow, float, float]], x: _Axis, y: _Axis) -> list[Markup]:
    marks, names = [], []
    # Names go where there is no point, no other name, and not the text of the array's line.
    taken = [(x.at(use) - 6, y.at(rate) - 6, x.at(use) + 6, y.at(rate) + 6) for _, use, rate in points]
    roof = y.at(run.peak_macs_per_cycle)
    taken.append((_LEFT + _WIDTH - 200, roof - 30, _LEFT + _WIDTH, roof - 12))
    for number, (layer, use, rate) in enumerate(sorted(points, key=lambda p: -p[0].cycles)):
        limit = limit_of(layer, run)
        at = x.at(use), y.at(rate)
        title = f"{layer.name} ({layer.op}): {use:,.3g} MACs per byte, {rate:,.3g} MACs per cycle; limit: {limit.name}"
        marks.append(element("circle", element("title", title), cx=at[0], cy=at[1], r=6, class_=f"point fill-{limit.kind}"))
        name = short(layer.name, 24)
        box = at[0] + 10, at[1] - 7, at[0] + 10 + 7 * len(name), at[1] + 7
        if box[2] > _LEFT + _WIDTH + _RIGHT:  # no room on the right
            box = at[0] - 10 - 7 * len(name), box[1], at[0] - 10, box[3]
        if number < _NAMED and not any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
            taken.append(box)
            right = box[0] > at[0]
            names.append(element("text", name, x=box[0] if right else box[2], y=at[1] + 4, text_anchor="start" if right else "end",
                                 class_="halo"))
    return marks[::-1] + names


def _note(run: RunRecord, drawn: int) -> str:
    counted = all(layer.dram_bytes is not None for layer in run.layers)
    text = ("Bytes are those that crossed the bus while the layer ran, also if loaded ahead for another." if counted else
            "Bytes are those that the layer's instructions load and store; some are loaded ahead, while the layer before still runs, "
            "so a point can lie above the bus's line.")
    left = len(run.layers) - drawn
    return text + (f" Not drawn: {left} layer{'s'[:left != 1]} without products, or without bytes or cycles." if left else "")
