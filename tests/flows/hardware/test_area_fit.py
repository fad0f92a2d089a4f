"""Samples of area, and what is fitted to them: features that are there are found, and the error is told as it is."""

import itertools
import json
import random
from dataclasses import replace

import pytest

from tenon.flows.area_model import AREA_NUMBER, model
from tenon.flows.area_model import fit as area_fit
from tenon.flows.area_model.fit import fit
from tenon.flows.area_model.sample import KINDS, Group, Sample, group_of, sample_of
from tenon.flows.bench import area_model as bench
from tenon.flows.bench.area_samples import fitted, held_out, variants
from tenon.flows.hardware.area import area_of
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset


def test_names_of_groups():
    names = {"tenon_skid_35_bits": "tenon_skid", "tenon_engine_queue_422_bits_waits": "tenon_engine_queue_waits",
             "tenon_fifo_2": "tenon_fifo", "tenon": "tenon", "tenon_lane_convert_y": "tenon_lane_convert_y"}
    assert {name: group_of(name) for name in names} == names


def test_sample(planted):
    """Of the planted design: a module that is there twice, and the memory with the module it is in."""
    sample = sample_of(preset("tiny"), planted, area_of(planted, "planted", "ecp5"))
    assert {name: group.instances for name, group in sample.groups.items()} == {"tenon": 1, "tenon_planted": 1, "tenon_quick": 2}
    assert sample.groups["tenon_quick"].counts["FF"] == 8 and sample.groups["tenon_planted"].counts["MULT18"] == 3
    assert sample.groups["tenon"].counts["DPR16X4"] == 12 and sample.groups["tenon"].counts["memory bits"] == 64 * 12
    for kind in KINDS:
        assert sum(group.counts[kind] for group in sample.groups.values()) == sample.total[kind]


def invented(cells, instances=lambda p: p.rows):
    """Samples of one kind of module, whose LUT4 are ``cells`` of the parameters."""
    samples = []
    for p in fitted():
        n = instances(p)
        groups = {"tenon_invented": Group(n, dict.fromkeys(KINDS, 0) | {"LUT4": n * cells(p)})} if n else {}
        samples.append(Sample(p, groups, dict.fromkeys(KINDS, 1000) | {"LUT4": max(1, n * cells(p))}))
    return samples


def test_fit_finds_what_is_there():
    samples = invented(lambda p: 7 + 3 * p.cols + 20 * (p.cols // p.lanes == 4))
    found = fit(samples)["tenon_invented"]
    assert found["instances"] == {"rows": 1}
    assert found["LUT4"] == pytest.approx({"1": 7, "cols": 3, "cols/lanes is 4": 20})
    assert bench.errors(bench.leave_one_out(samples))["LUT4"] == bench.Error(0, 0)


def test_fit_tells_its_error():
    """Noise of 10 %, which no feature explains: the left-out error is that of the noise, and few features are taken."""
    rng = random.Random(2)
    noise = {p.name: rng.choice([0.9, 1.1]) for p in fitted()}
    samples = invented(lambda p: noise[p.name] * 100 * p.cols)
    assert len(fit(samples)["tenon_invented"]["LUT4"]) <= 3
    error = bench.errors(bench.leave_one_out(samples))["LUT4"]
    assert 0.08 < error.mean < 0.2 and error.worst > 0.1
    assert bench.module_errors(bench.leave_one_out(samples))["tenon_invented"]["LUT4"] == pytest.approx(error.mean, rel=0.6)


def test_fit_takes_no_feature_that_one_sample_asks_for(monkeypatch):
    """A feature that few samples have would explain the odd one of them, and mislead where that one is left out."""
    few = {p.name: number for number, p in zip((1, 0.2, 0.2), fitted())}
    monkeypatch.setattr(area_fit, "features", lambda p: {"1": 1.0, "rows": float(p.rows), "few": few.get(p.name, 0.0)})
    samples = invented(lambda p: 1000 - 600 * (few.get(p.name) == 1), lambda p: 1)
    assert list(fit(samples)["tenon_invented"]["LUT4"]) == ["1"]


def test_fit_of_instances():
    assert fit(invented(lambda p: 5, lambda p: 4 + bool(p.window_taps)))["tenon_invented"]["instances"] == {"1": 4, "window": 1}
    with pytest.raises(ValueError, match=r"^instances of tenon_invented must follow from one number, not be \[16, 72, 68, "):
        fit(invented(lambda p: 5, lambda p: p.rows * p.cols + p.lanes * (p.bus_bits == 64)))


def test_samples():
    """The same ones each time, and none twice; the held-out ones are no part of the fit."""
    assert fitted() == fitted() and held_out() == held_out()
    assert all(p.name.startswith("fitted") or p == preset(p.name) for p in fitted())
    assert all(p.name.startswith("unseen") for p in held_out())
    alike = {replace(p, name="any") for p in (*fitted(), *held_out())}
    assert len(alike) == len(fitted()) + len(held_out())
    assert {name for p in variants() for name, value in p.to_dict().items() if value != getattr(preset("tiny"), name)} >= {
        "name", "address_bits", "weight_ports", "window_taps", "tables", "queue_depth", "max_outstanding", "burst_beats", "markers",
        "product_register", "clock_gating"}
    assert {(p.rows, p.cols) for p in fitted()} >= set(itertools.product((4, 32), repeat=2)) | {(8, 8), (16, 16)}
    assert {p.bus_bits for p in fitted()} == {32, 64, 128, 256} and {p.cols // p.lanes for p in fitted()} == {1, 2, 4}


def test_record_and_page():
    samples = invented(lambda p: 7 + 3 * p.cols)
    model_ = fit(samples)
    left_out, unseen = bench.leave_one_out(samples), [bench.predict(model_, sample) for sample in samples[:2]]
    made = json.loads(json.dumps(bench.record(model_, left_out, samples[:3], unseen, "a Yosys")))
    assert made["hardware"] == model.hardware_hash() and made["modules"]["tenon_invented"]["LUT4"] == pytest.approx({"1": 7, "cols": 3})
    assert {use: len(listed) for use, listed in made["samples"].items()} == {"left out": len(samples), "beside": 3, "held out": 2}
    assert SystolicParams(**made["samples"]["left out"][0]["params"]) == preset("tiny")
    text = bench.page(made, left_out, unseen)
    assert "| invented | 1 (rows) | 100.0 | 0.0 | 7 +3 (cols) |" in text and AREA_NUMBER in text
