"""Programs: transfers and kernels do what they do one after the other, however early or late transfers are."""

import random

import numpy as np
import pytest

from tenon.acg.interpret import run as interpret
from tenon.acg.packet import Call, Wait, decode_packet, encode_packet
from tenon.compiler.codelets.elementwise import add, lookup
from tenon.compiler.errors import CompileError
from tenon.compiler.instruction import Instruction
from tenon.compiler.layout import dense
from tenon.compiler.packets.passes import pass_kernel
from tenon.compiler.packets.realise import Execution, realise
from tenon.hw.packet.covenant import packet_covenant
from tenon.hw.packet.presets import PACKET_PRESETS
from tenon.tb.packets.simulate import PacketSimulator
from tests.compiler.packets.kernels import placed

VEC32 = packet_covenant(PACKET_PRESETS["vec32"])
TENSOR = dense([("n", 1, 1), ("c", 1, 32), ("h", 2, 1), ("w", 9, 1), ("c", 32, 1)])
EXTENTS = {"n": 1, "oh": 2, "ow": 9, "oc": 32}
SIZE, NUMBERS, TABLE = TENSOR.bytes, 0, 512
PLACES = [1024 + 512 * k for k in range(24)]  # tensors there overlap their neighbours
SEGMENT = 16384


def made(codelet, attributes):
    layouts = {name: dense([("i", 256, 1)]) if name == "table" else TENSOR for name in codelet.dims}
    nest = placed(codelet.statements["finish"], codelet.dims, layouts, EXTENTS, attributes)
    return nest, pass_kernel(VEC32, nest)


ADD = made(add("u8", "i8"), {"ra": 0.61, "rb": 0.43, "fixed": 3.5, "lo": 0, "hi": 255})
LOOKUP = made(lookup("u8"), {"lo": 0, "hi": 255})


def transfer(name, **values):
    m = VEC32.mnemonic(name)
    return Instruction(m, m.complete(values | ({"mem": "spm", "y_lim": 1, "x_lim": 1 << 20} if name == "LOAD" else {})))


def apart(rng, *others):
    """A place for a result that none of its operands overlaps."""
    return rng.choice([p for p in PLACES if all(abs(p - o) >= SIZE + 128 for o in others)])


def random_items(rng, count):
    items, nests = [transfer("LOAD", seg="constants", n=512 + 256, s=0, d=NUMBERS)], [None]
    for _ in range(count):
        kind, nest = rng.choice(["LOAD", "STORE", "ADD", "ADD", "LOOKUP", "TABLE"]), None
        if kind == "LOAD":
            items.append(transfer("LOAD", seg=rng.choice(["inputs", "arena"]), n=SIZE, s=rng.randrange(SEGMENT - SIZE),
                                  d=rng.choice(PLACES)))
        elif kind == "TABLE":
            items.append(transfer("LOAD", seg="inputs", n=256, s=rng.randrange(SEGMENT - 256), d=TABLE))
        elif kind == "STORE":
            items.append(transfer("STORE", seg="arena", n=SIZE, s=rng.choice(PLACES), d=rng.randrange(SEGMENT - SIZE)))
        else:
            (nest, kernel), a, b = (ADD if kind == "ADD" else LOOKUP), *rng.choices(PLACES, k=2)
            bases = {"a": a, "b": b, "y": apart(rng, a, b)} if kind == "ADD" else {"x": a, "y": apart(rng, a), "table": TABLE}
            items.append(Execution(kernel, bases, NUMBERS))
        nests.append(nest)
    return items, nests


def memory_of(rng):
    """On-chip memories, and DRAM."""
    segments = {name: rng.integers(0, 256, SEGMENT, dtype=np.uint8) for name in ("CONSTANTS", "ARENA", "INPUTS", "OUTPUTS")}
    scalars = ADD[1].scalars
    assert set(LOOKUP[1].scalars) <= {0}
    segments["CONSTANTS"][:len(scalars)] = np.frombuffer(scalars, np.uint8)
    return segments


def expected(items, nests, segments, spm):
    memories = {**{k: v.copy() for k, v in segments.items()}, "SPM": spm.copy()}
    for item, nest in zip(items, nests, strict=True):
        if isinstance(item, Instruction):
            interpret(item.mnemonic.effect, item.fields, memories)
        else:
            interpret(nest, dict(item.bases), memories)
    return memories


def executed(packets, segments, spm, *, late):
    simulator = PacketSimulator(VEC32)
    simulator.memories["SPM"][:] = spm
    segments = {k: v.copy() for k, v in segments.items()}
    simulator.run([decode_packet(VEC32, encode_packet(VEC32, p)) if p.data is None else p for p in packets], segments, late=late)
    return {**segments, "SPM": simulator.memories["SPM"]}


def differs(packets, items, nests, seed):
    rng = np.random.default_rng(seed)
    segments, spm = memory_of(rng), rng.integers(0, 256, VEC32.memory_bytes["SPM"], dtype=np.uint8)
    wanted = expected(items, nests, segments, spm)
    return [name for late in (False, True) for name, data in executed(packets, segments, spm, late=late).items()
            if not np.array_equal(data, wanted[name])]


@pytest.mark.parametrize("seed", range(30))
def test_random_programs(seed):
    items, nests = random_items(random.Random(seed), 24)
    assert not differs(realise(VEC32, items), items, nests, seed)


def test_every_wait_is_needed_somewhere():
    """Without one of its waits, most programs go wrong; and waits are not at every turn."""
    wrong = tried = turns = 0
    for seed in range(12):
        items, nests = random_items(random.Random(seed), 24)
        packets = realise(VEC32, items)
        waits = [k for k, p in enumerate(packets) if isinstance(p.control, Wait)]
        turns += len(items)
        for at in waits:
            tried += 1
            less = [p if k != at else type(p)() for k, p in enumerate(packets)]  # calls go back as far as before
            wrong += bool(differs(less, items, nests, seed))
    assert wrong > 0.7 * tried and tried < turns, (wrong, tried, turns)


def test_a_kernel_that_is_near_is_called():
    bases = [{"a": 1024, "b": 2048, "y": 4096 + 1024 * k} for k in range(5)]
    items = [transfer("LOAD", seg="constants", n=512, s=0, d=NUMBERS), *(Execution(ADD[1], b, NUMBERS) for b in bases)]
    packets = realise(VEC32, items)
    assert sum(isinstance(p.control, Call) for p in packets) == 4 and len(packets) < len(ADD[1].packets) + len(ADD[1].setup) + 60
    assert not differs(packets, items, [None, *[ADD[0]] * 5], 1)


@pytest.mark.parametrize(("bases", "message"), [
    ({"a": 1032, "b": 2048, "y": 4096}, "a stream cannot begin at byte 1032, which is no multiple of 16"),
    ({"a": 1024, "b": 2048, "y": VEC32.memory_bytes["SPM"] - 32}, "a kernel reaches bytes .* of SPM, which has 262144"),
])
def test_addresses_that_are_none(bases, message):
    with pytest.raises(CompileError, match=message):
        realise(VEC32, [Execution(ADD[1], bases, NUMBERS)])
