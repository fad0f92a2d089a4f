"""Measures a configuration's covenant in RTL."""

from __future__ import annotations

from collections.abc import Callable

from tenon.hw.params import SystolicParams
from tenon.tb.covenant.claim import Claim
from tenon.tb.covenant.suite import check_graph
from tenon.tb.covenant.trial import Laboratory
from tenon.tb.gateware import graph_of, verilog_of

__all__ = ["check_covenant"]


def check_covenant(params: SystolicParams, progress: Callable[[str], None] = lambda text: None) -> list[Claim]:
    """A claim for each measured or encoded attribute of the covenant of ``params``."""
    graph = graph_of(params)
    progress(f"measuring the covenant of {params.name} in RTL: Verilog")
    lab = Laboratory(verilog_of(params), params, len(graph.segment_names))
    progress(f"measuring the covenant of {params.name} in RTL")
    return check_graph(graph, params, lab)
