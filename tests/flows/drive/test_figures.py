"""What is made of a drive's measurements: figures of reads, a timeline, lines of a check."""

import json
from dataclasses import replace

import pytest

from tenon.flows.drive import bench, check
from tenon.flows.drive.bench import Load, limits, measure_reads
from tenon.flows.drive.check import Amounts, check_drive
from tenon.flows.drive.generate import generate_drive
from tenon.flows.drive.run import DriveRun, Span
from tenon.flows.drive.trace import trace_text
from tenon.flows.errors import UserError
from tenon.hw.storage.covenant import drive_covenant
from tenon.hw.storage.presets import drive
from tenon.tb.runner import SimulationError


def test_limits():
    found = limits(drive("dscs8"))
    assert found["dies"] == 160_000 and found["flash buses"] == pytest.approx(250e6 * 2 / 2112)
    assert found["memory"] == pytest.approx(250e6 / 1024) and found["host's bus"] == pytest.approx(250e6 / 256)
    assert set(limits(replace(drive("dscs8"), ram_blocks=1))) == {"memory", "host's bus"}


def test_reads(monkeypatch):
    spans = [(0, 1000 + 100 * k) for k in range(400)]
    monkeypatch.setattr(bench, "run_drive", lambda *_, **__: {"alone": {"spans": spans, "latencies": [e - b for b, e in spans]}})
    reads, network = measure_reads(drive("tiny"), Load(400, 8, 64))
    assert network is None and reads.per_second == pytest.approx(2.5e6)
    assert list(reads.microseconds.values()) == pytest.approx([83.6, 147.6, 162.0, 163.6])
    with pytest.raises(UserError, match="--depth must be at most 30, the room of 2 queues, not 40"):
        measure_reads(drive("tiny"), Load(400, 40, 64))
    with pytest.raises(UserError, match="--blocks must be at most 1474"):
        measure_reads(drive("tiny"), Load(400, 8, 5000))


def test_timeline():
    run = DriveRun("tiny", "net", 2, 1, 100, 50, 10, (), 0, 0, 0, {}, None, 0.0,
                   steps=(Span("copy", 1000, 1500), Span("copy", 1250, 1750), Span("read", 2000, 2100)),
                   parts=(Span("die 0, bus 0", 900, 1100), Span("die 0, bus 0", 100, 200), Span("host write", 2010, 2020)))
    events = json.loads(trace_text(run))["traceEvents"]
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert list(names.values()) == ["copy", "copy 2", "read", "die 0, bus 0", "host write"]
    spans = [(names[e["tid"]], e["ts"], e["dur"]) for e in events if e["ph"] == "X"]
    assert spans == [("copy", 0, 2), ("copy 2", 1, 2), ("read", 4, 0.4), ("die 0, bus 0", 0, 0.4), ("host write", 4.04, 0.04)]


def test_check(monkeypatch):
    promised = drive_covenant(drive("tiny"))
    found = {"cycles": 7, "seen": {"written": 147, "read": 5}, "rates": {"FLASH SLM": 0.95 * promised.rate("FLASH", "SLM")},
             "latencies": {c.name: c.latency for c in promised.commands}}
    asked = []
    monkeypatch.setattr(check, "run_drive", lambda params, scenario, **rest: asked.append((scenario, rest["arguments"])) or found)
    lines = list(check_drive(drive("tiny"), Amounts(1, 2, 3, 0.1), 1))
    assert [line.partition(":")[0] for line in lines] == [
        "traffic", "histories", "FLASH to SLM", "read alone", "write alone", "memory_read alone", "memory_write alone", "memory_copy alone",
        "malformed", "integrity"]
    assert "147 blocks written" in lines[-1] and "95.0 % of 1.96" in lines[2]
    found["latencies"]["read"] *= 2
    with pytest.raises(SimulationError, match="read alone: .* cycles, 200.0 % of .*; it must be 85 to 115 %"):
        list(check_drive(drive("tiny"), Amounts(1, 2, 3, 0.1), 1))
    found["rates"]["FLASH SLM"] *= 0.8
    with pytest.raises(SimulationError, match="76.0 % of 1.96 that the covenant says; it must be 85 to 102 %"):
        list(check_drive(drive("tiny"), Amounts(1, 2, 3, 0.1), 1))


def test_generated(tmp_path):
    files = {path.name: path for path in generate_drive(drive("tiny"), tmp_path / "out")}
    assert {"tenon_drive.v", "vexriscv.v", "acg.json", "drive.json", "nvme_wire.h", "registers.md", "structures.md"} <= set(files)
    assert json.loads(files["drive.json"].read_text())["accelerator"] == json.loads(files["acg.json"].read_text())["fingerprint"]
