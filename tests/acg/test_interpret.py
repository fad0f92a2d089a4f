"""The vectorised interpreter against a scalar one, for every mnemonic and random legal fields."""

import itertools
import random
from collections import Counter

import numpy as np
import pytest

from tenon.acg.expr import Choose, Load, Lookup, Op, Reduce, Val
from tenon.acg.interpret import run
from tenon.acg.mnemonic import accesses
from tenon.acg.ops import OPS
from tenon.acg.random_fields import random_fields
from tenon.hw.covenant import covenant
from tenon.hw.encoding import ENCODING
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset

_TYPES = {"u8": np.uint8, "i8": np.int8, "i32": np.int32, "f32": np.float32}
_GRAPHS = [covenant(p) for p in (preset("tiny"), SystolicParams(rows=4, cols=16, bus_bits=64), SystolicParams(rows=16, cols=8, lanes=4))]
_SEGMENT = 1 << 13


def _scalar(nest, env, memories):
    """One point after another, straight from the definition."""
    held = {name: m.copy() for name, m in memories.items()}

    def element(load, point):
        bound = load.address.bind(env)
        address = bound.get("", 0) + sum(bound.get(l, 0) * i for l, i in point.items())
        kind = np.dtype(_TYPES[load.operand.element])
        return address, held[load.operand.name][address:address + kind.itemsize].view(kind)

    def value(e, point):
        if isinstance(e, Choose):
            return value(e.alternatives[env[e.field]], point)
        if isinstance(e, Val):
            if hasattr(e.value, "bind"):
                if e.element == "f32":
                    ((_, name), _), = e.value.terms
                    return np.float32(env[name])
                bound = e.value.bind(env)
                return np.int64(bound.get("", 0) + sum(bound.get(l, 0) * i for l, i in point.items()))
            return _TYPES[e.element](e.value)
        if isinstance(e, Load):
            v = element(e, point)[1][0]
            return np.int32(v) if e.operand.element in ("u8", "i8") else v
        if isinstance(e, Lookup):
            return held[e.table.name][e.base.bind(env).get("", 0) + int(value(e.index, point))]
        if isinstance(e, Reduce):
            total = None
            for steps in itertools.product(*(range(l.count(env)) for l in e.loops)):
                term = value(e.body, {**point, **{l.name: i for l, i in zip(e.loops, steps, strict=True)}})
                total = term if total is None else OPS[e.op].meaning(total, term)
            return total
        assert isinstance(e, Op)
        if e.name == "select":
            return value(e.args[1 if value(e.args[0], point) else 2], point)
        return OPS[e.name].meaning(*(value(a, point) for a in e.args))

    for steps in itertools.product(*(range(l.count(env)) for l in nest.loops)):
        point = {l.name: i for l, i in zip(nest.loops, steps, strict=True)}
        destination = nest.destination
        while isinstance(destination, Choose):
            destination = destination.alternatives[env[destination.field]]
        bound = destination.address.bind(env)
        address = bound.get("", 0) + sum(bound.get(l, 0) * i for l, i in point.items())
        kind = _TYPES[destination.operand.element]
        with np.errstate(over="ignore"):
            new = np.asarray(value(nest.expr, point)).astype(kind)
        memories[destination.operand.name][address:address + new.itemsize] = np.frombuffer(new.tobytes(), np.uint8)


@pytest.mark.parametrize("index", range(len(_GRAPHS)), ids=["4x4", "4x16", "16x8"])
@pytest.mark.parametrize("name", ["LOAD", "MATRIX", "VECTOR", "STORE", "WINDOW"])
def test_equals_the_scalar_definition(index, name):
    graph = _GRAPHS[index]
    mnemonic = graph.mnemonic(name)
    sizes = graph.memory_bytes | dict.fromkeys(graph.segment_names, _SEGMENT)
    rng, data = random.Random(index), np.random.default_rng(index)
    memories = {n: data.integers(0, 256, s, dtype=np.uint8) for n, s in sizes.items()}
    choices = Counter()
    enums = {f.name: len(f.choices) for f in mnemonic.fields if f.kind == "enum"}
    for case in range(150):
        if case > 15 and all(len({v for n, v in choices if n == f}) == count for f, count in enums.items()):
            break
        env = random_fields(mnemonic, sizes, rng, work=100 if name != "MATRIX" else 40)
        choices.update((f.name, env[f.name]) for f in mnemonic.fields if f.kind == "enum")
        ours = {n: m.copy() for n, m in memories.items()}
        run(mnemonic.effect, env, ours)
        _scalar(mnemonic.effect, env, memories)
        for n in memories:
            assert (ours[n] == memories[n]).all(), f"{n} differs for {env}"
        assert ENCODING.decode(ENCODING.encode(mnemonic, env), graph.mnemonics)[:2] == (mnemonic, pytest.approx(env, nan_ok=True))
    else:
        pytest.fail(f"the fields did not take every choice: {sorted(choices)}")


def test_corners_are_the_exact_bound():
    graph = _GRAPHS[0]
    sizes = graph.memory_bytes | dict.fromkeys(graph.segment_names, _SEGMENT)
    rng = random.Random(3)
    refused = 0
    for _ in range(200):
        mnemonic = rng.choice(graph.mnemonics)
        env = random_fields(mnemonic, sizes, rng, work=200)
        for access in accesses(mnemonic):
            if not access.chosen(env) or access.memory not in sizes:
                continue
            extents = [range(env[n]) for _, n in access.terms]
            strides = [env[s] if isinstance(s, str) else s for s, _ in access.terms]
            words = [env[access.base] + sum(s * i for s, i in zip(strides, point, strict=True)) for point in itertools.product(*extents)]
            assert access.corners(env) == (min(words) * access.unit, max(words) * access.unit + access.span - 1)
            beyond = {**env, access.base: env[access.base] + (sizes[access.memory] - access.span) // access.unit - max(words) + 1}
            if access.memory in graph.memory_bytes:
                assert mnemonic.violations(beyond, graph.memory_bytes)
                refused += 1
    assert refused > 200
