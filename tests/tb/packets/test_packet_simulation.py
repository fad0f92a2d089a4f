"""Packets in simulation: effects as numpy says, results when they are promised, loops, calls and streams in their order."""

import random

import numpy as np
import pytest

from tenon.acg.encoding import Header
from tenon.acg.expr import Load
from tenon.acg.interpret import run as interpret
from tenon.acg.packet import Base, Call, End, Level, Loop, Mark, Operation, Packet, Reference, Start, Wait, words_of
from tenon.hw.packet.covenant import packet_covenant
from tenon.hw.packet.presets import PACKET_PRESETS
from tenon.tb.functional import ProgramError
from tenon.tb.packets.simulate import PacketSimulator

VEC32 = packet_covenant(PACKET_PRESETS["vec32"])
END = Packet(control=End())
COMPUTING = [m for m in VEC32.mnemonics if m.unit not in ("LOAD", "STORE")]


def op(name, **values):
    return Operation(VEC32.mnemonic(name), values)


def filled(graph, rng):
    simulator = PacketSimulator(graph)
    for memory in simulator.memories.values():
        memory[:] = rng.integers(0, 256, memory.size, dtype=np.uint8)
    return simulator


@pytest.mark.parametrize("name", PACKET_PRESETS)
def test_effects_are_those_of_numpy(name):
    graph, rng, seen = packet_covenant(PACKET_PRESETS[name]), random.Random(1), set()
    numbers = np.random.default_rng(1)
    simulator = filled(graph, numbers)
    mnemonics = [m for m in graph.mnemonics if m.unit not in ("LOAD", "STORE")]
    for trial in range(500):
        if trial % 3 == 0:
            vectors = simulator.memories["VR"]
            vectors[:] = (numbers.normal(0, 1, vectors.size // 4) * 10.0 ** numbers.integers(-39, 6)).astype(np.float32).view(np.uint8)
        m = rng.choice(mnemonics)
        values = {f.name: Reference(3, 8 * rng.randrange(8)) if f.kind == "address" else rng.randint(f.low, f.high) for f in m.fields}
        base = 8 * rng.randrange(0, graph.memory_bytes["SPM"] // 256)
        fields = m.complete({k: base + v.offset if isinstance(v, Reference) else v for k, v in values.items()})
        if m.violations(fields, graph.memory_bytes):
            continue
        expected = {k: v.copy() for k, v in simulator.memories.items()}
        interpret(m.effect, fields, expected)
        simulator.run([Packet(control=Base(3, base)), Packet((Operation(m, values),)), END], {})
        for memory, contents in expected.items():
            assert np.array_equal(contents, simulator.memories[memory]), f"{m.name} {fields}: {memory}"
        seen.add(m.name)
    assert seen == {m.name for m in mnemonics}


def vector_results():
    return [m for m in COMPUTING if isinstance(m.effect.destination, Load) and m.effect.destination.operand.name == "VR"]


def changing(m, simulator, rng):
    """Fields with which an instruction changes a register, which one, and what is in it then."""
    while True:
        values = {f.name: Reference(0) if f.kind == "address" else rng.randint(f.low, f.high) for f in m.fields}
        fields = m.complete({k: 0 if isinstance(v, Reference) else v for k, v in values.items()})
        if not m.violations(fields, VEC32.memory_bytes):
            after = {k: v.copy() for k, v in simulator.memories.items()}
            interpret(m.effect, fields, after)
            changed = np.flatnonzero(after["VR"] != simulator.memories["VR"])
            if changed.size:
                register = int(changed[0]) // 128
                return values, register, after["VR"][128 * register:128 * register + 128]


@pytest.mark.parametrize("m", vector_results(), ids=lambda m: m.name)
def test_a_result_is_seen_so_many_packets_later_and_not_sooner(m):
    visible, simulator = m.timing.cycles("visible", {}), filled(VEC32, np.random.default_rng(2))
    values, register, result = changing(m, simulator, random.Random(3))
    before = {k: v.copy() for k, v in simulator.memories.items()}
    old = before["VR"][128 * register:128 * register + 128]
    for distance in range(1, visible + 2):
        for memory, contents in before.items():
            simulator.memories[memory][:] = contents
        store = Packet((op("VST", s=register, a=Reference(1)),))
        simulator.run([Packet((Operation(m, values),)), *[Packet()] * (distance - 1), store, END], {})
        assert np.array_equal(simulator.memories["SPM"][:128], result if distance >= visible else old), distance


def test_loops_calls_and_streams():
    """A table of pairs is copied in another order, by a body that runs in two loops and once more."""
    simulator = filled(VEC32, np.random.default_rng(3))
    spm = simulator.memories["SPM"]
    source = spm[:16 * 128].copy()
    body = [Packet((op("VLD", d=1, a=Reference(0, 0, True)),)), Packet(), Packet(), Packet((op("VST", s=1, a=Reference(1, 0, True)),))]
    program = [Packet(control=Base(0, 0)), Packet(control=Level(0, 0, 4, 4 * 8)), Packet(control=Level(0, 1, 4, 8)),
               Packet(control=Base(1, 4096)), Packet(control=Level(1, 0, 16, 8)), Packet(control=Loop(3, 1 + len(body))),
               Packet(control=Loop(5, len(body))), *body, Packet(control=Mark(7)), Packet(control=Call(1 + len(body), len(body))), END]
    found = simulator.run(program, {})
    order = [4 * i + j for j in range(4) for i in range(4)]
    assert np.array_equal(spm[16 * 4096:16 * 4096 + 16 * 128].reshape(16, 128), source.reshape(16, 128)[order])
    assert found.packets == 6 + 3 * (1 + 5 * 4) + 2 + 4 + 1 and found.marks == ((7, 6 + 3 * 21),) and found.instructions == 32


def transfer(name, **fields):
    m = VEC32.mnemonic(name)
    words = words_of(VEC32.sequencer, VEC32.encoding(m).encode(m, fields, Header()))
    unit = [b.unit for b in VEC32.sequencer.background].index(m.unit)
    return [Packet(control=Start(unit)), *(Packet(data=word) for word in words)]


@pytest.mark.parametrize(("waits", "same"), [(True, True), (False, False)])
def test_transfers_go_on_beside_packets(waits, same):
    """Executed as early and as late as can be, a program gives the same if it waits where it must, and not otherwise."""
    rng, found = np.random.default_rng(4), []
    data = rng.integers(0, 256, 4096, dtype=np.uint8)
    for late in (False, True):
        simulator = PacketSimulator(VEC32)
        segments = {"INPUTS": data.copy(), "OUTPUTS": np.zeros(4096, np.uint8)}
        wait = [Packet(control=Wait(0, 0))] if waits else []
        program = [*transfer("LOAD", mem="spm", seg="inputs", n=128, d=256, y_lim=1, x_lim=1), *wait, Packet(control=Base(0, 16)),
                   Packet((op("VLD", d=0, a=Reference(0)),)), Packet(), Packet(), Packet((op("VST", s=0, a=Reference(0, 64)),)),
                   *transfer("STORE", seg="outputs", n=128, s=256 + 1024), END]
        run = simulator.run(program, segments, late=late)
        found.append(segments["OUTPUTS"].copy())
    assert np.array_equal(*found) == same and (not waits or np.array_equal(found[0][:128], data[:128])) and (run.held > 40 or not waits)


@pytest.mark.parametrize(("program", "message"), [
    ([Packet(control=Call(1, 1))], "1 packets that begin 1 before"), ([Packet(control=Loop(2, 5))], "a loop beyond the program's end"),
    ([Packet(control=Base(0, 1 << 14)), Packet((op("VLD", d=0, a=Reference(0, 8)),))], "an address outside its memory"),
    ([Packet((op("VFMA", d=0, x_sel=0, x=1),))], "x_sel >= 2 or x % 4 == 0"),
])
def test_programs_that_are_none(program, message):
    with pytest.raises(ProgramError, match=message):
        PacketSimulator(VEC32).run([*program, END], {})
