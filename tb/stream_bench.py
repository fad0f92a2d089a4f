"""Starts ``stream_bench`` and waits until the last operand has passed."""

import os

import cocotb
from cocotb.triggers import RisingEdge


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def stream(dut):
    await RisingEdge(dut.finished)
    assert dut.cycles.value.to_unsigned() == int(os.environ["EXPECTED_CYCLES"]), "the operand file was cut short"
