"""The note that says who is served first at a bank."""

from dataclasses import replace

import pytest

from tenon.acg.errors import CovenantError
from tenon.acg.graph import Graph
from tenon.acg.precedence import Precedence, precedence_of, to_note
from tenon.hw.covenant import covenant
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset

GRAPH = covenant(preset("edge16"))


def test_what_hardware_notes():
    noted = {(p.memory, p.write): [unit for unit, _ in p.ports] for p in precedence_of(Graph.from_json(GRAPH.to_json()))}
    assert noted["ACT", False] == ["MATRIX", "WINDOW"] and noted["ACT", True] == ["VECTOR", "LOAD"]
    assert noted["ACC", False] == ["MATRIX", "VECTOR", "WINDOW"] and noted["ACC", True] == ["MATRIX", "WINDOW"]
    assert noted["VEC", False] == ["VECTOR", "STORE"] and ("PAR", False) not in noted, "readers of parameters have a copy each"
    windowless = precedence_of(covenant(SystolicParams(rows=8, cols=8, lanes=8, bus_bits=64, window_taps=0)))
    assert all("WINDOW" not in dict(p.ports) and len(p.ports) > 1 for p in windowless)


def test_it_is_no_promise():
    bare = replace(GRAPH, notes={})
    assert precedence_of(bare) == () and bare.fingerprint == GRAPH.fingerprint


@pytest.mark.parametrize("noted", [
    Precedence("NONE", False, (("MATRIX", 1), ("WINDOW", 1))), Precedence("ACT", False, (("MATRIX", 1), ("NOBODY", 1))),
    Precedence("ACT", False, (("MATRIX", 0), ("WINDOW", 1))), Precedence("DRAM", True, (("LOAD", 8), ("STORE", 8)))])
def test_what_cannot_be_is_refused(noted):
    with pytest.raises(CovenantError, match="^the covenant of edge16 notes no precedence: "):
        precedence_of(replace(GRAPH, notes=to_note([noted])))


@pytest.mark.parametrize("note", ["text", [1], [["ACT", "sideways", []]], [["ACT", "read", [["MATRIX"]]]], {"ACT": 1}])
def test_what_is_none_is_refused(note):
    with pytest.raises(CovenantError, match="notes no precedence"):
        precedence_of(replace(GRAPH, notes={"precedence": note}))
