"""The charts of an exploration's page, as plotly draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tenon.flows.explore.front import dominated_by
from tenon.flows.explore.objectives import labelled, said
from tenon.flows.explore.space import DesignSpace
from tenon.flows.explore.study import Explored, Found

__all__ = ["front_chart", "parallel_chart", "volume_chart"]

_MODEL, _FRONT, _MEASURED, _SOFT = "#9a998f", "#2a78d6", "#d95f26", "rgba(128,128,128,0.35)"
_LAYOUT = {"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "font": {"color": "#77766f", "size": 13},
           "margin": {"l": 70, "r": 20, "t": 20, "b": 60}, "legend": {"orientation": "h", "y": 1.12}}


def front_chart(space: DesignSpace, explored: Explored, measured: Mapping[int, Sequence[float]]):
    """All points by their first two objectives, the front, and what was measured of it joined to what models say. Hovering over a point
    says what it is, and what dominates it."""
    import plotly.graph_objects as go

    good, front = explored.good, explored.front()
    x, y = explored.objectives[0], explored.objectives[1 if len(explored.objectives) > 1 else 0]
    second = min(1, len(explored.objectives) - 1)
    values = np.array([f.values for f in good])
    ranks = {f.number: rank for rank, f in enumerate(front, 1)}
    figure = go.Figure(layout=_LAYOUT)
    rest = [k for k, f in enumerate(good) if f.number not in ranks]
    figure.add_scatter(x=values[rest, 0], y=values[rest, second], mode="markers", name="dominated", marker={"color": _SOFT, "size": 7},
                       text=[_said(space, good[k]) + _why(good, values, k, explored.objectives) for k in rest], hoverinfo="text")
    line = {"shape": "hv", "width": 1} if len(explored.objectives) == 2 else None
    figure.add_scatter(x=[f.values[0] for f in front], y=[f.values[second] for f in front], mode="markers+lines" if line else "markers",
                       name="front, by models", line=line, marker={"color": _FRONT, "size": 10}, hoverinfo="text",
                       text=[f"<b>{ranks[f.number]}</b>: " + _said(space, f) for f in front])
    there = [f for f in front if f.number in measured]
    for f in there:
        seen = measured[f.number]
        figure.add_scatter(x=[f.values[0], seen[0]], y=[f.values[second], seen[second]], mode="lines", showlegend=False, hoverinfo="skip",
                           line={"color": _MEASURED, "width": 1})
    if there:
        figure.add_scatter(x=[measured[f.number][0] for f in there], y=[measured[f.number][second] for f in there], mode="markers",
                           name="front, measured", hoverinfo="text", text=[f"<b>{ranks[f.number]}</b>, measured" for f in there],
                           marker={"color": _MEASURED, "size": 11, "symbol": "x-thin", "line": {"width": 2, "color": _MEASURED}})
    figure.update_xaxes(title=labelled(x), type="log", gridcolor=_SOFT)
    figure.update_yaxes(title=labelled(y), type="log", gridcolor=_SOFT)
    return figure.update_layout(height=520)


def parallel_chart(space: DesignSpace, explored: Explored):
    """Parameters and objectives of all points; axes can be narrowed by dragging along them."""
    import plotly.graph_objects as go

    good = explored.good
    front = {f.number for f in explored.front()}
    dimensions = []
    for axis in space.axes:
        column = np.array([getattr(f.point.params, axis.name) for f in good])
        seen = sorted(set(column.tolist()))  # as far apart as they are many, not as they are large
        dimensions.append({"label": axis.name, "values": np.searchsorted(seen, column), "tickvals": list(range(len(seen))),
                           "ticktext": [f"{v:,}" for v in seen]})
    for k, name in enumerate(explored.objectives):
        column = np.log10([f.values[k] for f in good])
        ticks = np.linspace(column.min(), column.max(), 6)
        dimensions.append({"label": labelled(name), "values": column, "tickvals": ticks, "ticktext": [said(10 ** t) for t in ticks]})
    colour = [float(f.number in front) for f in good]
    chart = go.Parcoords(dimensions=dimensions, line={"color": colour, "colorscale": [[0, "#cfcec6"], [1, _FRONT]], "cmin": 0, "cmax": 1})
    return go.Figure(chart, layout=_LAYOUT | {"margin": {"l": 90, "r": 60, "t": 60, "b": 30}}).update_layout(height=420)


def volume_chart(explored: Explored):
    """Hypervolume after each point."""
    import plotly.graph_objects as go

    volumes = explored.volumes()
    figure = go.Figure(layout=_LAYOUT)
    figure.add_scatter(x=list(range(1, len(volumes) + 1)), y=volumes, mode="lines", line={"color": _FRONT, "shape": "hv"}, name="")
    figure.update_xaxes(title="points", gridcolor=_SOFT)
    figure.update_yaxes(title="hypervolume", gridcolor=_SOFT)
    return figure.update_layout(height=320, showlegend=False)


def _said(space: DesignSpace, found: Found) -> str:
    return ", ".join(f"{axis.name} {getattr(found.point.params, axis.name):,}" for axis in space.axes)


def _why(good: Sequence[Found], values: np.ndarray, number: int, objectives: Sequence[str]) -> str:
    """What dominates a point most: the one that is less by most in its weakest objective."""
    others = dominated_by(values, number)
    if not others:
        return "<br>the same as another point"
    best = min(others, key=lambda k: float((values[k] / values[number]).sum()))
    less = ", ".join(f"{name} {100 * (values[best, k] / values[number, k] - 1):+.1f} %" for k, name in enumerate(objectives))
    return f"<br>dominated by {len(others)}; most by point {good[best].number}: {less}"
