"""A drive with its firmware, in RTL, under a host that speaks NVMe."""

from dataclasses import replace

import pytest

from tenon.hw.storage.params import UNIT_BYTES
from tenon.hw.storage.presets import drive
from tenon.tb import runner
from tenon.tb.drive.data import Buffer
from tenon.tb.drive.host import Host
from tenon.tb.drive.system import run_drive
from tenon.tb.rtl import Dram

pytestmark = pytest.mark.rtl

_SCENARIOS = "tenon.tb.drive.scenarios"


def test_first_block():
    found = run_drive(drive("tiny"), f"{_SCENARIOS}.first:first_block")
    assert found["blocks"] == drive("tiny").units and found["model"].strip() == "Tenon drive"
    assert found["commands"] == 6 and found["cycles"] < 400_000  # most of them to look at all flash


DRIVES = {"tiny": drive("tiny"), "in RAM": replace(drive("dscs8"), name="dscs8_ram", ram_blocks=1)}


@pytest.mark.parametrize(("config", "queues", "entries", "stall", "commands"), [("tiny", 2, 8, 30, 160), ("in RAM", 5, 64, 20, 200)])
def test_random_traffic(config, queues, entries, stall, commands):
    found = run_drive(DRIVES[config], f"{_SCENARIOS}.traffic:random_traffic", host_stall=stall, seed=stall + 4, dram=Dram(stall=stall),
                      arguments={"commands": commands, "queues": queues, "depth": 4, "entries": entries})
    assert all(found["seen"][kind] > 2 for kind in ("read", "write", "write_zeroes", "dataset_management", "flush"))


def test_collection_under_bit_errors():
    """A small drive, so that its capacity is soon written twice; what was written is found again when power was gone."""
    params = replace(drive("tiny"), name="small", blocks=20, spare_percent=40)
    found = run_drive(params, f"{_SCENARIOS}.integrity:random_writes", seed=2, nand=["+nand_errors=60000", "+nand_failures=2000",
                                                                                     "+nand_bad=40"],
                      arguments={"writes": 450, "depth": 6, "verify": 0.1, "vectors": params.vectors, "power": True})
    assert found["blocks"] == params.units == 384 and found["seen"]["written"] >= 450
    assert found["seen"].get("unrecovered", 0) <= 3, "more bits are wrong than are sown"


@pytest.mark.parametrize("config", ["tiny", "dscs8"])
def test_malformed(config):
    found = run_drive(drive(config), f"{_SCENARIOS}.malformed:malformed", arguments={"config": config, "commands": 250}, seed=7)
    assert {"entries offset", "entries bus", "doorbell 0", "doorbell 1", "opcode", "register", "SUCCESS", "INVALID_FIELD",
            "DATA_TRANSFER_ERROR", "PRP_OFFSET_INVALID"} <= set(found["seen"])


async def read_into_what_is_not_described(host: Host, rights: int) -> None:
    """A read whose buffer the drive may not write."""
    await host.vectors(1)
    await host.enable()
    pair = await host.create_pair(1, 4, interrupts=False)
    pending = await host.submit(pair, None, Buffer(host.memory, UNIT_BYTES), rights=rights, opcode=2, nsid=1)
    await host.until(lambda: host.memory.read(pair.completions + 12, 4) != bytes(4), "a completion")
    await host.look()
    (await host.wait(pending)).check()


def test_the_oracle_sees_what_is_not_described():
    scenario = f"{__name__}:read_into_what_is_not_described"
    run_drive(drive("tiny"), scenario, arguments={"rights": 2})
    with pytest.raises(runner.SimulationError, match="accesses to what no command describes"):
        run_drive(drive("tiny"), scenario, arguments={"rights": 1})
