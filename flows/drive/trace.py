"""A timeline of a run on a drive in Chrome's trace-event format, which Perfetto opens: commands, dies, buses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tenon.flows.drive.run import DriveRun, Span
from tenon.tb.drive.system import PERIOD_NS

__all__ = ["trace_text"]

_PID = 1


def trace_text(found: DriveRun) -> str:
    """The whole file: one event a line; time is that of the simulation, from the first command's submission on."""
    lines = ",\n".join(json.dumps(event) for event in _events(found))
    return f'{{"displayTimeUnit": "ns", "traceEvents": [\n{lines}\n]}}\n'


def _events(found: DriveRun) -> Iterator[dict[str, object]]:
    yield {"name": "process_name", "ph": "M", "pid": _PID, "tid": 0, "args": {"name": f"{found.model} on {found.drive}"}}
    start = min(span.begin for span in found.steps)
    number = 0
    for kind in dict.fromkeys(span.name for span in found.steps):
        for lane, spans in enumerate(_lanes([s for s in found.steps if s.name == kind])):
            number += 1
            yield from _track(number, f"{kind} {lane + 1}" if lane else kind, spans, start)
    for part in dict.fromkeys(span.name for span in found.parts):
        number += 1
        yield from _track(number, part, [s for s in found.parts if s.name == part and s.end > start], start)


def _track(number: int, name: str, spans: Sequence[Span], start: int) -> Iterator[dict[str, object]]:
    yield {"name": "thread_name", "ph": "M", "pid": _PID, "tid": number, "args": {"name": name}}
    yield {"name": "thread_sort_index", "ph": "M", "pid": _PID, "tid": number, "args": {"sort_index": number}}
    for span in spans:
        yield {"name": name.split()[0], "ph": "X", "pid": _PID, "tid": number, "ts": (max(span.begin, start) - start) * PERIOD_NS / 1000,
               "dur": (span.end - max(span.begin, start)) * PERIOD_NS / 1000}


def _lanes(spans: Sequence[Span]) -> list[list[Span]]:
    """As many rows as have something at a time."""
    lanes: list[list[Span]] = []
    for span in sorted(spans, key=lambda s: (s.begin, s.end)):
        lane = next((lane for lane in lanes if lane[-1].end <= span.begin), None)
        if lane is None:
            lanes.append(lane := [])
        lane.append(span)
    return lanes
