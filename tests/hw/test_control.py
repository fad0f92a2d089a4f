# amaranth: UnusedElaboratable=no
"""The AXI4-Lite side in simulation: address and data in any order, byte strobes, answers that wait and that refuse, and resets."""

import dataclasses

import numpy as np
import pytest

from tenon.hw.control import Control
from tenon.hw.presets import preset
from tenon.hw.register_map import Access
from tenon.hw.registers import registers
from tenon.tb.stream import Stream

pytestmark = pytest.mark.rtl

PARAMS = preset("tiny")
LENGTH = registers(PARAMS).offset("PROGRAM_LENGTH")
CYCLES = 24


@pytest.fixture(scope="module")
def stream():
    return Stream(Control(PARAMS, 0x1234))


def written(stream, address_at, data_at, *, value=0x11223344, strobes=15, b_ready_at=0):
    """What PROGRAM_LENGTH holds at the end, and all outputs; address and data are each on offer for one cycle."""
    cycle = np.arange(CYCLES)
    outputs = stream.run({
        "s_axil_awvalid": cycle == address_at, "s_axil_awaddr": np.where(cycle == address_at, LENGTH, 0),
        "s_axil_wvalid": cycle == data_at, "s_axil_wdata": np.where(cycle == data_at, value, 0),
        "s_axil_wstrb": np.where(cycle == data_at, strobes, 0), "s_axil_bready": cycle >= b_ready_at})
    assert outputs["s_axil_awready"][address_at] and outputs["s_axil_wready"][data_at]
    return int(outputs["length"][CYCLES - 1]), outputs


@pytest.mark.parametrize(("address_at", "data_at"), [(3, 3), (3, 9), (9, 3)], ids=["together", "address first", "data first"])
def test_address_and_data_in_any_order(stream, address_at, data_at):
    value, outputs = written(stream, address_at, data_at)
    assert value == 0x11223344
    answers = np.flatnonzero(outputs["s_axil_bvalid"][:CYCLES])
    assert answers.tolist() == [max(address_at, data_at) + 2], "one answer, after both"


@pytest.mark.parametrize(("strobes", "value"), [(0, 0), (1, 0x44), (6, 0x223300), (8, 0x11000000), (15, 0x11223344)])
def test_only_strobed_bytes_are_written(stream, strobes, value):
    assert written(stream, 2, 2, strobes=strobes)[0] == value


def test_an_answer_waits_until_it_is_taken(stream):
    _, outputs = written(stream, 2, 3, b_ready_at=11)
    assert np.flatnonzero(outputs["s_axil_bvalid"][:CYCLES]).tolist() == list(range(5, 12))


SLOT = 8  # cycles of an access
REGISTERS = registers(PARAMS)
OKAY, SLVERR = 0, 2


def accesses(control, given, finish_after=()):
    """(response, data) of each access, (offset, value to write or None), and all outputs; the program ends after those numbered."""
    count = SLOT * len(given)
    inputs = {f"s_axil_{name}": np.zeros(count, int) for name in ("awvalid", "awaddr", "wvalid", "wdata", "wstrb", "arvalid", "araddr")}
    inputs |= {"s_axil_bready": np.ones(count, int), "s_axil_rready": np.ones(count, int), "finish": np.zeros(count, int)}
    for k, (offset, value) in enumerate(given):
        if value is None:
            inputs["s_axil_arvalid"][SLOT * k], inputs["s_axil_araddr"][SLOT * k] = 1, offset
        else:
            for name, held in (("awvalid", 1), ("awaddr", offset), ("wvalid", 1), ("wdata", value), ("wstrb", 15)):
                inputs[f"s_axil_{name}"][SLOT * k] = held
        inputs["finish"][SLOT * k + SLOT - 1] = k in finish_after
    outputs = control.run(inputs)
    answers = []
    for k, (_, value) in enumerate(given):
        channel = "r" if value is None else "b"
        at, = np.flatnonzero(outputs[f"s_axil_{channel}valid"][SLOT * k:SLOT * (k + 1)]) + SLOT * k
        answers.append((int(outputs[f"s_axil_{channel}resp"][at]), int(outputs["s_axil_rdata"][at]) if value is None else None))
    return answers, outputs


def test_every_word_answers_as_the_map_says(stream):
    """SLVERR for what is not there, and for writes of what can only be read."""
    known = {r.offset + 4 * i: r for r in REGISTERS.registers for i in range(r.count)}
    words = [*range(0, 0x200, 4), 0x1000, 0x1000 + 4 * PARAMS.markers - 4, 0x1000 + 4 * PARAMS.markers, 0x8000, 0xFFFC]
    control = REGISTERS.offset("CONTROL")
    for offset, (answer, data) in zip(words, accesses(stream, [(w, None) for w in words])[0], strict=True):
        assert answer == (OKAY if offset in known else SLVERR), f"read of {offset:#x}"
        assert offset in known or data == 0
    for offset, (answer, _) in zip(words, accesses(stream, [(w, 0 if w == control else ~w) for w in words])[0], strict=True):
        writable = offset in known and any(f.access is not Access.RO for f in known[offset].fields)
        assert answer == (OKAY if writable else SLVERR), f"write of {offset:#x}"


def setup_registers():
    return [REGISTERS.offset(r.name, i) for r in REGISTERS.registers if r.fields[0].access is Access.SETUP for i in range(r.count)]


def control_word(*names):
    return REGISTERS.offset("CONTROL"), sum(REGISTERS["CONTROL"].field(n).mask for n in names)


@pytest.mark.parametrize("bits", [32, 37, 40])
def test_what_a_run_depends_on_cannot_be_written_meanwhile(bits):
    control = Stream(Control(dataclasses.replace(PARAMS, address_bits=bits), 0))
    offsets = setup_registers()
    assert len(offsets) == 3 + 4 * 4
    high = {REGISTERS.offset(r.name, i) for r in REGISTERS.registers if r.name.endswith("_HIGH") for i in range(r.count)}
    first, second = ([(o, seed * (o + 1) & 0xFFFF_FFFF) for o in offsets] for seed in (0x0123_4567, 0x89AB_CDEF))
    reads, status = [(o, None) for o in offsets], (REGISTERS.offset("STATUS"), None)
    answers, outputs = accesses(control, [*first, control_word("START"), *second, status, *reads, *second, status, *reads],
                                finish_after={2 * len(offsets) + 1 + len(offsets)})
    n = len(offsets)
    before, (start, *locked), (busy, *kept), after, (idle, *changed) = (
        answers[:n], answers[n:2 * n + 1], answers[2 * n + 1:3 * n + 2], answers[3 * n + 2:4 * n + 2], answers[4 * n + 2:])
    assert {a for a, _ in (*before, start, *after)} == {OKAY} and {a for a, _ in locked} == {SLVERR}
    assert (busy[1], idle[1]) == (REGISTERS["STATUS"].field("BUSY").mask, REGISTERS["STATUS"].field("DONE").mask)
    for written, found in ((first, kept), (second, changed)):
        assert found == [(OKAY, value & ((1 << bits - 32) - 1 if offset in high else 0xFFFF_FFFF)) for offset, value in written]
    assert outputs["start"].sum() == 1


def test_stop_and_reset(stream):
    """STOP acts on a run alone; RESET waits for the run's end, and leaves nothing behind."""
    offsets, status = [*setup_registers(), REGISTERS.offset("CONTROL")], (REGISTERS.offset("STATUS"), None)
    writes, reads = [(o, 0xFFFF_FF00) for o in offsets[:-1]], [(o, None) for o in offsets]
    power_on, _ = accesses(stream, reads)
    answers, outputs = accesses(stream, [
        control_word("STOP"), *writes, control_word("START", "IRQ_ENABLE"), control_word("STOP"),
        control_word("RESET", "IRQ_ENABLE"), control_word("START"), status, status, status, *reads], finish_after={len(writes) + 5})
    at = SLOT * (len(writes) + 1)
    assert np.flatnonzero(outputs["stop"]).tolist() == [at + SLOT + 2, at + 2 * SLOT + 2]
    assert outputs["start"].sum() == 1, "what is being reset does not start"
    assert np.flatnonzero(outputs["reset"]).tolist() == [at + 5 * SLOT + 1]
    (_, running), (_, resetting), (_, idle), *left = answers[len(writes) + 5:]
    assert (running, resetting, idle) == (1, 1, 0) and left == power_on
    assert {a for a, _ in answers} == {OKAY}
    assert not outputs["irq"].any()
