"""A drive with its firmware, in RTL, under a host that speaks NVMe."""

import pytest

from tenon.hw.storage.presets import drive
from tenon.tb.drive.system import run_drive

pytestmark = pytest.mark.rtl


def test_first_block():
    found = run_drive(drive("tiny"), "tenon.tb.drive.scenarios.first:first_block")
    assert found["blocks"] == drive("tiny").units and found["model"].strip() == "Tenon drive"
    assert found["commands"] == 6 and found["cycles"] < 30_000
