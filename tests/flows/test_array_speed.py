"""The bare array's speed is measured on what the generator makes."""

import pytest

from tenon.flows.bench.array_speed import array_cycles_per_second
from tenon.hw.presets import preset


@pytest.mark.rtl
def test_the_bare_array_runs():
    assert array_cycles_per_second(preset("tiny"), 2000) > 0
