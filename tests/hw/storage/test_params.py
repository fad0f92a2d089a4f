"""Parameters of drives: what they come to, and what is refused."""

from dataclasses import replace

import pytest

from tenon.hw.domain import ParameterError
from tenon.hw.storage.params import UNIT_BYTES, StorageParams
from tenon.hw.storage.presets import DRIVES, drive


def test_what_presets_come_to():
    """Bytes of flash and of parity in a page; the accelerator."""
    sizes = {p.name: (p.raw_units * UNIT_BYTES, p.parity_bytes, p.field_bits, p.accelerator.rows) for p in DRIVES.values()}
    assert sizes == {"tiny": (8 << 20, 64, 13, 4), "dscs8": (256 << 20, 224, 13, 8),
                     "dscs128": (8 * 8 * 4 * 504 * 2304 * 16384, 1152, 14, 128)}
    for p in DRIVES.values():
        assert p.units == p.raw_units * (100 - p.spare_percent) // 100
        assert p.visible_blocks * p.all_dies * p.block_units >= p.units
        assert p.parity_bytes + p.metadata_bytes < p.spare_bytes
        assert 8 * p.protected_bytes + p.field_bits * p.bch_t < 1 << p.field_bits
        assert StorageParams.from_dict(p.to_dict()) == p
    assert drive("tiny") is DRIVES["tiny"]
    with pytest.raises(KeyError, match="'huge' is not a drive; known are tiny, dscs8, dscs128"):
        drive("huge")


def test_codes_are_as_long_as_they_must_be():
    """A shorter field would not do; t more bits take m more each."""
    for size in (512, 1024):
        for t in (2, 8, 13, 40):
            p = StorageParams(bch_bytes=size, bch_t=t, spare_bytes=2240)
            assert 8 * p.protected_bytes + (p.field_bits - 1) * t >= 1 << (p.field_bits - 1)
            assert 0 <= 8 * p.codeword_parity_bytes - p.field_bits * t < 8 * p.flash_bytes_per_cycle and p.codewords * size == p.page_bytes


@pytest.mark.parametrize("name, changed", [
    (name, value) for name, domain in StorageParams.domains().items() for value in (domain.low - 1, domain.high + 1, "1", True)])
def test_values_outside_their_domains_are_refused(name, changed):
    with pytest.raises(ParameterError, match=f"^{name} must be "):
        replace(drive("dscs8"), **{name: changed})


@pytest.mark.parametrize("changes, words", [
    ({"bch_t": 40}, "spare_bytes must hold 1056 bytes of parity .16 codewords., 32 of metadata and 2 that stay free, not 448"),
    ({"spare_bytes": 257}, "spare_bytes must hold 224 bytes of parity"),
    ({"spare_percent": 5}, "blocks must leave 4 of each plane beside 4"),
    ({"blocks": 16}, "blocks must leave"),
    ({"slm_bytes": 1 << 30, "accelerator": 7}, "accelerator must be the parameters of one"),
    ({"name": "two words"}, "name must be an identifier")])
def test_what_does_not_fit_together_is_refused(changes, words):
    with pytest.raises(ParameterError, match=words):
        replace(drive("dscs8"), **changes)
    assert replace(drive("dscs8"), spare_bytes=258).spare_bytes == 258, "to the byte"


def test_unknown_names_are_refused():
    with pytest.raises(ParameterError, match="'chanels' is not a parameter of StorageParams; did you mean 'channels'"):
        StorageParams.from_dict({"chanels": 2})
    with pytest.raises(ParameterError, match="'row' is not a parameter of SystolicParams; did you mean 'rows'"):
        StorageParams.from_dict({"accelerator": {"row": 8}})
