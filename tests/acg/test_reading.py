"""A covenant's file with anything anywhere: read, or refused in a line."""

import json
import random

import pytest

from tenon.acg.errors import CovenantError
from tenon.acg.graph import Graph
from tenon.hw.covenant import covenant
from tenon.hw.presets import preset

ODD = (None, True, -1, 0, 7, 1.5, 8.0, float("nan"), 10**30, "", "a b", "two\nlines", "64", "class", [], [1], {}, {"a": 1})


def places(node, path=()):
    """Every place of a JSON value."""
    if path:
        yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(value, (*path, key))


def test_anything_anywhere():
    text = covenant(preset("tiny")).to_json()
    rng, all_places = random.Random(1), [p for p in places(json.loads(text)) if p[0] not in ("notes", "fingerprint")]
    refused = 0
    for _ in range(300):
        data, path, value = json.loads(text), rng.choice(all_places), rng.choice(ODD)
        node = data
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value
        try:
            Graph.from_json(json.dumps(data), sealed=False)
        except CovenantError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 400, (path, value)
    assert refused > 200


@pytest.mark.parametrize(("change", "message"), [
    (lambda d: d["mnemonics"][1]["fields"].append({"name": "spare", "low": -9, "high": -3}), "high of MATRIX.spare must be a whole number"),
    (lambda d: d["mnemonics"][1]["fields"].append({"name": "spare", "kind": "int"}),
     "kind of MATRIX.spare must be f32 or address, not 'int'"),
    (lambda d: d["mnemonics"][1]["fields"].append({"name": "spare", "choices": []}), "choices of MATRIX.spare must be different ones"),
    (lambda d: d["mnemonics"][1].update(comment="x"), "an instruction has an unknown key 'comment'; known are name, opcode"),
    (lambda d: d["mnemonics"][1].update(rules=["n_n % n_m0 == 0"]), "MATRIX: a formula must consist of fields"),
    (lambda d: d["mnemonics"][1].update(timing={}), "timing of MATRIX must have 'occupancy'"),
    (lambda d: d["mnemonics"][1]["effect"].append("if x: y = 1"), "MATRIX: "),
    (lambda d: d["mnemonics"][1].update(effect=[" + ".join(["for i < n: D.u8[d] = 0"] + ["0"] * 3000)]), "MATRIX: |not a covenant"),
    (lambda d: d["edges"][0].update(bytes_per_cycle=0), "bytes_per_cycle of the edge from DRAM to LOAD must be a number above 0, not 0"),
    (lambda d: d["memories"][0].update(kind="off"), "kind of ACT must be dram or scratchpad or registers, not 'off'"),
    (lambda d: d.update(name="a\nb"), "the covenant must have a name"),
    (lambda d: d.update(notes=5), "notes of tiny must be an object"),
])
def test_refusals(change, message):
    data = json.loads(covenant(preset("tiny")).to_json())
    change(data)
    with pytest.raises(CovenantError, match=f"^({message})") as error:
        Graph.from_json(json.dumps(data), sealed=False)
    assert "\n" not in str(error.value)


def test_effects_may_be_one_text():
    data = json.loads(covenant(preset("tiny")).to_json())
    for m in data["mnemonics"]:
        m["effect"] = "\n".join(m["effect"])
    assert Graph.from_json(json.dumps(data)).fingerprint == data["fingerprint"]
