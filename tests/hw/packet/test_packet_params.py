"""Parameters of vector machines: what is refused, and that every machine within the domains describes itself."""

import random

import pytest

from tenon.acg.validate import validate
from tenon.hw.domain import ParameterError
from tenon.hw.packet.covenant import packet_covenant
from tenon.hw.packet.params import VectorParams


def test_random_machines_are_valid():
    rng, domains = random.Random(1), VectorParams.domains()
    found = 0
    while found < 40:
        values = {name: 1 << rng.randint(d.low.bit_length() - 1, d.high.bit_length() - 1) if d.power_of_two else rng.randint(d.low, d.high)
                  for name, d in domains.items()}
        try:
            params = VectorParams.from_dict(values)
        except ParameterError:
            continue
        validate(packet_covenant(params))
        found += 1


@pytest.mark.parametrize(("values", "message"), [
    ({"lanes": 24}, r"lanes must be a power of two in 16\.\.128, not 24"),
    ({"lane": 32}, "'lane' is not a parameter .*; did you mean 'lanes'"),
    ({"lanes": 32, "float_lanes": 4}, r"float_lanes must be lanes, a half or a quarter of them \(32, 16 or 8\), not 4"),
    ({"lanes": 128, "spm_bytes": 16384}, "spm_bytes must hold at least 64 vectors of 512 bytes, not 32"),
])
def test_refusals(values, message):
    with pytest.raises(ParameterError, match=message):
        VectorParams.from_dict(values)
