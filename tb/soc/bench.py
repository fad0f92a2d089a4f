"""The cocotb side of the system with firmware: resets it, sleeps until the firmware has ended, writes down what happened.

The job (``$TENON_SOC_JOB``, JSON) is ``{"cycle_limit": n, "counts": names, "result": path}``; the result, JSON too, has ``ended``
(false: the limit was reached), ``exit_code``, ``cycles``, and the system's counters that ``counts`` names.
"""

import json
import os
from pathlib import Path

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge


@cocotb.test()
async def firmware(dut):
    """Runs the firmware to its end."""
    task = json.loads(Path(os.environ["TENON_SOC_JOB"]).read_text())
    dut.dump.value = 0
    dut.deadline.value = 2**64 - 1
    dut.rst.value = 1
    for _ in range(4):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    began = int(dut.cycle.value)
    dut.deadline.value = began + task["cycle_limit"]
    await ReadOnly()
    if dut.wake.value == 0:
        await RisingEdge(dut.wake)
        await ReadOnly()
    result = {"ended": dut.ended.value == 1, "exit_code": int(dut.exit_code.value), "cycles": int(dut.cycle.value) - began,
              **{name: int(getattr(dut, name).value) for name in task["counts"]}}
    await FallingEdge(dut.clk)
    dut.dump.value = 1
    await FallingEdge(dut.clk)
    Path(task["result"]).write_text(json.dumps(result))
