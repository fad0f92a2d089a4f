"""A flash bus with its dies: units come back as they were programmed, whatever their bits do on the way; rules of the dies are kept."""

import json
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tenon.hw import emit
from tenon.hw.presets import preset
from tenon.hw.storage.flash.channel import FlashChannel, FlashOp
from tenon.hw.storage.flash.unit_reader import UnitStatus
from tenon.hw.storage.params import UNIT_BYTES
from tenon.hw.storage.presets import drive
from tenon.tb import runner

pytestmark = pytest.mark.rtl
TB = Path(__file__).parents[3] / "tb"
PAGES, BLOCKS, SOURCES, READS = 8, 3, 60, 120
SHAPES = {"tiny": drive("tiny"), "two units, four dies": replace(drive("dscs8"), name="four", dies=4, accelerator=preset("edge8"))}


@pytest.mark.parametrize(("shape", "errors"), [("tiny", 0), ("two units, four dies", 200_000)])
def test_random_operations(shape, errors, tmp_path):
    params = SHAPES[shape]
    sources = {"tenon_flash_channel.v": emit.verilog(FlashChannel(params), "tenon_flash_channel")}
    for name in ("dram.sv", "axi_rules.sv", "drive/nand.sv", "drive/nand.cpp", "drive/channel_bench.sv"):
        sources[Path(name).name] = (TB / name).read_text()
    parameters = {"MEMORY_BITS": params.memory_bits, "WORD_BYTES": params.flash_bytes_per_cycle, "DIES": params.dies,
                  "DIE_BITS": (params.dies - 1).bit_length(), "UNIT_BITS": max(1, (params.page_units - 1).bit_length()),
                  "PAGE_BYTES": params.page_bytes + params.spare_bytes, "PAGES": PAGES, "BLOCKS": BLOCKS}
    built = runner.build(sources, "channel_bench", parameters=parameters, timing=True)
    rng = random.Random(errors)
    data = rng.randbytes(SOURCES * UNIT_BYTES)
    target = 1 << 20
    (tmp_path / "data.bin").write_bytes(data)
    (tmp_path / "image.txt").write_text(f"0 {len(data)} data.bin\n")
    (tmp_path / "dump.txt").write_text(f"{target} {READS * UNIT_BYTES} read.bin\n")
    job = {"dies": params.dies, "blocks": BLOCKS, "pages": PAGES, "units": params.page_units, "reads": READS, "seed": 3 + errors,
           "target": target, "sources": SOURCES - params.page_units + 1, "result": str(tmp_path / "result.json")}
    (tmp_path / "job.json").write_text(json.dumps(job))
    log = runner.simulate(built, "tenon.tb.drive.channel_bench", folder=tmp_path, env={"TENON_CHANNEL_JOB": str(tmp_path / "job.json")},
                          plusargs=["+dram_image=image.txt", "+dram_dump=dump.txt", f"+nand_errors={errors}"])
    found = json.loads((tmp_path / "result.json").read_text())
    assert not found["broken"] and not found["violations"], [line for line in log.splitlines() if line.startswith("nand:")][:5]
    read, seen = (tmp_path / "read.bin").read_bytes(), Counter()
    for result in found["results"]:
        seen[FlashOp(result["op"]).name] += 1
        if result["op"] != FlashOp.READ:
            assert result["status"] == UnitStatus.GOOD
        elif result["due"] is None:
            assert result["status"] == UnitStatus.ERASED
            seen["blank"] += 1
        else:
            source, *meta = result["due"]
            assert result["status"] == UnitStatus.GOOD and result["meta"] == meta
            at = result["number"] * UNIT_BYTES
            assert read[at:at + UNIT_BYTES] == data[source * UNIT_BYTES:(source + 1) * UNIT_BYTES], f"read {result['number']}"
            seen["corrected"] += result["errors"] > 0
    assert seen["READ"] == READS and seen["PROGRAM"] > 10 and seen["ERASE"] > 0 and seen["blank"] > 0, seen
    pages, overlapped = map(int, re.search(r"nand: (\d+) reads, (\d+) of them while another page left", log).groups())
    assert overlapped > 5, "no read began while another page left its die"
    assert pages < 0.8 * READS, "units of one page are read one by one"
    assert (seen["corrected"] > 20) == (errors > 0), seen
