"""Timelines: the RTL's own, held against its counters and against the cycle model's; and as a file for Perfetto."""

import json

import pytest

from tenon.compiler.host import quantise_inputs
from tenon.flows.execution import Simulator, execute
from tenon.flows.report import report_of
from tenon.flows.run import prepare
from tenon.flows.trace import timeline_events, timeline_text
from tenon.hw.presets import preset
from tenon.tb.rtl import Dram
from tenon.tb.timeline import busy_intervals

MODEL = "zoo:gemm_40x48x36"


@pytest.fixture(scope="module")
def job():
    return prepare(MODEL, preset("tiny"))


def executed(job, simulator, **options):
    tensors = [quantise_inputs(job.compiled.graph, feeds) for feeds in job.feeds]
    return execute(job.compiled.program, tensors, simulator, params=job.params, observe=True, **options)


def reported(job, execution, simulator):
    return report_of(job.compiled.program, job.compiled.model, MODEL, simulator, execution, 1, comparison=None, accuracy=None)


def busy(timeline, engine):
    return sum(end - begin for _, begin, end in busy_intervals([s for s in timeline.spans if s.engine == engine]))


def waited(timeline, engine, cause):
    return sum(w.cycles for w in timeline.waits if (w.engine, w.cause) == (engine, cause))


def check(job, execution):
    """What holds of every timeline, whoever made it."""
    program, timeline, counters = job.compiled.program, execution.timeline, execution.counters
    assert [(s.index, s.engine) for s in timeline.spans] == [(k, i.mnemonic.unit) for k, i in enumerate(program.instructions)]
    for span in timeline.spans:
        assert 0 <= span.granted < span.begun <= span.released <= span.done <= execution.cycles[0]
    for unit in program.covenant.units:
        assert busy(timeline, unit.name) == counters[f"{unit.name}_BUSY"]
        for cause in ("token", "bank", "bus"):
            if f"{unit.name}_{cause.upper()}" in counters:
                assert waited(timeline, unit.name, cause) == counters[f"{unit.name}_{cause.upper()}"], (unit.name, cause)
    assert sum(read for _, read, _ in timeline.beats) == counters["READ_BEATS"]
    assert sum(written for *_, written in timeline.beats) == counters["WRITE_BEATS"]
    assert all(begin % timeline.window == 0 and read + written <= timeline.window for begin, read, written in timeline.beats)
    # Between the queue's head and the engine there is a cycle in which any instruction waits.
    assert {w.index for w in timeline.waits if w.cause == "token" and w.cycles > 2} <= {
        k for k, i in enumerate(program.instructions) if i.header.waits}


@pytest.mark.rtl
@pytest.mark.parametrize("dram", [Dram(), Dram(latency=90, stall=25, seed=4)], ids=["standard", "stalls"])
def test_rtl_equals_its_counters(job, dram):
    execution = executed(job, Simulator.VERILATOR, dram=dram)
    check(job, execution)
    for unit in job.compiled.program.covenant.units:  # the counter runs a little later and shorter than the program
        counted = execution.counters[f"{unit.name}_EMPTY"]
        assert counted <= waited(execution.timeline, unit.name, "empty") <= counted + 3


def test_model_equals_its_counters(job):
    check(job, executed(job, Simulator.MODEL))


@pytest.mark.rtl
def test_rtl_and_model_agree(job):
    rtl, model = (executed(job, simulator) for simulator in (Simulator.VERILATOR, Simulator.MODEL))
    for ours, theirs in zip(rtl.timeline.spans, model.timeline.spans, strict=True):
        for moment in ("released", "done"):
            assert abs(getattr(ours, moment) - getattr(theirs, moment)) <= 180, (moment, ours, theirs)
    for unit in job.compiled.program.covenant.units:
        assert abs(busy(rtl.timeline, unit.name) - busy(model.timeline, unit.name)) <= 0.06 * rtl.cycles[0]


@pytest.mark.rtl
def test_icarus_observes_the_same(icarus):
    small = prepare("zoo:gemm_3x6x5", preset("tiny"))
    assert executed(small, Simulator.ICARUS).timeline == executed(small, Simulator.VERILATOR).timeline


@pytest.fixture(scope="module")
def events(job):
    execution = executed(job, Simulator.MODEL)
    return list(timeline_events(job.compiled.program, reported(job, execution, Simulator.MODEL), execution.timeline))


def test_the_file_is_what_perfetto_reads(job, events):
    execution = executed(job, Simulator.MODEL)
    text = timeline_text(job.compiled.program, reported(job, execution, Simulator.MODEL), execution.timeline)
    assert json.loads(text)["traceEvents"] == events
    needed = {"X": {"dur", "cat"}, "C": set(), "M": set()}
    for event in events:
        assert {"name", "ph", "ts", "pid", "tid", "args"} | needed[event["ph"]] <= set(event)
        assert isinstance(event["ts"], int) and event["ts"] >= 0 and event.get("dur", 1) > 0
        if event["ph"] == "C":
            assert all(isinstance(value, int | float) for value in event["args"].values())
    named = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    engines = [unit.name for unit in job.compiled.program.covenant.units]
    assert list(named.values()) == ["layers", *(name + suffix for name in engines for suffix in ("", " waits"))]
    assert [e["args"]["name"] for e in events if e["name"] == "process_name"] == [f"{MODEL} on tiny (model)"]
    for tid in named:  # slices of a track follow one another
        slices = [(e["ts"], e["ts"] + e["dur"]) for e in events if e["ph"] == "X" and e["tid"] == tid]
        assert all(end <= begin for (_, end), (begin, _) in zip(slices, slices[1:], strict=False)), named[tid]
    assert {e["tid"] for e in events if e["ph"] == "X"} <= set(named)


def test_the_file_says_what_happened(job, events):
    program = job.compiled.program
    slices = [e for e in events if e.get("cat") == "instruction"]
    assert len(slices) == len(program.instructions)
    listing = {int(line.split()[0]): " ".join(line.split()[1:]).partition(" ;")[0] for line in program.listing().splitlines()
               if line[:6].strip().isdigit()}
    for event in slices:
        assert event["args"]["instruction"] == listing[event["args"]["index"]]
        assert event["name"].split() == [event["args"]["instruction"].split("[")[0].split()[0], "gemm"]
    waits = [e for e in events if e.get("cat") == "wait"]
    assert {e["args"]["cause"] for e in waits} == {"token", "empty"}
    for event in waits:
        if event["args"]["cause"] == "token":
            assert event["name"].startswith("token ") and "->" in event["args"]["signalled by"]
    tracks = {e["name"] for e in events if e["ph"] == "C"}
    used = {t for i in program.instructions for t in range(16) if i.header.waits >> t & 1}
    assert tracks == {"bus read %", "bus write %", *(f"token {t}" for t in used)}
    for name in tracks:
        values = [(e["ts"], next(iter(e["args"].values()))) for e in events if e["ph"] == "C" and e["name"] == name]
        assert values == sorted(values, key=lambda v: v[0]) and all(0 <= value <= 100 for _, value in values)
