# amaranth: UnusedElaboratable=no
"""The AXI4-Lite side in simulation: address and data in any order, byte strobes, and answers that wait."""

import numpy as np
import pytest

from tenon.hw.control import Control
from tenon.hw.presets import preset
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
