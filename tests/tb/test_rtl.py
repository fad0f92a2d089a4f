"""The system bench around a small stand-in for the accelerator: images in and out, counts, marks, limits."""

import random
from pathlib import Path

import pytest

from tenon.hw.presets import preset
from tenon.hw.registers import COUNTERS, ENGINES, ErrorCode, registers
from tenon.tb import rtl, runner

pytestmark = pytest.mark.rtl

PARAMS = preset("edge8")
WORDS = 8  # bus words the stand-in copies
SIZE = WORDS * PARAMS.bus_bytes


@pytest.fixture(params=["verilator", "icarus"])
def simulator(request):
    if request.param == "icarus":
        request.getfixturevalue("icarus")
    return request.param


def stand_in() -> str:
    regs = registers(PARAMS)
    offsets = {"CONTROL": regs.offset("CONTROL"), "STATUS": regs.offset("STATUS"), "COUNTER": regs.offset("COUNTER"),
               "PROGRAM_LENGTH": regs.offset("PROGRAM_LENGTH"), "SOURCE": regs.offset("SEGMENT", 2),
               "TARGET": regs.offset("SEGMENT", 3)}
    text = (Path(__file__).parent / "copier.sv").read_text()
    text = text.replace("COUNTERS = 23", f"COUNTERS = {len(COUNTERS)}")
    return "".join(f"`define {name} {offset}\n" for name, offset in offsets.items()) + text


def run(runs, image, regions=(), **options):
    return rtl.run_rtl(stand_in(), PARAMS, runs, image=image, regions=regions, **options)


def test_many_runs_in_one_simulation(simulator):
    rng = random.Random(1)
    inputs = [rng.randbytes(SIZE) for _ in range(5)]
    runs = [rtl.Run(0, 1, (0, 0, 0x1000 + i * SIZE, 0x8000 + i * SIZE), cycle_limit=5000) for i in range(5)]
    seen = []
    result = run(runs, [(0x1000, b"".join(inputs))], [(0x8000 + i * SIZE, SIZE - 3) for i in range(5)],
                 simulator=simulator, progress=lambda *now: seen.append(now))
    for given, got in zip(inputs, result.regions, strict=True):
        assert got == bytes(255 - byte for byte in given)[:-3]
    for outcome in result.runs:
        assert outcome.error == ErrorCode.NONE
        # read request, its latency, the other beats, turn-round, write request; the same; response, interrupt
        assert outcome.cycles == 1 + 40 + (WORDS - 1) + 1 + 1 + 40 + (WORDS - 1) + 40 + 1
        assert [mark.index for mark in outcome.marks] == [3, 4]
        assert outcome.marks[1].cycle - outcome.marks[0].cycle == 40 + (WORDS - 1) + 40 + 1
        assert outcome.counters["CYCLES"] == outcome.cycles - 1
    assert result.cycles_per_second > 0


def test_stalls_change_cycles_and_nothing_else(simulator):
    data = random.Random(2).randbytes(SIZE)
    result = run([rtl.Run(0, 1, (0, 0, 0x40, 0x2000), cycle_limit=5000)], [(0x40, data)], [(0x2000, SIZE)],
                 simulator=simulator, dram=rtl.Dram(stall=50, jitter=30, seed=7))
    assert result.regions[0] == bytes(255 - byte for byte in data)
    assert result.runs[0].cycles > 150


def test_a_bus_error_is_an_outcome():
    result = run([rtl.Run(0, 1, (0, 0, 0x40, 0xF000_0000), cycle_limit=5000)], [(0x40, bytes(SIZE))])
    assert result.runs[0].error != ErrorCode.NONE


def test_the_cycle_limit_says_what_everyone_waits_for():
    with pytest.raises(rtl.Stuck) as caught:
        run([rtl.Run(0, 0, (0, 0, 0x40, 0x2000), cycle_limit=3000)], [(0x40, bytes(SIZE))])
    lines = str(caught.value).splitlines()
    assert lines[0] == "run 0 did not end within 3000 cycles; 0 instructions were dispatched"
    assert lines[1:] == [f"  {engine}: its next instruction waits for tokens 0, 2"
                         for engine in ENGINES]


def test_a_broken_bus_rule_is_an_error():
    with pytest.raises(runner.SimulationError, match=r"broke rules of the bus 1 times:\n.*AR is not an INCR burst"):
        run([rtl.Run(0, 2, (0, 0, 0x40, 0x2000), cycle_limit=5000)], [(0x40, bytes(SIZE))])


def test_misaligned_images_are_refused():
    with pytest.raises(ValueError, match=r"^address must be a multiple of the bus width, 8, not 0x41$"):
        run([], [(0x41, b"x")])


def test_modules_with_many_instances_are_found():
    text = "module row(a);\nendmodule\nmodule top(b);\n" + "".join(
        f"  row \\row_{i}  (\n    .a(b)\n  );\n" for i in range(4)) + "endmodule\n"
    assert rtl.repeated_modules(text) == ["row"]
