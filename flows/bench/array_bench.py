"""The cocotb side of ``array_speed.sv``: waits until it has finished, and writes down how long that took."""

import os
import time
from pathlib import Path

import cocotb
from cocotb.triggers import RisingEdge


@cocotb.test()
async def timed(dut):
    """Seconds of wall-clock time from the start to the end."""
    began = time.perf_counter()
    await RisingEdge(dut.finished)
    Path(os.environ["TENON_SECONDS"]).write_text(str(time.perf_counter() - began))
