"""The cocotb side of a whole-system run: plays the host from a job file and writes down what happened.

The job (``$TENON_JOB``, JSON) names no register, only offsets of the AXI4-Lite port::

    {"runs": [{"writes": [[offset, value], ...], "start": [offset, value], "clear": [offset, value],
               "reads": [offset, ...], "cycle_limit": n, "may_stick": bool, "stop": [cycles, offset, value] or null,
               "poll": [offset, mask] or null}, ...],
     "result": path, "progress": path}

Each run writes, starts, sleeps until the interrupt or the cycle limit, reads and clears; one more write may stop it some
cycles after its start, if it has not ended by then; with ``poll`` the end is then that of a bit in a register. The result, JSON::

    {"runs": [{"cycles": n, "interrupt": bool, "wall_seconds": s, "values": [...], "stop": {...} or null}, ...], "violations": n}

``cycles`` count from the cycle that took the start command to the one that shows the interrupt. ``stop`` has, counted
alike, the cycles of the write that stopped the run, of its last request, and of the last in which something was owed on
the bus. A run that hits its limit is the last, unless it may stick: then the accelerator is reset, and the next one follows.
"""

import json
import os
import time
from pathlib import Path

import cocotb
from cocotb.triggers import FallingEdge, First, ReadOnly, RisingEdge, Timer

CLOCK_NS = 10
PROGRESS_CYCLES = 500_000


class Host:
    """A master of the AXI4-Lite port; drives and samples between the clock's rising edges."""

    def __init__(self, dut):
        self.dut = dut
        for name in ("awvalid", "awaddr", "wvalid", "wdata", "arvalid", "araddr", "run", "dump"):
            getattr(dut, name).value = 0
        dut.deadline.value = 2**64 - 1
        dut.bready.value = dut.rready.value = 1

    async def reset(self):
        self.dut.rst.value = 1
        for _ in range(4):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0
        await FallingEdge(self.dut.clk)

    async def write(self, offset, value) -> int:
        """Returns the cycle that took the write."""
        dut = self.dut
        dut.awaddr.value, dut.wdata.value = offset, value
        open_channels = {"aw", "w"}
        for channel in open_channels:
            getattr(dut, f"{channel}valid").value = 1
        answered = False
        for _ in range(1000):
            await ReadOnly()
            taken = {channel for channel in open_channels if getattr(dut, f"{channel}ready").value == 1}
            if taken:
                cycle = int(dut.cycle.value)
            answered = answered or dut.bvalid.value == 1
            await FallingEdge(dut.clk)
            for channel in taken:
                getattr(dut, f"{channel}valid").value = 0
            open_channels -= taken
            if answered and not open_channels:
                return cycle
        raise AssertionError(f"the register port does not answer a write to {offset:#x}")

    async def read(self, offset) -> int:
        dut = self.dut
        dut.araddr.value, dut.arvalid.value = offset, 1
        for _ in range(1000):
            await ReadOnly()
            taken = dut.arvalid.value == 1 and dut.arready.value == 1
            value = dut.rdata.value if dut.rvalid.value == 1 else None
            await FallingEdge(dut.clk)
            if taken:
                dut.arvalid.value = 0
            if value is not None:
                return int(value)
        raise AssertionError(f"the register port does not answer a read of {offset:#x}")


@cocotb.test()
async def job(dut):
    """Runs the job of the environment."""
    task = json.loads(Path(os.environ["TENON_JOB"]).read_text())
    progress = Path(task["progress"])
    host = Host(dut)
    await host.reset()
    done = []
    for number, run in enumerate(task["runs"]):
        dut.run.value = number
        for offset, value in run["writes"]:
            await host.write(offset, value)
        began = time.perf_counter()
        started = await host.write(*run["start"])

        async def sleep(cycles, number=number, started=started):
            dut.deadline.value = started + cycles
            await ReadOnly()
            while dut.wake.value == 0:
                await First(RisingEdge(dut.wake), Timer(CLOCK_NS * PROGRESS_CYCLES, unit="ns"))
                await ReadOnly()
                progress.write_text(f"{number} {int(dut.cycle.value) - started}\n")

        stop = None
        if run["stop"]:
            after, *write = run["stop"]
            await sleep(after)
            if dut.irq.value == 0:
                await FallingEdge(dut.clk)
                stop = {"written": await host.write(*write) - started}
        polled = bool(stop and run["poll"])
        if polled:
            while await host.read(run["poll"][0]) & run["poll"][1]:
                assert int(dut.cycle.value) < started + run["cycle_limit"], "a reset does not end"
        elif stop or not run["stop"]:
            await sleep(run["cycle_limit"])
        if stop:
            stop |= {name: int(getattr(dut, name).value) - started for name in ("requested", "answered")}
        ended, interrupt = int(dut.cycle.value), dut.irq.value == 1 or polled
        wall_seconds = time.perf_counter() - began
        await FallingEdge(dut.clk)
        dut.deadline.value = 2**64 - 1
        values = [await host.read(offset) for offset in run["reads"]]
        await host.write(*run["clear"])
        done.append({"cycles": ended - started, "interrupt": interrupt, "wall_seconds": wall_seconds,
                     "values": values, "stop": stop})
        if not interrupt:
            if not run["may_stick"]:
                break
            await host.reset()
    dut.dump.value = 1
    await FallingEdge(dut.clk)
    await FallingEdge(dut.clk)
    result = {"runs": done, "violations": int(dut.violations.value)}
    Path(task["result"]).write_text(json.dumps(result))
