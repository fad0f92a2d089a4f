"""The cocotb side of ``channel_bench.sv``: programs blocks in order, reads units at random and units of one page, erases, and notes what
came back.

The job (``$TENON_CHANNEL_JOB``, JSON) has ``dies``, ``blocks``, ``pages``, ``units`` (of a page), ``reads``, ``seed``, ``result``; unit n
of the program is at n * 4096 of the memory, what is read n-th goes to ``target`` + n * 4096.
"""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

READ, PROGRAM, ERASE = 0, 1, 2


@cocotb.test()
async def operations(dut):
    """Random operations on all dies."""
    task = json.loads(Path(os.environ["TENON_CHANNEL_JOB"]).read_text())
    rng = random.Random(task["seed"])
    dut.i_valid.value, dut.dump.value, dut.rst.value = 0, 0, 1
    for _ in range(4):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    waiting, results, tag = {}, [], 0
    written, source, reads, next_page = {}, 0, 0, {}
    pending = []

    def fields(die, op, row, unit=0, more=0, addr=0, lba=0, sequence=0):
        nonlocal tag
        tag = (tag + 1) % 65536
        return dict(die=die, op=op, row=row, unit=unit, more=more, addr=addr, lba=lba, sequence=sequence, tag=tag)

    while reads < task["reads"] or waiting or pending:
        if not pending and reads < task["reads"] and len(waiting) < 6:
            die, block = rng.randrange(task["dies"]), rng.randrange(task["blocks"])
            page = next_page.get((die, block), 0)
            kind = rng.random()
            if kind < 0.35 and page < task["pages"] and source < task["sources"]:
                row = block * task["pages"] + page
                next_page[die, block] = page + 1
                for unit in range(task["units"]):
                    lba, sequence = rng.getrandbits(48), rng.getrandbits(48)
                    pending.append(fields(die, PROGRAM, row, unit, unit < task["units"] - 1, source * 4096, lba, sequence))
                    written[die, row, unit] = (source, lba, sequence)
                    source += 1
            elif kind < 0.41 and page:
                pending.append(fields(die, ERASE, block * task["pages"]))
                next_page[die, block] = 0
                written = {k: v for k, v in written.items() if k[0] != die or k[1] // task["pages"] != block}
            else:
                candidates = [k for k in written if k[0] == die]
                unit = rng.choice(candidates) if candidates and rng.random() < 0.9 else None
                if unit is None:
                    unit = die, task["blocks"] * task["pages"] - 1, 0
                    if unit in written:
                        continue
                for _ in range(min(rng.choice([1, 1, 2, 3, 6]), task["reads"] - reads)):  # some of one page, one behind the other
                    pending.append(fields(*unit[:1], READ, unit[1], unit[2], addr=task["target"] + 4096 * reads))
                    pending[-1]["due"] = written.get(unit)
                    pending[-1]["number"] = reads
                    reads += 1
                    unit = *unit[:2], rng.randrange(task["units"])
        if not pending and dut.o_valid.value == 0:  # until something ends
            dut.i_valid.value = dut.o_ready.value = 0
            await RisingEdge(dut.o_valid)
            await FallingEdge(dut.clk)
        dut.i_valid.value, dut.o_ready.value = bool(pending), 1
        if pending:
            for name in ("die", "op", "row", "unit", "more", "addr", "lba", "sequence", "tag"):
                getattr(dut, f"i_{name}").value = pending[0][name]
        await ReadOnly()
        if pending and dut.i_ready.value == 1:
            given = pending.pop(0)
            if not given["more"]:
                waiting[given["tag"]] = given
        if dut.o_valid.value == 1:
            ended = waiting.pop(int(dut.o_tag.value))
            results.append({"op": ended["op"], "status": int(dut.o_status.value), "errors": int(dut.o_errors.value),
                            "meta": [int(dut.o_lba.value), int(dut.o_sequence.value)], "due": ended.get("due"),
                            "number": ended.get("number")})
        assert int(dut.cycle.value) < 2_000_000, f"{len(waiting)} operations do not end"
        await FallingEdge(dut.clk)
    dut.dump.value = 1
    await FallingEdge(dut.clk)
    found = {"results": results, "broken": int(dut.broken.value), "violations": int(dut.violations.value), "cycles": int(dut.cycle.value)}
    Path(task["result"]).write_text(json.dumps(found))
