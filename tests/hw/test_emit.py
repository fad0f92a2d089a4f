# amaranth: UnusedElaboratable=no
"""Emission by parts: one module for equal parts, others for different ones, ports by the members' names."""

import re

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.clockgate import ClockGate
from tenon.hw.memory import Memory
from tenon.tb.stream import Stream


class AddStep(wiring.Component):
    """``o = i + step``, a cycle later; each of the pair in ``both`` likewise."""

    def __init__(self, step):
        self.step = step
        super().__init__({"i": In(8), "o": Out(8), "both": In(8).array(2), "sums": Out(8).array(2)})

    def elaborate(self, platform):
        m = Module()
        inner = Signal(8, reset_less=True)
        m.d.sync += [inner.eq(self.i + self.step), *(self.sums[n].eq(self.both[n] + self.step) for n in range(2))]
        m.d.comb += self.o.eq(inner)
        return m


class Pipeline(wiring.Component):
    """``o = i + 1 + 2 + 1`` three cycles later, out of parts that have parts."""

    i: In(8)
    o: Out(8)

    def elaborate(self, platform):
        m = Module()
        value = self.i
        for number, step in enumerate((1, 2, 1)):
            part = emit.instance(m, f"add{number}", AddStep(step))
            m.d.comb += [part.i.eq(value), part.both[0].eq(value), part.both[1].eq(part.sums[0])]
            value = part.o
        m.d.comb += self.o.eq(value)
        return m


class Pair(wiring.Component):
    """Two pipelines, one behind the other; the second has a clock of its own."""

    i: In(8)
    o: Out(8)
    other_clock: In(1)

    def elaborate(self, platform):
        m = Module()
        first = emit.instance(m, "first", Pipeline())
        second = emit.instance(m, "second", Pipeline(), clock=self.other_clock)
        m.d.comb += [first.i.eq(self.i), second.i.eq(first.o), self.o.eq(second.o)]
        return m


class Doubler(wiring.Component):
    """Twice ``i``, out of submodules that are no parts.

    Parameters
    ----------
    width : int
        Of no interest in Verilog.

    Members
    -------
    i, o : In(width), Out(width)
        Of one cycle.
    """

    def __init__(self, width):
        self.width = width
        super().__init__({"i": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.low = low = AddStep(1)
        m.submodules.high = high = AddStep(2)
        m.d.comb += [low.i.eq(self.i[:8]), high.i.eq(self.i[8:]), high.both[1].eq(self.i[3:7]), self.o.eq(low.o ^ high.o ^ high.sums[1])]
        return m


class Roled(AddStep):
    """Called after what it is for."""

    role = "counter"


def modules(text):
    return re.findall(r"^module (\w+)", text, re.M)


def test_equal_parts_are_one_module():
    text = emit.verilog(Pair(), "top")
    assert sorted(modules(text)) == ["tenon_add_step", "tenon_add_step_2", "tenon_pipeline", "top"]
    assert len(re.findall(r"^  tenon_add_step ", text, re.M)) == 2
    assert ".clk(other_clock)" in text
    assert text == emit.verilog(Pair(), "top")


def test_submodules_are_modules_with_ports_of_their_own():
    text = emit.verilog(Doubler(16), "double", prefix="mine")
    assert modules(text) == ["double_low", "double_high", "double"]
    low, high = (re.search(rf"^module double_{name}\((.*?)\);", text, re.M | re.S)[1] for name in ("low", "high"))
    assert sorted(low.replace(",", " ").split()) == sorted(high.replace(",", " ").split()) == sorted(
        ["i", "o", "both__0", "both__1", "sums__0", "sums__1", "clk", "rst"])
    assert re.search(r"^  double_low low \(.*\.o\(low_o\)", text, re.M | re.S), "the parent's signal is called after the part"


def test_two_parts_of_one_name():
    class Clash(wiring.Component):
        o: Out(8)

        def elaborate(self, platform):
            m = Module()
            emit.instance(m, "one", Roled(1))
            m.submodules.counter = AddStep(3)
            return m

    with pytest.raises(ValueError, match=r"^two parts would be modules called tenon_counter: name a submodule otherwise$"):
        emit.verilog(Clash(), "tenon")


def test_a_module_says_what_it_is():
    comment = emit.verilog(Doubler(16), "double").split("module double(")[0].rsplit("\n\n", 1)[1]
    assert comment.splitlines() == [
        "// Twice `i`, out of submodules that are no parts.", "//", "// Members", "// i, o : In(width), Out(width)",
        "//     Of one cycle.", "//", "// Here width = 16."]


def test_a_prefix_is_in_every_name():
    class Holder(wiring.Component):
        """All kinds of parts."""

        o: Out(8)

        def elaborate(self, platform):
            m = Module()
            part = emit.instance(m, "part", AddStep(1))
            memory = emit.instance(m, "memory", Memory(width=8, depth=4))
            emit.instance(m, "gate", ClockGate())
            m.submodules.inner = inner = Doubler(16)
            m.d.comb += self.o.eq(memory.r_data ^ part.o ^ inner.o)
            return m

    text = emit.verilog(Holder(), "left", prefix="left")
    assert len(modules(text)) == 7 and all(name.split("_")[0] == "left" for name in modules(text))
    assert "tenon_" not in text


def test_a_black_box_keeps_its_text():
    class Holder(wiring.Component):
        o: Out(8)

        def elaborate(self, platform):
            m = Module()
            for depth in (4, 8):
                memory = emit.instance(m, f"depth{depth}", Memory(width=8, depth=depth))
            m.d.comb += self.o.eq(memory.r_data)
            return m

    text = emit.verilog(Holder(), "top")
    assert modules(text).count("tenon_memory") == 1
    assert {int(d, 0) if "'" not in d else int(d.split("'")[1][1:], 16) for d in re.findall(r"\.DEPTH\(([^)]*)\)", text)} == {4, 8}


def test_instance_outside_an_emission():
    with pytest.raises(RuntimeError, match=r"^emit.instance is to be used inside emit.verilog$"):
        emit.instance(Module(), "part", AddStep(1))


@pytest.mark.rtl
def test_parts_work_together():
    values = np.arange(100) * 7 % 256
    got = Stream(Pipeline()).run({"i": values})["o"]
    np.testing.assert_array_equal(got[3:103], (values + 4) % 256)
