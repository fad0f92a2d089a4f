"""Configurations side by side, and the large one: the commands on something small."""

from dataclasses import replace

import pytest

from tenon.flows.bench import large
from tenon.flows.bench.configurations import FAMILIES, NETWORKS, Configuration, table
from tenon.hw.presets import preset


def test_families_differ_in_lanes_alone():
    for family in FAMILIES:
        assert len({replace(params, name="one", lanes=params.cols) for params in family}) == 1
        assert [params.lanes for params in family] == sorted({params.lanes for params in family}, reverse=True)


def test_table():
    """Of two, the second has a quarter of the gates, and takes twice the cycles: a product of a half."""
    first = Configuration(preset("edge8"), dict.fromkeys(NETWORKS, 1000), 200_000.0, 90_000.0, 250.0, {"LUT4": 5000, "FF": 4, "MULT18": 3})
    second = replace(first, cycles=dict.fromkeys(NETWORKS, 2000), gates=50_000.0, lane_gates=5_000.0)
    head, _, *rows = table([[first, second]]).splitlines()
    assert len({line.count("|") for line in (head, *rows)}) == 1
    assert rows[0].startswith("| edge8 | 200 | 45 % | 250 | 5,000 | 4 | 3 | 1,000 |") and rows[0].endswith(" | 1.00 |")
    assert rows[1].startswith("| edge8 | 50 | 10 % |") and rows[1].endswith("| 2,000 | 0.50 |")


@pytest.mark.rtl
def test_large_on_something_small(monkeypatch):
    monkeypatch.setattr(large, "LARGE", preset("tiny"))
    monkeypatch.setattr(large, "MODEL", "zoo:digits")
    found = large.measure_large(lambda text: None)
    assert found.cycles > 1000 and found.elements > 0 and found.mismatches == 0
    assert found.characters > 100_000 and 0 < found.verilog_seconds < 60 and found.translate_seconds > 0.5
