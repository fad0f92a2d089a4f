"""The committed area model: what it says against what was counted, here and when it was fitted; and its properties."""

import dataclasses
import json
import random
import time
from collections import Counter

import pytest

from tenon.flows.area_model import AREA_NUMBER, area_model, area_number, model
from tenon.flows.area_model.sample import KINDS
from tenon.flows.bench.area_model import DATA
from tenon.flows.hardware.analysis import design_of
from tenon.flows.hardware.counted import counted
from tenon.hw.params import ParameterError, SystolicParams
from tenon.hw.presets import preset

MADE = json.loads(DATA.read_text())
COUNTED = {sample["params"]["name"]: sample for samples in MADE["samples"].values() for sample in samples}
EXACT = ("MULT18", "memory bits")


def total(params):
    return area_model().predict(params).total.counts


def drawn(count):
    """Valid configurations of what exploration varies, without end."""
    rng = random.Random(1)
    while count:
        cols = rng.choice([4, 8, 16, 32])
        sizes = {f"{memory}_bytes": 1 << rng.randint(11, 18) for memory in ("activation", "weight", "accumulator", "vector", "parameter")}
        try:
            yield SystolicParams(rows=rng.choice([4, 8, 16, 32]), cols=cols, lanes=cols // rng.choice([1, 2, 4]),
                                 bus_bits=rng.choice([32, 64, 128, 256]), window_taps=rng.choice([0, 3]), **sizes)
            count -= 1
        except ParameterError:
            continue


@pytest.mark.parametrize("name", ["tiny", "edge8", "edge8_ecp5", "edge16", "edge16_small"])
def test_presets(name):
    """A preset that has changed since is refused by name: the model is to be fitted again."""
    sample = COUNTED[name]
    params = SystolicParams(**sample["params"])
    said = total(params)
    assert all(said[kind] == sample["counts"][kind] for kind in EXACT)
    for kind, most in {"FF": 0.01, "LUT4": 0.03, "CCU2C": 0.03, "EBR": 0.02, "DPR16X4": 0.03}.items():
        assert said[kind] == pytest.approx(sample["counts"][kind], rel=most), kind


def test_stated_errors_are_within_the_bars():
    """Of configurations that were left out: multipliers and memory bits exact, flip-flops to 3 %, LUT4 to 8 %."""
    error = area_model().error
    assert [error[kind].worst for kind in EXACT] == [0, 0]
    assert error["FF"].worst <= 0.03 and error["LUT4"].worst <= 0.08
    assert len(MADE["samples"]["left out"]) >= 30 and len(MADE["samples"]["held out"]) >= 8
    for sample in MADE["samples"]["held out"]:
        said = total(SystolicParams(**sample["params"]))
        assert all(said[kind] == sample["counts"][kind] for kind in EXACT)
        assert said["FF"] == pytest.approx(sample["counts"]["FF"], rel=0.03)
        assert said["LUT4"] == pytest.approx(sample["counts"]["LUT4"], rel=0.08)


def test_today_s_hardware():
    """Modules of ``tiny`` that are synthesised here and now."""
    tiny = preset("tiny")
    design = design_of(tiny)
    said = {module.module: module for module in area_model().predict(tiny).modules}
    for name in ("tenon_systolic_row", "tenon_window_lane", "tenon_lane_multiply"):
        cells = counted(design, name)
        assert said[name].instances == design.instances()[name]
        for kind, cell in {"FF": "TRELLIS_FF", "LUT4": "LUT4", "MULT18": "MULT18X18D"}.items():
            assert said[name].counts[kind] == pytest.approx(cells[cell], rel=0.02)


def test_more_is_never_less():
    """Twice the rows or columns: nothing falls that grows with the array, but LUT4 by a few percent: those that choose a word of a line
    where words are lines now, and those by which weights enter by columns where there are more rows than columns now. Twice a memory:
    more bits."""
    compared = Counter()
    for p in drawn(300):
        before = total(p)
        grown = {"rows": {"rows": 2 * p.rows}, "cols": {"cols": 2 * p.cols, "lanes": 2 * p.lanes}}
        grown |= {name: {name: 2 * getattr(p, name)} for name in SystolicParams.domains() if name.endswith("_bytes")}
        for name, change in grown.items():
            if max(change.get("rows", 0), change.get("cols", 0)) > 32:
                continue
            try:
                after = total(dataclasses.replace(p, **change))
            except ParameterError:
                continue
            compared[name] += 1
            if name in ("rows", "cols"):
                for kind, least in {"MULT18": 1, "FF": 1, "CCU2C": 1, "LUT4": 0.93}.items():
                    assert after[kind] > least * before[kind], (p, name, kind)
            else:
                assert after["memory bits"] > before["memory bits"] and after["MULT18"] == before["MULT18"]
            assert area_number(after) > (1 if name in ("rows", "cols") else 0.98) * area_number(before), (p, name)
    assert len(compared) == 7 and min(compared.values()) > 20


def test_quick():
    """Less than 5 ms a configuration."""
    configurations = list(drawn(50))
    area_model().predict(configurations[0])
    start = time.process_time()
    for params in configurations:
        area_model().predict(params)
    assert time.process_time() - start < 50 * 0.005


def test_the_sum_is_that_of_the_modules():
    area = area_model().predict(preset("edge16"))
    assert (area.technology, area.config) == ("ecp5", "edge16") and area.modules[0].module == "tenon_fused_multiply_add"
    for kind in KINDS:
        assert area.total.counts[kind] == pytest.approx(sum(m.instances * m.counts[kind] for m in area.modules), rel=1e-4, abs=1)
    json.loads(area.to_json())


def test_conditions(monkeypatch):
    """It says that it is a model; and what it was not fitted to."""
    said = area_model().predict(preset("edge8")).conditions
    assert said.startswith(f"a model, fitted on {MADE['date']} to ") and MADE["yosys"] in said and "beyond" not in said
    assert ("older hardware" in said) == (model.hardware_hash() != MADE["hardware"])
    assert area_model().predict(SystolicParams(rows=64, activation_bytes=2**18, accumulator_bytes=2**19)).conditions.endswith(
        "beyond what it was fitted to: rows = 64, accumulator_bytes = 524288")
    assert area_model().predict(preset("edge16")).conditions.endswith("beyond what it was fitted to: accumulator_banks = 4")
    monkeypatch.setattr(model, "hardware_hash", lambda: "another")
    assert "; fitted to an older hardware" in area_model().predict(preset("tiny")).conditions


def test_area_number():
    counts = dict(zip(("LUT4", "CCU2C", "FF", "MULT18", "EBR", "DPR16X4"), (1, 10, 100, 1000, 10_000, 100_000)))
    assert AREA_NUMBER == "LUT4 + 2 CCU2C + FF + 6 DPR16X4 + 536 MULT18 + 402 EBR"
    assert area_number(counts) == 1 + 20 + 100 + 536_000 + 4_020_000 + 600_000
