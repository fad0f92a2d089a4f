"""A counter's bench with one test of each outcome."""

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles


async def count(dut, cycles):
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    dut.rst.value = 1
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    await ClockCycles(dut.clk, cycles)
    return int(dut.q.value)


@cocotb.test()
async def counts(dut):
    assert await count(dut, 10) in (9, 10, 11)


@cocotb.test()
async def fails(dut):
    assert await count(dut, 10) == 99, "the counter is elsewhere"


@cocotb.test()
async def forever(dut):
    await count(dut, 10**9)
