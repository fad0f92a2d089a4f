"""Packets as bits and back; descriptions of packet machines that are none."""

import random
from dataclasses import replace

import pytest

from tenon.acg.encoding import Encoding
from tenon.acg.errors import CovenantError
from tenon.acg.field import EncodingError
from tenon.acg.graph import Graph
from tenon.acg.isa import isa_page
from tenon.acg.packet import (
    Base,
    Call,
    End,
    Level,
    Loop,
    Mark,
    Operation,
    Packet,
    Reference,
    Start,
    Wait,
    decode_packet,
    encode_packet,
)
from tenon.acg.validate import validate
from tenon.hw.packet.covenant import packet_covenant
from tenon.hw.packet.presets import PACKET_PRESETS

VEC32 = packet_covenant(PACKET_PRESETS["vec32"])
S = VEC32.sequencer
CONTROLS = [None, Loop(1, 1), Loop(S.loop_count, S.loop_packets), Call(7, 3), Base(15, (1 << S.address_bits) - 1),
            Level(3, 5, 65535, -(1 << 23)), Level(0, 0, 1, (1 << 23) - 1), Start(1), Wait(1, 255), Mark(4095), End()]


@pytest.mark.parametrize("name", PACKET_PRESETS)
def test_files_round_trip(name):
    graph = packet_covenant(PACKET_PRESETS[name])
    validate(graph)
    again = Graph.from_json(graph.to_json())
    assert again.to_json() == graph.to_json() and again.sequencer == graph.sequencer
    assert all(m.name in isa_page(graph) for m in graph.mnemonics)


def test_packets_round_trip():
    rng = random.Random(1)
    for number in range(400):
        operations = []
        for slot in S.slots:
            m = rng.choice([m for m in VEC32.mnemonics if m.unit in slot.units])
            if rng.random() < 0.8:
                operations.append(Operation(m, {f.name: Reference(rng.randrange(16), rng.choice((-128, 127, 0, -3)), rng.random() < 0.5)
                                                if f.kind == "address" else rng.choice((f.low, f.high, rng.randint(f.low, f.high)))
                                                for f in m.fields}))
        packet = Packet(tuple(operations), CONTROLS[number % len(CONTROLS)])
        text = encode_packet(VEC32, packet)
        assert len(text) == 32 and decode_packet(VEC32, text) == packet


@pytest.mark.parametrize(("packet", "message"), [
    (Packet(control=Loop(1 << 16, 1)), r"Loop.count must be in 0\.\.65535, not 65536"),
    (Packet(control=Level(0, 0, 1, 1 << 23)), "Level.stride must be in"),
    (Packet((Operation(VEC32.mnemonic("VLD"), {"d": 0, "a": Reference(16)}),)), "there is no address"),
    (Packet((Operation(VEC32.mnemonic("VLD"), {"d": 0, "a": Reference(0, 128)}),)), r"offsets in -128\.\.127"),
    (Packet((Operation(VEC32.mnemonic("VLD"), {"d": 32, "a": Reference(0)}),)), r"VLD.d must be in 0\.\.31, not 32"),
    (Packet((Operation(VEC32.mnemonic("VMAXB"), {}), Operation(VEC32.mnemonic("VDOT4"), {}))), "VDOT4 is the second instruction in slot x"),
])
def test_what_cannot_be_encoded(packet, message):
    with pytest.raises(EncodingError, match=message):
        encode_packet(VEC32, packet)


def test_what_is_no_packet():
    with pytest.raises(EncodingError, match="no instruction of slot load has opcode 15"):
        decode_packet(VEC32, b"\x0f" + bytes(31))
    with pytest.raises(EncodingError, match="there is no control 15"):
        decode_packet(VEC32, bytes(24) + b"\x0f" + bytes(7))


def changed(**values):
    return replace(VEC32, sequencer=replace(S, **values))


@pytest.mark.parametrize(("graph", "message"), [
    (changed(slots=(replace(S.slots[0], offset=1), *S.slots[1:])), "slot store begins at bit 32, where another one goes to 33"),
    (changed(packet_bits=192), "a packet's 192 bits must be whole bytes, and at least the 244 of its slots"),
    (changed(slots=S.slots[1:]), "unit LD must be in one slot or in the background, not in 0"),
    (changed(background=(S.background[0], S.background[0])), "unit LOAD must be in one slot or in the background, not in 2"),
    (changed(slots=(replace(S.slots[0], units=("LD", "LX")), *S.slots[1:])), "the sequencer begins instructions of LX, which there is not"),
    (changed(offset_bits=4), "an address of slot load must have 9 bits, not 13"),
    (changed(slots=(*S.slots[:3], replace(S.slots[3], encoding=Encoding(40, S.slots[3].encoding.header, 13)))),
     "VRND must have at most 40 bits, not 43"),
    (changed(background=(replace(S.background[0], encoding=replace(S.background[0].encoding, bits=1032)), S.background[1])),
     "instructions of LOAD must be whole packets, not 1032 bits"),
    (replace(VEC32, mnemonics=tuple(replace(m, opcode=1) if m.name == "SLD" else m for m in VEC32.mnemonics)),
     "1 is there 2 times among opcodes"),
    (changed(streams=0), "streams must be at least 1, not 0"),
])
def test_what_is_no_machine(graph, message):
    with pytest.raises(CovenantError, match=f"^vec32: {message}"):
        validate(graph)
