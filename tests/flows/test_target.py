"""A covenant's file in place of a configuration: sealed, compiled for, simulated; there is no RTL of it."""

import json

import pytest
from click.testing import CliRunner

from tenon.flows.cli import main
from tenon.hw.covenant import covenant
from tenon.hw.presets import preset

NETWORK = "zoo:gemm_3x6x5"


def tenon(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def data():
    """Of a machine like tiny, by other names, as a hand would write it: no fingerprint."""
    text = covenant(preset("tiny")).to_json().replace('"tiny"', '"other"')
    for old, new in (("ACC", "SUMS"), ("TAB", "LUT"), ("VECTOR", "CHAIN")):
        text = text.replace(old, new)
    found = json.loads(text)
    del found["fingerprint"]
    return found


@pytest.fixture(scope="module")
def sealed(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("target") / "other.json"
    path.write_text(json.dumps(data))
    done = tenon("acg", path, "--seal")
    assert done.exit_code == 0, done.output
    assert json.loads(path.read_text())["fingerprint"].startswith(done.output.split()[-1])
    return path


def test_simulated(sealed, tmp_path):
    for simulator in ("functional", "model"):
        done = tenon("run", NETWORK, "--config", sealed, "--simulator", simulator)
        assert done.exit_code == 0, done.output
    done = tenon("compile", NETWORK, "--config", sealed, "-o", tmp_path / "program")
    assert done.exit_code == 0 and "SUMS" in (tmp_path / "program" / "acg.json").read_text(), done.output
    done = tenon("tune", NETWORK, "--config", sealed, "--tuner", "random", "--budget", 2, "-o", tmp_path / "mappings.json")
    assert done.exit_code == 0, done.output
    done = tenon("acg", sealed, "--svg", tmp_path / "other.svg")
    assert done.exit_code == 0 and "SUMS" in (tmp_path / "other.svg").read_text()


@pytest.mark.parametrize("arguments", [
    ("run", NETWORK, "--config"), ("tune", NETWORK, "--measure", "rtl", "--config"), ("acg", "--check"),
])
def test_no_rtl(sealed, arguments):
    done = tenon(*arguments, sealed)
    assert (done.exit_code, done.output) == (
        2, "tenon: there is no RTL of other, which is a covenant alone: it can be compiled for, and simulated by the functional simulator "
           "and the cycle model\n")


@pytest.mark.parametrize("noted", [True, False])
def test_a_folder_of_a_foreign_program(sealed, tmp_path, noted):
    """Parameters in its notes are those of a machine that it was changed from."""
    data = json.loads(sealed.read_text())
    if not noted:
        del data["notes"]["parameters"]
    (tmp_path / "bare.json").write_text(json.dumps(data))
    assert tenon("compile", NETWORK, "--config", tmp_path / "bare.json", "-o", tmp_path / "program").exit_code == 0
    assert tenon("run", tmp_path / "program", "--simulator", "functional").exit_code == 0
    done = tenon("run", tmp_path / "program")
    assert done.exit_code == 2
    assert done.output.splitlines()[-1].endswith("was compiled for a covenant alone: use --simulator functional or model")


@pytest.mark.parametrize(("change", "message"), [
    (lambda d: d, "the covenant of other is not sealed: see to that with tenon acg FILE --seal"),
    (lambda d: d | {"fingerprint": "0" * 64}, "the covenant of other was changed after it was sealed"),
    (lambda d: d | {"covenant": 1}, "the covenant has format 1; this version reads 3"),
])
def test_unsealed(data, tmp_path, change, message):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(change(data)))
    done = tenon("run", NETWORK, "--config", path, "--simulator", "functional")
    assert done.exit_code == 2 and done.output.startswith(f"tenon: {path}: {message}") and done.output.count("\n") == 1, done.output


@pytest.mark.parametrize(("change", "message"), [
    (lambda d: d["edges"].append({"src": "VEC", "dst": "NOWHERE", "bytes_per_cycle": 4}), "ends at NOWHERE, which there is not"),
    (lambda d: d["mnemonics"][0].update(effect=["for i < n: ACT.u8[d] = square(VEC.u8[s])"]), "LOAD: square(VEC.u8[s]): there is no"),
    (lambda d: d["mnemonics"][0].update(effect="for"), "LOAD: must be 'for LOOP < EXTENT, ...:'"),
    (lambda d: d["mnemonics"][0]["fields"].pop(), "LOAD: "),
    (lambda d: d.pop("units"), "the covenant must have 'units'"),
    (lambda d: d["memories"][0].update(depth=4), "a memory has an unknown key 'depth'; known are name, word_bytes, words"),
])
def test_what_cannot_be_sealed(data, tmp_path, change, message):
    path, changed = tmp_path / "bad.json", json.loads(json.dumps(data))
    change(changed)
    path.write_text(text := json.dumps(changed))
    done = tenon("acg", path, "--seal")
    assert done.exit_code == 2 and done.output.startswith(f"tenon: {path}: ") and message in done.output, done.output
    assert done.output.count("\n") == 1 and path.read_text() == text
