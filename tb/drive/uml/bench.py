"""The cocotb side of a run with a guest: it resets the drive, and sleeps until the guest is gone."""

import json
import os
from pathlib import Path

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge


@cocotb.test()
async def guest(dut):
    """Until the guest's end."""
    for name in ("request", "write", "address", "value", "msix_mask", "msix_enable"):
        getattr(dut, name).value = 0
    dut.deadline.value = 2**64 - 1
    dut.reset.value = 1
    for _ in range(4):
        await FallingEdge(dut.clk)
    dut.reset.value = 0
    await ReadOnly()
    if dut.gone.value != 1:
        await RisingEdge(dut.gone)
        await ReadOnly()
    result = {"cycles": int(dut.cycle.value), "time_ns": int(dut.time_ns.value), "messages": int(dut.messages.value),
              "violations": int(dut.violations.value)}
    Path(json.loads(Path(os.environ["TENON_DRIVE_JOB"]).read_text())["result"]).write_text(json.dumps(result))
    assert result["violations"] == 0, f"{result['violations']} broken rules of AXI4"
