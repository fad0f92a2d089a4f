"""A timeline of a run in Chrome's trace-event format, which Perfetto opens: layers, engines, what they waited for, tokens, bus."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tenon.acg.isa import instruction_text
from tenon.compiler.program import Program
from tenon.flows.report import Report
from tenon.tb.timeline import Timeline, Wait, busy_intervals, merged, token_levels

__all__ = ["timeline_events", "timeline_text"]

Event = dict[str, object]

_PID = 1
_LAYERS = 1  # thread of the layers; then two for each engine: its instructions, and its waits
_SAMPLES = 4000  # values of a counter track at most


def timeline_text(program: Program, report: Report, timeline: Timeline) -> str:
    """The whole file: one event a line; a microsecond stands for a cycle."""
    lines = ",\n".join(json.dumps(event) for event in timeline_events(program, report, timeline))
    return f'{{"displayTimeUnit": "ms", "otherData": {{"time": "1 us is 1 cycle"}}, "traceEvents": [\n{lines}\n]}}\n'


def timeline_events(program: Program, report: Report, timeline: Timeline) -> Iterator[Event]:
    """Events of each track, in order of time within the track."""
    yield _meta("process_name", 0, name=f"{report.model} on {report.config} ({report.simulator})")
    yield from _track(_LAYERS, "layers")
    yield from _layers(report)
    headers = [i.header for i in program.instructions]
    levels, latest = token_levels(timeline.spans, headers)
    texts = [" ".join(instruction_text(i.mnemonic, i.fields, i.header).split()) for i in program.instructions]
    of_layer = _layer_names(program, report)
    for number, unit in enumerate(program.covenant.units):
        tid = _LAYERS + 1 + 2 * number
        yield from _track(tid, unit.name)
        for span, begin, end in busy_intervals([s for s in timeline.spans if s.engine == unit.name]):
            instruction, layer = program.instructions[span.index], of_layer[span.index]
            args = {"instruction": texts[span.index], "index": span.index, "layer": layer, "note": instruction.note,
                    "has its tokens": span.granted, "operands read": span.released, "results visible": span.done}
            yield _slice(f"{instruction.mnemonic.name} {layer}", "instruction", tid, begin, end, {k: v for k, v in args.items() if v != ""})
        yield from _track(tid + 1, f"{unit.name} waits")
        waits = [w for w in timeline.waits if w.engine == unit.name]
        for wait in sorted(_apart(waits), key=lambda w: (w.begin, -w.end)):
            yield _slice(_wait_name(wait, headers), "wait", tid + 1, wait.begin, wait.end, _wait_args(wait, texts, latest))
    yield from _tokens(levels)
    yield from _bus(timeline)


def _meta(kind: str, tid: int, **args: object) -> Event:
    return {"name": kind, "ph": "M", "ts": 0, "pid": _PID, "tid": tid, "args": args}


def _track(tid: int, name: str) -> Iterator[Event]:
    yield _meta("thread_name", tid, name=name)
    yield _meta("thread_sort_index", tid, sort_index=tid)


def _slice(name: str, category: str, tid: int, begin: int, end: int, args: Event) -> Event:
    return {"name": name, "cat": category, "ph": "X", "ts": begin, "dur": end - begin, "pid": _PID, "tid": tid, "args": args}


def _counter(name: str, cycle: int, **values: float) -> Event:
    return {"name": name, "ph": "C", "ts": cycle, "pid": _PID, "tid": 0, "args": values}


def _layers(report: Report) -> Iterator[Event]:
    """Layers end to end, as in the report: each from the end of the one before to its own."""
    begin = 0
    for line in report.layers:
        if line.cycles is not None:
            args = {"operator": line.op, "engine": line.engine, "macs": line.macs, "bound_cycles": line.bound_cycles,
                    **{f"{line.engine} {cause} cycles": n for cause, n in (line.stalls or {}).items()}}
            yield _slice(line.name, "layer", _LAYERS, begin, begin + line.cycles, args)
            begin += line.cycles


def _layer_names(program: Program, report: Report) -> list[str]:
    """The layer of each instruction."""
    names = [""] * len(program.instructions)
    for layer, line in zip(program.layers, report.layers, strict=True):
        for index in range(layer.first, layer.last + 1):
            names[index] = line.name
    return names


def _apart(waits: Sequence[Wait]) -> list[Wait]:
    """Waits of one engine, those of one cause merged, cut where they overlap: slices of a track may only nest."""
    ordered = sorted((w for cause in ("token", "bank", "bus", "empty") for w in merged([w for w in waits if w.cause == cause])),
                     key=lambda w: (w.begin, w.end))
    result: list[Wait] = []
    for wait in ordered:
        begin = max(wait.begin, result[-1].end) if result else wait.begin
        if begin < wait.end:
            result.append(Wait(wait.engine, wait.cause, begin, wait.end, wait.cycles, wait.index))
    return result


def _wait_name(wait: Wait, headers: Sequence) -> str:
    if wait.cause != "token" or wait.index is None:
        return {"bank": "memory bank", "bus": "bus", "empty": "queue empty"}.get(wait.cause, wait.cause)
    mask = headers[wait.index].waits
    return "token " + ", ".join(str(i) for i in range(mask.bit_length()) if mask >> i & 1)


def _wait_args(wait: Wait, texts: Sequence[str], latest: dict[int, int]) -> Event:
    args: Event = {"cause": wait.cause, "cycles": wait.cycles}
    if wait.index is not None:
        args["instruction"] = texts[wait.index]
        if wait.index in latest:
            args["signalled by"] = f"{latest[wait.index]}: {texts[latest[wait.index]]}"
    return args


def _tokens(levels: Sequence[tuple[int, int, int]]) -> Iterator[Event]:
    for token in sorted({token for _, token, _ in levels}):
        yield _counter(f"token {token}", 0, level=0)
        for cycle, of, level in levels:
            if of == token:
                yield _counter(f"token {token}", cycle, level=level)


def _bus(timeline: Timeline) -> Iterator[Event]:
    """Share of the bus's cycles in which data moved, for windows large enough that a track has some thousand values."""
    window = timeline.window
    while timeline.cycles / window > _SAMPLES:
        window *= 2
    sums: dict[int, tuple[int, int]] = {}
    for cycle, read, written in timeline.beats:
        before = sums.get(cycle // window, (0, 0))
        sums[cycle // window] = (before[0] + read, before[1] + written)
    for place in range(-(-timeline.cycles // window)):
        length = min(window, timeline.cycles - place * window)
        read, written = sums.get(place, (0, 0))
        yield _counter("bus read %", place * window, busy=round(100 * read / length, 1))
        yield _counter("bus write %", place * window, busy=round(100 * written / length, 1))
    for name in ("bus read %", "bus write %"):
        yield _counter(name, timeline.cycles, busy=0)
