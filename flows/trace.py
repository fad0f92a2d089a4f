"""A timeline of a run in Chrome's trace format, for Perfetto and the like: layers, and what the engines did meanwhile."""

from __future__ import annotations

import json
from itertools import pairwise

from compiler.program import Program
from flows.errors import UserError
from flows.execution import Execution, Stamp
from flows.report import Report

__all__ = ["timeline"]


def timeline(program: Program, report: Report, execution: Execution) -> str:
    """JSON with a span for each layer, and the share of cycles that each engine was busy in it; 1 us stands for a cycle.

    Raises
    ------
    UserError
        If the simulator counts no cycles.
    """
    if report.cycles is None:
        raise UserError(f"--trace needs cycles, which the {report.simulator} simulator does not count: "
                        f"use verilator, icarus or model")
    events: list[dict[str, object]] = []
    begin = 0
    for line in report.layers:
        if line.cycles is None:
            continue
        events.append({"name": line.name, "cat": line.op, "ph": "X", "ts": begin, "dur": line.cycles, "pid": 1, "tid": 1,
                       "args": {"engine": line.engine, "macs": line.macs, "bound_cycles": line.bound_cycles,
                                "stalls": dict(line.stalls or {})}})
        begin += line.cycles
    marks = [Stamp(0, 0, {}), *execution.stamps]
    for before, now in pairwise(marks):
        span = max(now.cycle - before.cycle, 1)
        for unit in program.covenant.units:
            name = f"{unit.name}_BUSY"
            if name in now.counters:
                share = (now.counters[name] - before.counters.get(name, 0)) / span
                events.append({"name": f"{unit.name} busy %", "ph": "C", "ts": before.cycle, "pid": 1,
                               "args": {"busy": round(100 * share, 1)}})
    names = {"name": "process_name", "ph": "M", "pid": 1, "args": {"name": f"{report.model} on {report.config}"}}
    return json.dumps({"traceEvents": [names, *events], "displayTimeUnit": "ms"}) + "\n"
