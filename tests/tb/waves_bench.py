"""Lets the system count a while."""

import cocotb
from cocotb.triggers import Timer


@cocotb.test()
async def counts(dut):
    dut.rst.value = 1
    await Timer(22, "ns")
    dut.rst.value = 0
    await Timer(1200, "ns")
