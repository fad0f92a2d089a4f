# amaranth: UnusedElaboratable=no
"""The memory module and the clock gate in simulation."""

import shutil
import subprocess

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.clockgate import ClockGate
from tenon.hw.memory import Memory
from tenon.tb.stream import Stream


class Gated(wiring.Component):
    """Counts the rising edges that a clock gate passes."""

    enable: In(1)
    test_enable: In(1)
    count: Out(16)

    def __init__(self, *, gated=True):
        self.is_gated = gated
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        gate = emit.instance(m, "gate", ClockGate(gated=self.is_gated))
        counter = emit.instance(m, "counter", Counter(), clock=gate.gated)
        m.d.comb += [gate.enable.eq(self.enable), gate.test_enable.eq(self.test_enable), self.count.eq(counter.count)]
        return m


class Counter(wiring.Component):
    count: Out(16)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.count.eq(self.count + 1)
        return m


class Store(wiring.Component):
    """A memory behind ports of its own."""

    def __init__(self, **sizes):
        self.sizes = sizes
        super().__init__({name: member for name, member in Memory(**sizes).signature.members.items()})

    def elaborate(self, platform):
        m = Module()
        memory = emit.instance(m, "memory", Memory(**self.sizes))
        m.d.comb += self.r_data.eq(memory.r_data)
        m.d.comb += [getattr(memory, n).eq(getattr(self, n)) for n in ("w_en", "w_addr", "w_data", "r_en", "r_addr")]
        return m


@pytest.mark.rtl
@pytest.mark.parametrize(("width", "depth", "lane"), [(32, 8, 8), (16, 5, 16), (64, 2, 4), (8, 1, 8)])
def test_memory(width, depth, lane):
    """A read gives what the word held before the cycle, and stays until the next read."""
    rng = np.random.default_rng(1)
    cycles, lanes = depth + 3000, width // lane
    w_addr, r_addr = (rng.integers(0, depth, cycles) for _ in range(2))
    w_en, r_en = rng.integers(0, 1 << lanes, cycles), rng.random(cycles) < 0.5
    w_addr[:depth], w_en[:depth], r_en[:depth + 1] = np.arange(depth), (1 << lanes) - 1, np.arange(depth + 1) == depth
    values = rng.integers(0, 2, (cycles, lanes, lane))
    words = np.packbits(np.pad(values.reshape(cycles, -1), ((0, 0), (0, -width % 32))).astype(np.uint8), axis=1,
                        bitorder="little").view("<u4")
    got = Stream(Store(width=width, depth=depth, lane_bits=lane)).run({
        "w_en": w_en, "w_addr": w_addr, "w_data": words, "r_en": r_en, "r_addr": r_addr})["r_data"]
    got = np.unpackbits(got.reshape(len(got), -1).astype("<u4").view(np.uint8), axis=1, bitorder="little")
    held, read, both = np.zeros((depth, lanes, lane), np.int64), None, 0
    for cycle in range(cycles):
        if read is not None:
            assert (got[cycle, :width] == read.ravel()).all(), f"cycle {cycle}"
        if r_en[cycle]:
            read = held[r_addr[cycle]].copy()
            both += w_en[cycle] and r_addr[cycle] == w_addr[cycle]
        written = w_en[cycle] >> np.arange(lanes) & 1 == 1
        held[w_addr[cycle]][written] = values[cycle][written]
    assert both > 50, "reads seldom met a write"


@pytest.mark.rtl
@pytest.mark.parametrize("gated", [True, False])
def test_clock_gate(gated):
    """The clock rises at the end of those cycles in which enable is high, or all clocks are to run for a test; of all cycles if
    there is no gate."""
    enable, test_enable = np.random.default_rng(1).random((2, 500)) < [[0.5], [0.25]]
    got = Stream(Gated(gated=gated)).run({"enable": enable, "test_enable": test_enable})["count"]
    passed = np.diff(got[1:501].astype(np.int64))  # before the first cycle the gate has seen no clock
    assert passed.tolist() == ((enable | test_enable)[1:] if gated else np.ones(499)).tolist()


_EDGES = """
module edges;
  reg clk = 0, enable = 0, test_enable = 0;
  wire gated;
  integer seed = 1;
  main_clock_gate gate (.clk(clk), .enable(enable), .test_enable(test_enable), .gated(gated));
  always #5 clk = !clk;
  always @(posedge clk) {test_enable, enable} <= #1 $random(seed);
  always @(gated) $display("%0t %b", $time, gated);
  initial #4000 $finish;
endmodule
"""


@pytest.mark.rtl
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is missing: apt-get install iverilog")
def test_the_latch_is_what_verilator_sees(tmp_path):
    """Verilator simulates a flip-flop at the falling edge in the latch's place: both pass the same edges, without a glitch."""
    module, text, _ = ClockGate().black_box("main")
    assert module == "main_clock_gate"
    (tmp_path / "edges.v").write_text(text + _EDGES)
    seen = []
    for defines in ([], ["-DVERILATOR"]):
        subprocess.run(["iverilog", "-g2005", "-Wall", *defines, "-o", "edges", "edges.v"], cwd=tmp_path, check=True)
        lines = subprocess.run(["vvp", "-n", "edges"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.splitlines()
        seen.append([line.split() for line in lines if line[0].isdigit()])
    assert seen[0] == seen[1] and len(seen[0]) > 300
    assert all(int(time) % 10 == (5 if value == "1" else 0) for time, value in seen[0][1:]), "gated changes with clk alone"


def test_rejects():
    with pytest.raises(ValueError, match=r"^width must be a multiple of lane_bits = 3, not 8$"):
        Memory(width=8, depth=4, lane_bits=3)
