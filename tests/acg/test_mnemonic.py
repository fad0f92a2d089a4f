"""Mnemonics as such: encoding, ranges, accesses, and what is refused."""

import random

import numpy as np
import pytest

from tenon.acg.encoding import Encoding, Header
from tenon.acg.expr import Aff, Choose, Load, Lookup, Loop, Nest, Operand, field
from tenon.acg.mnemonic import Access, EncodingError, Mnemonic, Timing, accesses, extent, integer, option, real, stride

ENCODING = Encoding(1024, (("opcode", 0, 4), ("waits", 4, 16), ("release", 20, 16), ("done", 36, 16), ("mark", 52, 12)))
_FIELDS = (option("sel", "one", "two", "three"), integer("low", 3, 200), integer("wide", -300, 255), stride("s_k", 24), extent("n_k"),
           integer("s", 0, 1000), integer("t", 0, 3), real("p"), integer("d", 0, 9))
_BYTES = Operand("SRC", "u8", (4, 1))
_TABLE = Operand("TAB", "u8", (1,))
_K, _C = Loop("k", "n_k"), Loop("c", 4)


def _effect(index=None):
    source = Load(_BYTES, (field("s") + field("s_k") * _K if index is None else index, Aff.of(_C)))
    signed = Load(Operand("SRC", "i8", (4, 1)), source.index)
    other = Load(Operand("OTHER", "u8", (4, 1)), source.index)
    value = Choose("sel", (source, signed, other))
    return Nest((_K, _C), Load(Operand("DST", "u8", (16, 1)), (field("d") + _K, Aff.of(_C))), Lookup(_TABLE, 256 * field("t"), value))


def _mnemonic(fields=_FIELDS, **options):
    return Mnemonic("TEST", 5, "UNIT", fields, **{"effect": _effect(), **options})


def test_layout_has_no_gaps_and_bits_are_the_stated_ones():
    places = list(ENCODING.places(_mnemonic()))
    assert [(f.name, offset, width, signed) for f, offset, width, signed in places] == [
        ("sel", 64, 2, False), ("low", 66, 8, False), ("wide", 74, 10, True), ("s_k", 84, 24, True), ("n_k", 108, 16, False),
        ("s", 124, 10, False), ("t", 134, 2, False), ("p", 136, 32, False), ("d", 168, 4, False)]
    word = int.from_bytes(ENCODING.encode(_mnemonic(), {"sel": "three", "low": 4, "wide": -2, "s_k": -1, "n_k": 65536, "p": -1.0, "d": 9},
                                 Header(waits=0x8001, release=3, done=0xFFFF, mark=4095)), "little")
    assert word == (5 | 0x8001 << 4 | 3 << 20 | 0xFFFF << 36 | 4095 << 52 | 2 << 64 | 1 << 66 | (2**10 - 2) << 74
                    | (2**24 - 1) << 84 | 65535 << 108 | 0xBF800000 << 136 | 9 << 168)


def test_every_value_returns():
    m, rng = _mnemonic(), random.Random(1)
    for _ in range(500):
        values = {f.name: rng.choice((f.low, f.high, rng.randint(f.low, f.high))) for f in m.fields if f.kind != "f32"}
        values["p"] = float(np.uint32(rng.getrandbits(32)).view(np.float32))
        header = Header(*(rng.getrandbits(16) for _ in range(3)), rng.getrandbits(12))
        kind, fields, head = ENCODING.decode(ENCODING.encode(m, values, header), (m,))
        assert (kind, head) == (m, header)
        assert fields == pytest.approx(values, rel=0, abs=0, nan_ok=True)


def test_complete_fields_are_what_decoding_gives():
    full = _mnemonic().complete({"sel": "two", "p": 0.1, "wide": np.int16(-3), "t": True})
    assert full == ENCODING.decode(ENCODING.encode(_mnemonic(), full), (_mnemonic(),))[1]
    assert full == {"sel": 1, "low": 3, "wide": -3, "s_k": 0, "n_k": 1, "s": 0, "t": 1, "p": float(np.float32(0.1)), "d": 0}


@pytest.mark.parametrize(("values", "message"), [
    ({"low": 2}, "TEST.low must be in 3..200, not 2"),
    ({"wide": 256}, "TEST.wide must be in -300..255, not 256"),
    ({"wide": 1.5}, "TEST.wide must be in -300..255, not 1.5"),
    ({"n_k": 0}, "TEST.n_k must be in 1..65536, not 0"),
    ({"sel": "four"}, "TEST.sel must be one of one, two, three, not 'four'"),
    ({"sel": 3}, "TEST.sel must be one of one, two, three, not 3"),
    ({"p": 1e39}, "TEST.p must be a binary32 number, not 1e+39"),
    ({"p": "1"}, "TEST.p must be a binary32 number, not '1'"),
    ({"q": 1}, "TEST has no field 'q'"),
])
def test_fields_out_of_range(values, message):
    with pytest.raises(EncodingError) as error:
        ENCODING.encode(_mnemonic(), values)
    assert str(error.value) == message


@pytest.mark.parametrize(("header", "message"), [
    (Header(waits=1 << 16), "TEST's waits must be in 0..65535, not 65536"),
    (Header(done=-1), "TEST's done must be in 0..65535, not -1"),
    (Header(mark=4096), "TEST's mark must be in 0..4095, not 4096"),
])
def test_headers_out_of_range(header, message):
    with pytest.raises(EncodingError) as error:
        ENCODING.encode(_mnemonic(), {}, header)
    assert str(error.value) == message


@pytest.mark.parametrize(("image", "message"), [
    (bytes(127), "an instruction must have 128 bytes, not 127"),
    (b"\x07" + bytes(127), "no instruction has opcode 7"),
    ((5 | 3 << 64).to_bytes(128, "little"), "TEST.sel must be one of one, two, three, not 3"),
    ((5 | 255 << 66).to_bytes(128, "little"), "TEST.low must be in 3..200, not 258"),
])
def test_images_that_are_none(image, message):
    with pytest.raises(EncodingError) as error:
        ENCODING.decode(image, (_mnemonic(),))
    assert str(error.value) == message


def test_end_of_program():
    assert ENCODING.decode(bytes(128), ()) == (None, {}, Header())


@pytest.mark.parametrize(("options", "message"), [
    ({"fields": (*_FIELDS, real("p"))}, "TEST has two fields of one name"),
    ({"timing": Timing(occupancy="n_k * n_j")}, "TEST has no field 'n_j', which 'n_k * n_j' names"),
    ({"rules": ("n_k <= width",)}, "TEST has no field 'width', which 'n_k <= width' names"),
])
def test_mnemonics_that_are_none(options, message):
    with pytest.raises(ValueError) as error:
        _mnemonic(**options)
    assert str(error.value) == message


def test_accesses_come_with_the_choices_that_lead_to_them():
    assert set(accesses(_mnemonic())) == {
        Access("SRC", 4, "s", (("s_k", "n_k"),), 4, (("sel", (0, 1)),), False),
        Access("OTHER", 4, "s", (("s_k", "n_k"),), 4, (("sel", (2,)),), False),
        Access("TAB", 256, "t", (), 256, (), False),
        Access("DST", 16, "d", ((1, "n_k"),), 4, (), True),
    }


def test_an_access_that_is_not_chosen_breaks_nothing():
    m = _mnemonic()
    sizes = {"SRC": 64, "OTHER": 32, "TAB": 1024, "DST": 256}
    outside = {"s": 10, "s_k": -2, "n_k": 4, "t": 3}
    assert m.violations(m.complete(outside), sizes) == []
    assert m.violations(m.complete({**outside, "sel": 2}), sizes) == ["TEST reads OTHER bytes 16..43 of 32"]
    assert m.violations(m.complete({**outside, "s_k": 2}), sizes) == ["TEST reads SRC bytes 40..67 of 64"]
    assert m.violations(m.complete({**outside, "s": 5}), sizes) == ["TEST reads SRC bytes -4..23 of 64"]
    assert m.violations(m.complete({**outside, "d": 9, "n_k": 8, "s_k": 0}), sizes) == ["TEST writes DST bytes 144..259 of 256"]


@pytest.mark.parametrize(("index", "message"), [
    (Aff.of(3), "an access of SRC must have one field as its base, not 12"),
    (field("s") + field("t"), "an access of SRC must have one field as its base, not 4*s + 4*t"),
    (field("s") + 2 * _K, "an access of SRC must step by 4 times a field, not 8"),
    (field("s") + field("t") * _C, "an access of SRC must have constant steps along lanes, not 1 + 4*t"),
])
def test_addresses_that_hardware_cannot_check(index, message):
    with pytest.raises(ValueError) as error:
        accesses(_mnemonic(effect=_effect(index)))
    assert str(error.value) == message
