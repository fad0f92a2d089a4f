"""A drive's covenant: rates by its parameters, and commands as they are on the wire."""

import json
from dataclasses import replace

import pytest

from tenon.hw.presets import preset
from tenon.hw.storage.covenant import drive_covenant
from tenon.hw.storage.nvme.commands import COMMANDS
from tenon.hw.storage.presets import drive


def test_rates_follow_what_binds():
    dscs8 = drive("dscs8")
    rate = drive_covenant(dscs8).rate("FLASH", "SLM")
    assert rate == pytest.approx(2 * 4096 / 2112), "two buses bind, a unit takes 2,112 words of each"
    slow = drive_covenant(replace(dscs8, read_ns=100_000)).rate("FLASH", "SLM")
    assert slow == pytest.approx(4 * 8192 * 4 / 100_000), "four dies bind"
    assert drive_covenant(replace(dscs8, host_bits=64)).rate("SLM", "HOST") == 8
    in_ram = drive_covenant(replace(dscs8, name="ram", ram_blocks=1, accelerator=preset("edge8")))
    assert in_ram.rate("RAM", "SLM") == 4 and in_ram.rate("RAM", "HOST") == 8, "a copy passes the port twice"
    with pytest.raises(KeyError, match="moves nothing from HOST to ACCELERATOR"):
        drive_covenant(dscs8).rate("HOST", "ACCELERATOR")


def test_commands():
    covenant = drive_covenant(drive("tiny"), fingerprint="ab")
    known = {c.name: c for c in COMMANDS}
    for promise in covenant.commands:
        assert promise.opcode == known[promise.name].opcode
        assert set(promise.fields) <= {f.name for f in known[promise.name].layout.fields}
    read = next(c for c in covenant.commands if c.name == "read")
    assert read.moved(slba=3, nlb=7) == 8 * 4096 and covenant.memory("FLASH").size == drive("tiny").units * 4096
    assert json.loads(covenant.to_json())["accelerator"] == "ab"


def test_latencies_are_of_what_data_pass():
    def latencies(**changes):
        return {c.name: c.latency for c in drive_covenant(replace(drive("dscs8"), **changes)).commands}

    usual, slow, in_ram = latencies(), latencies(read_ns=125_000), latencies(ram_blocks=1)
    assert slow["read"] - usual["read"] == slow["memory_copy"] - usual["memory_copy"] == 100_000 // 4 and slow["write"] == usual["write"]
    assert in_ram["read"] < 1_100 and in_ram["memory_read"] == usual["memory_read"] and usual["execute_program"] is None
