"""The list of built-in networks: sizes, names, and the command that prints it."""

import re

import pytest
from click.testing import CliRunner

from tenon.flows.cli import main
from tenon.flows.zoo import is_zoo, resolve
from tenon.flows.zoo.listing import entries, names
from tenon.flows.zoo.published import ALIASES, NETWORKS


@pytest.fixture(scope="module")
def listed():
    return {e.name: e for e in entries()}


def test_every_name_is_listed_once(listed):
    assert len(names()) == len(set(names())) and all(map(is_zoo, names()))
    assert set(names()) - set(listed) == {f"zoo:{alias}" for alias in ALIASES}
    assert {f"zoo:{name}" for name in NETWORKS} <= set(listed)


def test_sizes_of_models(listed):
    """By hand: three convolutions of 8x8, 8x8 and 4x4 places, and a dense layer; a cell's input as the network's file says."""
    digits = listed["zoo:digits"]
    assert digits.macs == 64 * 9 * 16 + 64 * 9 * 16 * 16 + 16 * 9 * 16 * 32 + 512 * 10
    assert digits.parameters == 9 * 16 + 16 + 9 * 16 * 16 + 16 + 9 * 16 * 32 + 32 + 512 * 10 + 10
    assert listed["zoo:swiftnet_cell_c"].inputs == "1x80x7x7"
    assert (listed["zoo:resnet50"].inputs, listed["zoo:resnet50"].macs) == ("1x3x224x224", 4_089_184_256)
    assert all(e.macs and e.parameters for e in listed.values() if not re.search(r"gemm_M|conv_KH", e.name))


def test_structures_resolve(listed, tmp_path):
    for name, e in listed.items():
        if re.search("swiftnet|darts|nasnet|amoebanet|randwire", name):
            shape = next(iter(resolve(name.replace("SEED", "3"), tmp_path).inputs(1)[0].values())).shape
            assert "x".join(map(str, shape)) == e.inputs
    assert not list(tmp_path.iterdir())


def test_the_command_prints_it(listed):
    result = CliRunner().invoke(main, ["zoo"])
    assert result.exit_code == 0, result.output
    for name in listed:
        assert name in result.output
    assert "25,557,032" in result.output and "4,089,184,256" in result.output
