"""Windows of DRAM segments in RTL: a program that leaves them ends, and has asked for nothing outside."""

import random

import pytest

from tenon.hw.covenant import covenant
from tenon.hw.registers import ErrorCode
from tenon.tb.gateware import verilog_of
from tenon.tb.illegal_programs import segment_programs
from tenon.tb.random_programs import SEGMENT_BYTES
from tenon.tb.rtl import Dram, Run, run_rtl
from tenon.tb.stop_runs import SMALL

GRAPH = covenant(SMALL)
CODE, GAP = 0x1_0000, 4096  # bytes between the segments


@pytest.mark.rtl
def test_nothing_is_asked_for_outside():
    programs = list(segment_programs(GRAPH, random.Random(5)))
    assert len(programs) == 2 * 2 * len(GRAPH.segment_names)
    bases = tuple((SEGMENT_BYTES + GAP) * i + GAP for i in range(len(GRAPH.segment_names)))
    windows = [(base, SEGMENT_BYTES) for base in bases]
    image, runs = [], []
    for program in programs:
        place = CODE + 1024 * len(runs)
        image.append((place, program.image))
        runs.append(Run(place, program.length, bases, 50_000, sizes=(SEGMENT_BYTES,) * len(bases)))
    before = bytes(random.Random(1).randbytes(bases[-1] + SEGMENT_BYTES + GAP))
    result = run_rtl(verilog_of(SMALL), SMALL, runs, image=[(0, before), *image], regions=[(0, len(before))],
                     dram=Dram(latency=5, stall=20), bursts=True)
    moved = 0
    for program, run, outcome in zip(programs, runs, result.runs, strict=True):
        assert outcome.error is ErrorCode.SEGMENT, program.name
        for burst in outcome.bursts:
            end = burst.address + burst.beats * SMALL.bus_bytes
            places = windows if burst.write else [*windows, (run.program, len(program.image))]
            assert any(first <= burst.address and end <= first + size for first, size in places), program.name
            moved += burst.address < CODE
    assert moved > 10, "no program asks for anything before it leaves"
    after = result.regions[0]
    outside = [a for a in range(len(before)) if before[a] != after[a] and not any(first <= a < first + n for first, n in windows)]
    assert outside == []
