"""Schedules of random bodies: what each round reads is what it has written, no slot is taken twice, the interval is near the least."""

import random

import pytest

from tenon.acg.packet import Reference
from tenon.compiler.errors import CompileError
from tenon.compiler.packets.modulo import Instance, Value, schedule
from tenon.hw.packet.covenant import packet_covenant
from tenon.hw.packet.presets import PACKET_PRESETS

VEC32 = packet_covenant(PACKET_PRESETS["vec32"])
WIDTH = VEC32.memory("VR").word_bytes


def instance(name, reads, values, stream=None):
    """An instruction that writes a value of its own, if it is no store."""
    m = VEC32.mnemonic(name)
    made = Instance(m, {f.name: Reference(stream or 0) if f.kind == "address" else f.low for f in m.fields}, stream=stream)
    registers = [f for f in m.fields if f.name in ("x", "y", "p", "r", "s", "w", "c") and f.kind != "address"][:len(reads)]
    for f, value in zip(registers, reads):
        made.places[f.name] = value, 0, WIDTH
        made.reads(value)
    if name != "VST":
        values.append(Value("VR"))
        made.places["d"] = values[-1], 0, WIDTH
        made.writes(values[-1])
    return made


def body(rng, size):
    """Loads, instructions on what there is, and a store of all that nothing reads."""
    values, instances = [], []
    for k in range(rng.randint(1, 4)):
        instances.append(instance("VLD", [], values, stream=1 + k))
    for _ in range(size):
        instances.append(instance(rng.choice(["VMAXB", "VMAXF", "VMINB"]), [rng.choice(values), rng.choice(values)], values))
    stored = [value for value in values if not value.readers]
    instances += [instance("VST", [value], values, stream=8 + k) for k, value in enumerate(stored)]
    rng.shuffle(instances)
    return instances, values


def follow(packets, rounds):
    """Executes a schedule with names for values: how often each thing was stored. The loop is unrolled."""
    line = []
    for at, packet in enumerate(packets):
        line.append(packet)
        if packet.control:
            line += packets[at + 1:at + 1 + packet.control.packets] * (packet.control.count - 1)
    registers, pending, counts, stored = {}, [], {}, []
    for now, packet in enumerate(line):
        for register, what in [p[1:] for p in pending if p[0] == now]:
            registers[register] = what
        pending = [p for p in pending if p[0] > now]
        for op in packet.operations:
            m, v = op.mnemonic, op.values
            if m.name == "VLD":
                number = counts[v["a"].stream] = counts.get(v["a"].stream, -1) + v["a"].step
                what = "load", v["a"].stream, number
            elif m.name == "VST":
                stored.append((v["a"].stream, registers[v["s"]]))
                continue
            else:
                what = m.name, registers[v["x"]], registers[v["y"]]
            pending.append((now + m.timing.cycles("visible", m.complete({})), v["d"], what))
    return stored


def meaning(instances, rounds):
    """What has to be stored, from the body as it is written."""
    def of(value, k):
        writer, = value.writers
        if writer.mnemonic.name == "VLD":
            return "load", writer.stream, k
        return writer.mnemonic.name, *(of(writer.places[f][0], k) for f in ("x", "y"))
    return sorted((i.stream, of(i.places["s"][0], k)) for i in instances if i.mnemonic.name == "VST" for k in range(rounds))


@pytest.mark.parametrize("seed", range(40))
def test_random_bodies(seed):
    rng = random.Random(seed)
    instances, values = body(rng, rng.randint(1, 10))
    made = schedule(VEC32, instances, values)
    for rounds in (1, 2, 3, 9):
        packets = made.packets(rounds)
        assert all(len({VEC32.sequencer.slot(op.mnemonic.unit).name for op in p.operations}) == len(p.operations) for p in packets)
        assert sorted(follow(packets, rounds)) == meaning(instances, rounds)


def test_intervals_are_near_the_least():
    """The slot that is needed most bounds it; what lives long may ask for more."""
    found = []
    for seed in range(40):
        rng = random.Random(seed)
        instances, values = body(rng, rng.randint(1, 10))
        busy = {}
        for i in instances:
            busy[i.mnemonic.unit] = busy.get(i.mnemonic.unit, 0) + i.cycles
        found.append((schedule(VEC32, instances, values).interval, max(busy.values())))
    assert all(interval >= least for interval, least in found)
    assert sum(interval == least for interval, least in found) >= 20, found


def test_too_few_registers():
    values = []
    instances = [instance("VLD", [], values, stream=1) for _ in range(40)]
    total = values[0]
    for value in list(values[1:]):
        instances.append(instance("VMAXB", [total, value], values))
        total = values[-1]
    for value in list(values[:40])[::-1]:  # all are read again, the first one last
        instances.append(instance("VMAXB", [total, value], values))
        total = values[-1]
    instances.append(instance("VST", [total], values, stream=8))
    with pytest.raises(CompileError, match="too few registers"):
        schedule(VEC32, instances, values)
