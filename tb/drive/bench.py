"""The cocotb side of ``run_drive``: a host, and the scenario that the job (``$TENON_DRIVE_JOB``, JSON) names."""

import importlib
import json
import os
import time
from pathlib import Path

import cocotb
from cocotb.triggers import FallingEdge

from tenon.tb.drive.host import Host
from tenon.tb.drive.memory import Arena, HostMemory


@cocotb.test()
async def scenario(dut):
    """Runs it to its end."""
    task = json.loads(Path(os.environ["TENON_DRIVE_JOB"]).read_text())
    memory = HostMemory(Path.cwd(), [Arena(base, pages) for base, pages in task["arenas"]], task["seed"])
    host = Host(dut, memory)
    await host.start()
    module, name = task["scenario"].split(":")
    began = time.process_time()
    found = await getattr(importlib.import_module(module), name)(host, **task["arguments"]) or {}
    await FallingEdge(dut.clk)
    host.finish()
    found |= {"cycles": host.cycle, "seconds": time.process_time() - began, "commands": host.ended}
    Path(task["result"]).write_text(json.dumps(found))
