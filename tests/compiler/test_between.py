"""Choices that matter only between layers: how many slots tiles have, and at which end of a buffer they begin."""

import pytest

from tenon.compiler.compile import compile_graph
from tenon.compiler.frontend import read_graph
from tenon.compiler.mapping import Mapping, NetworkMapping
from tenon.compiler.network import Network as Mapped
from tenon.flows.zoo.network import Network
from tenon.hw.covenant import covenant
from tenon.hw.presets import preset

GRAPH = covenant(preset("edge8"))
TILES = {"tile_h": 3, "tile_w": 12, "tile_c": 2, "chunk_x": 2, "chunk_w": 2, "order": "spatial", "ramp": 0, "ahead": 8, "early": 1}
DEFAULT = {"x": 8, "w": 8, "acc": 2, "y": 4}  # of 4 tiles with 2 chunks, 4 channel tiles with 2, and 16 tiles of results


@pytest.fixture(scope="module")
def layer():
    net = Network("one", 1)
    return read_graph(net.model([net.conv("conv", net.input("x", (1, 32, 12, 12)), 64, (3, 3))]))


def bases(layer, **changed):
    """Where units of activations and weights, tiles of sums and of results begin."""
    choices = dict(Mapped(layer, GRAPH).searched(0, 1).choices)
    program = compile_graph(layer, GRAPH, mapping=NetworkMapping({"conv": Mapping(choices | TILES | changed)}))
    found = {what: set() for what in DEFAULT}
    for instruction in program.instructions:
        name, fields = instruction.mnemonic.name, instruction.fields
        if name == "LOAD" and (what := {0: "x", 1: "w"}.get(fields["mem"])):
            found[what].add(fields["d"])
        elif name == "MATRIX":
            found["acc"].add(fields["d"])
        elif name == "VECTOR":
            found["y"].add(fields["d"])
    return found


@pytest.mark.parametrize("what", DEFAULT)
def test_slots(layer, what):
    for most in (1, 2, 4)[:2 if what == "acc" else 3]:
        counts = {key: len(found) for key, found in bases(layer, **{f"slots_{what}": most}).items()}
        assert counts == DEFAULT | {what: most}


def test_ends_of_buffers(layer):
    turn, other = bases(layer), bases(layer, begin="other")
    for what, memory in (("x", "ACT"), ("w", "WGT")):
        size = GRAPH.memory_bytes[memory]
        assert min(turn[what]) == 0 and max(turn[what]) < size // 2 < min(other[what]) and max(other[what]) < size
        assert len(turn[what]) == len(other[what])
