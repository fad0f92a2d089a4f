"""The check suite: every promise holds, and lies about each attribute are seen. (The benchmarks tell every lie.)"""

import dataclasses
import random
from collections import defaultdict

import pytest

from tenon.acg.graph import Graph, Memory
from tenon.hw.presets import preset
from tenon.tb.covenant import suite
from tenon.tb.covenant.lies import lies
from tenon.tb.covenant.suite import attributes, check_graph, checks, unseen
from tenon.tb.covenant.trial import Laboratory
from tenon.tb.gateware import graph_of, verilog_of

PARAMS = preset("tiny")
GRAPH = graph_of(PARAMS)
PARTS = ("memories", "edges", "units", "sequencer", *(f"mnemonics.{m.name}" for m in GRAPH.mnemonics), "others")

_LIES = 10  # about an attribute, at most


@pytest.fixture(scope="module")
def lab():
    return Laboratory(verilog_of(PARAMS), PARAMS, len(GRAPH.segment_names))


def part_of(attribute: str) -> str:
    return next((p for p in PARTS if attribute.startswith(f"{p}.")), "others")


@pytest.mark.rtl
def test_every_promise_holds(lab):
    claims = check_graph(GRAPH, PARAMS, lab)
    assert [c for c in claims if not c.holds] == []
    assert [c.attribute for c in claims] == attributes(GRAPH)


@pytest.mark.rtl
@pytest.mark.parametrize("part", PARTS)
def test_lies_are_seen(lab, part):
    told = _some(lie for lie in lies(GRAPH) if part_of(lie.attribute) == part)
    assert {lie.attribute for lie in told} == {a for a in attributes(GRAPH) if part_of(a) == part} - _unlied()
    assert [f"{lie.attribute}: {lie.what}" for lie in unseen(told, PARAMS, lab)] == []


def _some(told):
    """A few about each attribute: an effect has dozens of parts, each of which can be another."""
    about = defaultdict(list)
    for lie in told:
        about[lie.attribute].append(lie)
    return [lie for several in about.values() for lie in random.Random(1).sample(several, min(len(several), _LIES))]


def _unlied() -> set[str]:
    """A mnemonic without rules has none to lie about."""
    return {f"mnemonics.{m.name}.rules" for m in GRAPH.mnemonics if not m.rules}


def test_an_attribute_without_a_check_is_an_error(monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Deeper(Memory):
        depth: int = 1

    deeper = tuple(Deeper(**dataclasses.asdict(m)) for m in GRAPH.memories)
    monkeypatch.setitem(suite._NAMES, Deeper, {"name"})
    graph = Graph(**{f.name: getattr(GRAPH, f.name) for f in dataclasses.fields(Graph)} | {"memories": deeper})
    with pytest.raises(LookupError, match="no check holds memories.ACT.depth against RTL"):
        checks(graph, PARAMS, lambda a: a.startswith("memories.ACT"))
