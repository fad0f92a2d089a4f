"""The network's picture: its layers from top to bottom, and what each reads."""

from __future__ import annotations

from tenon.flows.html.limit import limit_of
from tenon.flows.html.markup import Markup, count, element, short
from tenon.flows.html.record import RunRecord

__all__ = ["lanes_of", "network_picture"]

_ROW, _LANE, _HEAD, _TEXT = 20, 9, 14, 620  # the text's width


def network_picture(run: RunRecord) -> Markup:
    """A line for each tensor that a layer reads of another: straight from the one before it, else in a lane on the left."""
    edges = [(source, number) for number, layer in enumerate(run.layers) for source in layer.reads or () if source < number]
    if not edges:
        return element("p", "The report does not say.", class_="soft")
    lanes = lanes_of([(a, b) for a, b in edges if b - a > 1])
    x = (1 + max(lanes.values(), default=-1)) * _LANE + _HEAD
    drawn = [_edge(a, b, x, lanes.get((a, b))) for a, b in edges]
    for number, layer in enumerate(run.layers):
        y = _HEAD + number * _ROW
        limit = limit_of(layer, run)
        said = f"{layer.name} ({layer.op}) on {layer.engine}: {count(layer.cycles)} cycles; limit: {limit.name}"
        name = element("text", short(layer.name, 48), element("tspan", f"  {short(layer.op, 36)}", class_="pale"), x=x + 14, y=y + 4)
        dot = element("circle", cx=x, cy=y, r=5, class_=f"node fill-{limit.kind}")
        drawn.append(element("g", element("title", said), dot, name, class_="line"))
    width, height = x + 14 + _TEXT, 2 * _HEAD + (len(run.layers) - 1) * _ROW
    drawing = element("svg", *drawn, class_="chart", role="img", aria_label="The network", width=width, height=height,
                      viewBox=f"0 0 {width} {height}")
    return element("div", drawing, class_="scroll", tabindex=0)


def lanes_of(edges: list[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """A lane for each edge, so that edges side by side do not touch; the shortest come first, nearest to the layers."""
    taken: list[list[tuple[int, int]]] = []
    found = {}
    for low, high in sorted(set(edges), key=lambda e: (e[1] - e[0], e)):
        lane = next((i for i, others in enumerate(taken) if all(high <= a or b <= low for a, b in others)), len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append((low, high))
        found[low, high] = lane
    return found


def _edge(low: int, high: int, x: int, lane: int | None) -> Markup:
    top, bottom = _HEAD + low * _ROW, _HEAD + high * _ROW
    if lane is None:
        return element("path", d=f"M{x} {top}V{bottom}", class_="wire")
    left = x - (lane + 1) * _LANE
    return element("path", d=f"M{x} {top}Q{left} {top} {left} {top + _ROW / 2:g}V{bottom - _ROW / 2:g}Q{left} {bottom} {x} {bottom}",
                   class_="wire")
