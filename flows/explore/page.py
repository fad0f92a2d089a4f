"""The page of an exploration: one file that needs nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from tenon.acg import draw
from tenon.flows.explore.charts import front_chart, parallel_chart, volume_chart
from tenon.flows.explore.measure import Measured
from tenon.flows.explore.objectives import MEASURED, labelled, said
from tenon.flows.explore.space import DesignSpace
from tenon.flows.explore.study import Explored, Found
from tenon.flows.html import parse_record
from tenon.flows.html.bars import layer_bars
from tenon.flows.html.document import card, document, section
from tenon.flows.html.markup import Markup, element, join
from tenon.flows.html.tables import table
from tenon.tb.gateware import graph_of

__all__ = ["exploration_page"]


def exploration_page(space: DesignSpace, explored: Explored, measured: Mapping[int, Measured], about: dict, folder: str,
                     score: Callable[[Measured], tuple[float | None, ...]], *, cdn: bool = False) -> str:
    """The whole file. ``measured`` by the points' numbers; ``score``: their objectives; ``folder``: where configurations were written;
    ``cdn``: plotly, 4.5 MB of it, is fetched when the page is opened."""
    seen = {number: score(m) for number, m in measured.items()}
    charts = _Charts("cdn" if cdn else True)
    sections = [
        _headline(space, explored, measured, about),
        section("The front", "Every point that was computed. Hover over one to see what it is, and why it is not on the front.",
                charts.markup(front_chart(space, explored, seen))),
        section("Its points", "Models beside measurements: cycles in RTL simulation, area after synthesis.",
                _front_table(space, explored, measured, seen)),
        section("All points", "In blue: the front. Drag along an axis to see some only.", charts.markup(parallel_chart(space, explored))),
        section("Progress", "The share of the box of all points, in logarithms, that the front dominates.",
                charts.markup(volume_chart(explored))),
        *(_details(rank, f, measured.get(f.number), about, folder) for rank, f in enumerate(explored.front(), 1)),
        _failures(explored),
    ]
    return document(f"{', '.join(about['models'])} on {about['space']}", filter(None, sections))


class _Charts:
    """Charts as markup; the first brings plotly along."""

    def __init__(self, plotly: bool | str):
        self._plotly = plotly

    def markup(self, figure) -> Markup:
        text = figure.to_html(full_html=False, include_plotlyjs=self._plotly, config={"displayModeBar": False, "responsive": True})
        self._plotly = False
        return Markup(text)


def _headline(space: DesignSpace, explored: Explored, measured: Mapping[int, Measured], about: dict) -> Markup:
    wrong = sum(not m.equal for m in measured.values())
    verdict, mood = ("none", "") if not measured else ("all equal", "good") if not wrong else (f"{wrong} differ", "bad")
    elements = sum(r.elements for m in measured.values() for r in m.runs.values())
    cards = [
        card("points", f"{len(explored.found):,}", f"of {space.size:,} choices"),
        card("on the front", f"{len(explored.front()):,}", "by models: " + ", ".join(explored.objectives)),
        card("measured", verdict, f"{len(measured)} points, {elements:,} elements in RTL", mood),
        card("compiled in", f"{sum(f.point.seconds for f in explored.found):,.0f} s", "of the processor, when they were computed"),
    ]
    return join([element("h1", f"{', '.join(about['models'])} on {about['space']}"),
                 element("p", "; ".join([f"Sampler {about['sampler']}, seed {about['seed']}", *about["conditions"]]), class_="soft"),
                 element("p", "; ".join(f"{name} = {value}" for name, value in space.fixed.items()), class_="soft"),
                 element("div", *cards, class_="cards")])


def _front_table(space: DesignSpace, explored: Explored, measured: Mapping[int, Measured], seen: Mapping[int, tuple]) -> Markup:
    columns = [("", True), *((axis.name, True) for axis in space.axes)]
    beside = {name: bool(seen) and name in MEASURED for name in explored.objectives}
    for name in explored.objectives:
        columns += [(labelled(name), True), *([("measured", True), ("off", True)] if beside[name] else [])]
    columns += [("elements", True), ("different", True)] if measured else []
    rows = []
    for rank, f in enumerate(explored.front(), 1):
        row = [str(rank), *(f"{getattr(f.point.params, axis.name):,}" for axis in space.axes)]
        there = seen.get(f.number)
        for k, (name, value) in enumerate(zip(explored.objectives, f.values)):
            row.append(said(value))
            if beside[name]:
                row += ["", ""] if there is None else [said(there[k]), f"{100 * (value / there[k] - 1):+.2f} %"]
        runs = measured[f.number].runs.values() if f.number in measured else ()
        if measured:
            row += [f"{sum(r.elements for r in runs):,}", f"{sum(r.mismatches for r in runs):,}"] if runs else ["", ""]
        rows.append(row)
    return table(columns, rows)


def _details(rank: int, found: Found, measured: Measured | None, about: dict, folder: str) -> Markup:
    """Of one point of the front: how to have it again, where its cycles go, what its modules take, what it is."""
    commands = [f"tenon generate {folder}/{rank}.toml -o rtl --area"]
    commands += [f"tenon run {model} --config {folder}/{rank}.toml" for model in about["models"]]
    parts = [element("p", "To have it again:"), element("pre", "\n".join(commands))]
    for name, run in measured.runs.items() if measured else ():
        parts += [element("h3", f"{name}: cycles by layer, in RTL"), layer_bars(parse_record(run.report, name))]
    if measured:
        parts += [element("h3", "Area by module"), _modules(measured)]
    parts += [element("h3", "Its architecture"), element("div", Markup(_inline(draw.svg(graph_of(found.point.params)))), class_="wide")]
    title = f"Point {rank} of the front: {found.point.params.name}"
    return element("section", element("details", element("summary", title), *parts))


def _modules(measured: Measured) -> Markup:
    kinds = list(measured.area.total.counts)
    rows = [[m.module, f"{m.instances:,}", *(f"{round(m.counts[k]):,}" for k in kinds)]
            for m in (*measured.area.modules, measured.area.total)]
    return table([("module", False), ("instances", True), *((k, True) for k in kinds)], rows)


def _failures(explored: Explored) -> Markup:
    reasons = Counter(f.point.reason for f in explored.found if f.values is None)
    if not reasons:
        return Markup("")
    rows = [[f"{count:,}", reason] for reason, count in reasons.most_common()]
    return section("What cannot run the networks", "How many points, and why.", table([("points", True), ("why", False)], rows))


def _inline(svg: str) -> str:
    """An SVG document without what only a file of its own may begin with."""
    return svg[svg.index("<svg"):]
