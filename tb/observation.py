"""What the RTL did in a run, as the observer inside the simulation wrote it down: Verilog around it, and its file read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tenon.hw.accelerator import engine_classes
from tenon.hw.params import SystolicParams
from tenon.tb.timeline import Span, Timeline, Wait

__all__ = ["WINDOW", "observer", "read_observation"]

#: Cycles in which bus beats are counted together.
WINDOW = 64

# Places in an engine's line.
_PULSES = ("granted", "released", "done")
_STATE = ("head", "offered", "busy", "bank", "bus")
_BUSY = len(_PULSES) + _STATE.index("busy")
_ENGINE = """\
    tenon_engine_observer #(.ENGINE({index})) {name} (
        .clk(clk), .file(file), .on(on), .cycle(cycle),
        .pulses({{`DUT.queue_{name}.grant, `DUT.queue_{name}.e_release, `DUT.queue_{name}.e_done}}),
        .state({{`DUT.queue_{name}.head, `DUT.queue_{name}.i_valid, `DUT.counters.busy__{index},
                `DUT.counters.bank__{index}, `DUT.counters.bus__{index}}}));
"""


def observer(params: SystolicParams) -> str:
    """Module ``tenon_observer`` for an accelerator of ``params`` inside ``tenon_system``, which looks at ports of its
    parts by their paths: nothing is added to the accelerator itself."""
    engines = "".join(_ENGINE.format(index=i, name=name.lower()) for i, name in enumerate(engine_classes(params)))
    return f"""\
`define DUT tenon_system.dut
module tenon_observer(input logic clk, input logic [31:0] run, input logic ended);
    string path;
    int file;
    logic on;
    logic [31:0] cycle;
    initial begin
        file = 0;
        if ($value$plusargs("observe=%s", path)) file = $fopen(path, "w");
    end
    assign on = run == 0 && file != 0;
    assign cycle = `DUT.perf_counters[31:0];
{engines}    tenon_bus_observer #(.WINDOW({WINDOW})) bus (
        .clk(clk), .file(file), .on(on), .ended(ended), .cycle(cycle), .read(`DUT.counters.read_beat),
        .written(`DUT.counters.write_beat));
endmodule
`undef DUT
"""


def read_observation(path: Path, engines: Sequence[str], units: Sequence[str], cycles: int) -> Timeline:
    """The timeline of the run that ``path`` holds.

    Parameters
    ----------
    engines : sequence of str
        Names of the engines, in the order of the observers.
    units : sequence of str
        Engine of each instruction of the program, END not counted.
    cycles : int
        Length of the run.
    """
    lines: list[list[tuple[int, str]]] = [[] for _ in engines]
    beats: dict[int, tuple[int, int]] = {}
    for line in path.read_text().splitlines():
        cycle, who, *rest = line.split()
        if who == "bus":
            read, written = beats.get(int(cycle), (0, 0))
            beats[int(cycle)] = (read + int(rest[0]), written + int(rest[1]))
        else:
            lines[int(who)].append((int(cycle), rest[0]))
    spans, waits = [], []
    for engine, events in zip(engines, lines, strict=True):
        mine = [k for k, unit in enumerate(units) if unit == engine]
        spans += _spans(engine, mine, events)
        waits += _waits(engine, mine, events, cycles)
    return Timeline(cycles, tuple(sorted(spans, key=lambda s: s.index)), tuple(waits),
                    tuple((at, *beats[at]) for at in sorted(beats)), WINDOW)


def _spans(engine: str, mine: Sequence[int], events: Sequence[tuple[int, str]]) -> list[Span]:
    """Pulses come in order: the k-th of each kind belongs to the engine's k-th instruction. It is worked on from the
    first cycle in which the engine is busy, after it got its tokens and the instruction before it was done."""
    granted, released, done = ([at for at, bits in events if bits[i] == "1"] for i in range(len(_PULSES)))
    changes = [(at, bits[_BUSY] == "1") for at, bits in events]
    spans, place, before = [], 0, 0
    for index, grant, release, end in zip(mine, granted, released, done, strict=False):
        earliest = max(grant + 1, before)
        while place + 1 < len(changes) and (changes[place + 1][0] <= earliest or not changes[place][1]):
            place += 1
        before = end + 1
        spans.append(Span(index, engine, grant, max(earliest, changes[place][0]), release + 1, before))
    return spans


def _waits(engine: str, mine: Sequence[int], events: Sequence[tuple[int, str]], cycles: int) -> list[Wait]:
    """Waits as the performance counters count them."""
    waits: list[Wait] = []
    granted = 0
    for (begin, bits), (end, _) in pairwise([(0, "0" * (len(_PULSES) + len(_STATE))), *events, (cycles, "")]):
        head, offered, busy, bank, bus = (bit == "1" for bit in bits[len(_PULSES):])
        causes = {"bank": bank, "bus": bus, "token": not busy and head and not offered, "empty": not busy and not head}
        for cause, holds in causes.items():
            if holds and end > begin:
                waiting = mine[granted] if cause == "token" and granted < len(mine) else None
                waits.append(Wait(engine, cause, begin, end, end - begin, waiting))
        granted += bits[0] == "1"
    return waits
