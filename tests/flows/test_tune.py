"""tenon tune: logs, going on with them, and mappings that are replayed."""

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from tenon.compiler.errors import CompileError
from tenon.compiler.mapping import NetworkMapping
from tenon.compiler.network import Network
from tenon.compiler.timing import time_program
from tenon.compiler.tune import TUNERS, Measure, NetworkSpace
from tenon.flows import cli
from tenon.flows import tune as tuning
from tenon.flows.cli import main
from tenon.flows.compile import read_source
from tenon.flows.errors import UserError
from tenon.flows.source import open_source
from tenon.flows.tune import read_mappings, tune
from tenon.flows.tune_measure import By, measure_by
from tenon.hw.presets import preset
from tenon.tb.gateware import graph_of


@pytest.fixture(scope="module")
def network():
    graph, _ = read_source(open_source("zoo:digits"))
    return Network(graph, graph_of(preset("edge8")), schedule="optimal", on_chip=True)


def tenon(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def refused(result, *words):
    lines = [line for line in result.output.splitlines() if not line.endswith(" ...")]
    assert result.exit_code == 2 and len(lines) == 1, result.output
    assert all(word in lines[0] for word in words), lines[0]


def test_it_finds_less(network):
    found = tune(network, "digits", tuner="anneal", budget=160)
    assert len(found.measurements) == 160 and found.measurements[0].cycles == found.start_cycles
    assert found.cycles == min(m.cycles for m in found.measurements if m.cycles is not None) < found.start_cycles
    program = network.placed(found.mapping.places).program(found.mapping.layers)
    assert time_program(program.covenant, program.instructions).cycles == found.cycles


def test_what_is_measured_is_what_compiling_gives(network):
    """Whatever was measured before, and where two layers have the same choices; constants lie elsewhere then."""
    space = NetworkSpace(network)
    measure, rng, seen, alike = Measure(space), np.random.default_rng(2), 0, 0
    start = space.point(NetworkMapping({layer.name: network.searched(n, 1) for n, layer in enumerate(network.layers)}))
    first, second = space.slices[1], space.slices[3]
    for k in range(60):
        point = list(space.mutated(start, rng))
        if k % 2:
            both = zip(point[first], space.sizes[first], space.sizes[second], strict=True)
            point[first] = point[second] = [min(option, one - 1, other - 1) for option, one, other in both]
        if not space.fits(tuple(point)):
            continue
        cycles, mapping = measure(tuple(point)).cycles, space.mapping(tuple(point))
        program = network.placed(mapping.places).program(mapping.layers)
        assert time_program(program.covenant, program.instructions).cycles == cycles
        seen, alike = seen + 1, alike + (point[first] == point[second])
    assert seen >= 30 and alike >= 10


@pytest.mark.parametrize("interrupted_at", [3, 70])
def test_going_on_is_as_if_nothing_had_been(network, tmp_path, interrupted_at):
    whole = tune(network, "digits", tuner="release", budget=90, log=tmp_path / "whole")

    def interrupt(line):
        if line.startswith(f"measured {interrupted_at} "):
            raise KeyboardInterrupt

    log = tmp_path / "log"
    with pytest.raises(KeyboardInterrupt):
        tune(network, "digits", tuner="release", budget=90, log=log, progress=interrupt)
    assert len(log.read_text().splitlines()) == 1 + interrupted_at
    with log.open("a") as stream:
        stream.write('{"point": [1, 2')  # what it was about to say
    again = tune(network, "digits", tuner="release", budget=90, log=log, resume=True)
    assert [(m.point, m.cycles) for m in again.measurements] == [(m.point, m.cycles) for m in whole.measurements]
    lines = log.read_text().splitlines()
    assert len(lines) == 91 and len({tuple(json.loads(line)["point"]) for line in lines[1:]}) == 90, "nothing was measured twice"


def test_logs_that_are_not_ours(network, tmp_path):
    log = tmp_path / "log"
    tune(network, "digits", tuner="descent", budget=2, log=log)
    with pytest.raises(UserError, match="exists; go on with it by --resume"):
        tune(network, "digits", tuner="descent", budget=2, log=log)
    for words, changed in (("another model: digits, not other", {"model": "other"}), ("another tuner: descent", {"tuner": "random"}),
                           ("another seed: 1, not 2", {"seed": 2})):
        with pytest.raises(UserError, match=words):
            tune(network, **{"model": "digits", "tuner": "descent", **changed}, budget=2, log=log, resume=True)
    off_chip = Network(read_source(open_source("zoo:digits"))[0], graph_of(preset("edge8")), schedule="optimal")
    with pytest.raises(UserError, match="another space of mappings, which has changed since"):
        tune(off_chip, "digits", tuner="descent", budget=2, log=log, resume=True)
    text = log.read_text()
    for broken, words in ((text.replace("tenon tuning", "other"), "is no log of tenon tune"), (b"\xff\xfe", "cannot be read"),
                          (text.replace('{"point"', '{"dot"', 1), "line 2 is no measurement")):
        log.write_bytes(broken if isinstance(broken, bytes) else broken.encode())
        with pytest.raises(UserError, match=words):
            tune(network, "digits", tuner="descent", budget=2, log=log, resume=True)


def test_command(tmp_path):
    best, log = tmp_path / "best.json", tmp_path / "tune.jsonl"
    ask = ("tune", "zoo:digits", "--config", "edge8", "--on-chip", "--tuner", "descent", "--log", log, "-o", best)
    done = tenon(*ask, "--budget", 150)
    assert done.exit_code == 0 and "descent" in done.output, done.output
    cycles = min(json.loads(line)["cycles"] for line in log.read_text().splitlines()[1:])
    done = tenon("run", "zoo:digits", "--config", "edge8", "--on-chip", "--mappings", best, "--simulator", "model", "--runs", 1,
                 "--json", tmp_path / "report.json")
    assert done.exit_code == 0, done.output
    assert abs(json.loads((tmp_path / "report.json").read_text())["cycles"] - cycles) <= 2
    assert tenon(*ask, "--budget", 151, "--resume").exit_code == 0
    refused(tenon(*ask, "--budget", 151), str(log), "exists")
    refused(tenon("tune", "zoo:digits", "--config", "edge8", "--resume"), "--log")
    refused(tenon("compile", "zoo:digits", "--config", "edge8", "--mappings", tmp_path / "none"), "none: cannot be read")
    refused(tenon("compile", "zoo:digits", "--config", "edge8", "--mappings", log), "tune.jsonl: not a mapping")
    refused(tenon("compile", "zoo:resnet8", "--config", "edge8", "--mappings", best, "-o", tmp_path / "p"), "the mapping is of a layer")
    mappings = json.loads(best.read_text())
    compiling = ("compile", "zoo:digits", "--config", "edge8", "--mappings", best, "-o", tmp_path / "p")
    best.write_text(json.dumps(mappings | {"tensors": {"a1_QuantizeLinear_Output": "both"}}))
    refused(tenon(*compiling), "the mapping keeps tensors on chip", "--on-chip")
    best.write_text(json.dumps(mappings | {"tensors": {"a1_QuantizeLinear_Output": "chip"}}))
    refused(tenon(*compiling, "--on-chip"), "tensor a1_QuantizeLinear_Output", "'chip'", "only dram or both")
    mappings["layers"]["conv1"]["tile_h"] = 77
    best.write_text(json.dumps(mappings | {"tensors": {}}))
    refused(tenon(*compiling), "layer conv1", "tile_h", "77")
    assert not (tmp_path / "p").exists() and read_mappings(None) is None


def test_measured_in_rtl(tmp_path):
    """The same points as by the model, with the cycles that a run takes."""
    best, log = tmp_path / "best.json", tmp_path / "rtl.jsonl"
    ask = ("tune", "zoo:digits", "--config", "edge8", "--on-chip", "--tuner", "descent", "--budget", 4)
    done = tenon(*ask, "--measure", "rtl", "--log", log, "-o", best)
    assert done.exit_code == 0, done.output
    head, *lines = map(json.loads, log.read_text().splitlines())
    assert head["measured"] == "rtl" and len(lines) == 4 and all(sum(line["layers"]) == line["cycles"] for line in lines)
    done = tenon("run", "zoo:digits", "--config", "edge8", "--on-chip", "--mappings", best, "--runs", 1, "--json", tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert done.exit_code == 0 and report["cycles"] == min(line["cycles"] for line in lines)
    refused(tenon(*ask, "--log", log, "--resume", "-o", best), "another kind of measurement: rtl, not model")
    with pytest.raises(ValueError, match="^RTL needs its parameters$"):
        measure_by(By.RTL, None, None)


def test_going_on_from_mappings(network, tmp_path):
    """What they take is measured first; other networks' are refused."""
    ask = ("tune", "zoo:digits", "--config", "edge8", "--on-chip", "--tuner", "descent")
    first, second, log = tmp_path / "first.json", tmp_path / "second.json", tmp_path / "log"
    assert tenon(*ask, "--budget", 200, "-o", first).exit_code == 0
    done = tenon(*ask, "--budget", 10, "--mappings", first, "--log", log, "-o", second)
    assert done.exit_code == 0 and "as given" in done.output and "compiler's" not in done.output
    lines = [json.loads(line) for line in log.read_text().splitlines()[1:]]
    best = tune(network, "digits", tuner="descent", budget=200)
    assert lines[0]["cycles"] == best.cycles < best.start_cycles and tuple(lines[0]["point"]) == best.space.point(best.mapping)
    refused(tenon(*ask, "--log", log, "--resume", "-o", second), "is of another first mapping")
    refused(tenon("tune", "zoo:resnet8", "--config", "edge8", "--mappings", first, "-o", second), "there is no mapping of layer")


def test_without_the_library(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(UserError, match=r"^the tuner release needs xgboost, which is missing: pip install 'tenon-hw\[tune\]'$"):
        tune(network, "digits", tuner="release", budget=2)
    assert tune(network, "digits", tuner="descent", budget=2).cycles


def test_commands_know_every_tuner():
    assert set(cli._TUNERS) == set(TUNERS)
    (measure,) = (option for option in cli.tune.params if option.name == "measure")
    assert list(measure.type.choices) == [by.value for by in By]


def test_where_the_compilers_own_choice_is_none(network, monkeypatch):
    monkeypatch.setattr(tuning, "measure_by", lambda *_: lambda points: iter(["layer conv1: too small"] * len(points)))
    with pytest.raises(CompileError, match="^digits: layer conv1: too small$"):
        tune(network, "digits", tuner="descent", budget=1)
