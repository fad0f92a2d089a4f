"""Starts a bench around an ``engine_feed`` and waits for its end."""

import cocotb
from cocotb.triggers import RisingEdge


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def instructions(dut):
    await RisingEdge(dut.finished)
    assert not dut.hung.value, "not every instruction was done, or busy stays high"
    assert not dut.idle_when_busy.value, "busy was low while an instruction was in flight"
