"""Tables that scroll: layers, and the nodes of the model."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.flows.html.limit import limit_of
from tenon.flows.html.markup import Markup, count, element, percent
from tenon.flows.html.record import RunRecord

__all__ = ["layer_table", "node_table", "table"]


def table(columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]]) -> Markup:
    """``columns``: names, and whether they hold numbers."""
    classes = ["number" if number else None for _, number in columns]
    head = element("tr", *(element("th", name, scope="col", class_=c) for (name, _), c in zip(columns, classes)))
    body = [element("tr", *(element("td", cell, class_=c) for cell, c in zip(row, classes))) for row in rows]
    return element("div", element("table", element("thead", head), element("tbody", *body)), class_="scroll", tabindex=0)


def layer_table(run: RunRecord) -> Markup:
    """Every layer, in the order in which they run."""
    columns = [("layer", False), ("operator", False), ("engine", False), ("cycles", True), ("bound", True), ("limit", False),
               ("MACs", True), ("utilisation", True), ("DRAM bytes", True), ("its traffic", True)]
    rows = []
    for layer in run.layers:
        possible = (layer.cycles or 0) * run.peak_macs_per_cycle
        rows.append([layer.name, layer.op, layer.engine, count(layer.cycles), count(layer.bound_cycles), limit_of(layer, run).name,
                     count(layer.macs), percent(layer.macs / possible if possible and layer.macs else None), count(layer.dram_bytes),
                     count(layer.traffic_bytes)])
    return table(columns, rows)


def node_table(run: RunRecord) -> Markup:
    """Where each node of the model runs."""
    if not run.placements:
        return element("p", "The report does not say.", class_="soft")
    columns = [("node", False), ("operator", False), ("runs on", False), ("why not on the array", False)]
    return table(columns, [[p.node, p.op, p.where, p.why] for p in run.placements])
