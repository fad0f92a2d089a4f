"""Configurations that the area model is fitted to, and others that it is held against."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import replace

from tenon.hw.params import Domain, ParameterError, SystolicParams
from tenon.hw.presets import preset

__all__ = ["FITTED", "HELD_OUT", "fitted", "held_out", "variants"]

FITTED, HELD_OUT = 24, 8  # configurations drawn, beside the presets

_PRESETS = ("tiny", "edge8", "edge8_ecp5", "edge16", "edge16_small", "edge32")
_KIB = 1024

#: What exploration varies: lowest and highest power of two.
_RANGES = {
    "rows": (4, 32), "cols": (4, 32), "bus_bits": (32, 256),
    "activation_bytes": (2 * _KIB, 256 * _KIB), "weight_bytes": (2 * _KIB, 256 * _KIB), "accumulator_bytes": (2 * _KIB, 256 * _KIB),
    "vector_bytes": (2 * _KIB, 256 * _KIB), "parameter_bytes": (_KIB, 64 * _KIB),
}
_WITHOUT_CELLS = ("axi_prot", "axi_cache", "axi_qos")  # constants at ports; clock gates are drawn, and must be found to change nothing
_SQUARE_SHARE = 0.5  # of configurations with as many rows as columns
_OTHER_SHARE = 0.25  # of those in which a parameter that is none of the above is drawn, too
_CANDIDATES = 12  # that a configuration is the best of: with many more, all lie in corners


def fitted() -> list[SystolicParams]:
    """The presets, and ``FITTED`` drawn ones: each the one of some candidates that is farthest from all before it."""
    chosen = [preset(name) for name in _PRESETS]
    drawn = _drawn("fitted")
    for _ in range(FITTED):
        candidates = itertools.islice(drawn, _CANDIDATES)
        chosen.append(max(candidates, key=lambda c: min(math.dist(_place(c), _place(p)) for p in chosen)))
    return chosen


def variants() -> list[SystolicParams]:
    """``tiny`` with one parameter at an end of its domain, for each that exploration does not vary: drawn configurations have few values
    of these. The other end is what ``tiny`` has, or is here too."""
    tiny = preset("tiny")
    return [replace(tiny, name=f"tiny_{name}_{end}", **{name: end})
            for name, domain in _others().items() for end in (domain.low, domain.high) if end != getattr(tiny, name)]


def _others() -> dict[str, Domain]:
    """Parameters that exploration does not vary, and that change cells."""
    return {name: domain for name, domain in SystolicParams.domains().items() if name not in (*_RANGES, *_WITHOUT_CELLS, "lanes")}


def held_out() -> list[SystolicParams]:
    """``HELD_OUT`` random configurations."""
    return list(itertools.islice(_drawn("unseen"), HELD_OUT))


def _place(params: SystolicParams) -> list[float]:
    """Of a configuration among those that differ in what exploration varies: each range is 0 to 1, in powers of two."""
    shares = [math.log2(getattr(params, name) / low) / math.log2(high / low) for name, (low, high) in _RANGES.items()]
    return [*shares, math.log2(params.cols / params.lanes) / 2]


def _drawn(series: str) -> Iterator[SystolicParams]:
    """Valid configurations without end. Each value depends on its own name only, so that a new parameter changes no other."""
    for number in itertools.count():
        def draw(name: str, number: int = number) -> random.Random:
            return random.Random(f"{series} {number} {name}")

        values = {name: draw(name).choice(_powers(*ends)) for name, ends in _RANGES.items()}
        if draw("square").random() < _SQUARE_SHARE:
            values["rows"] = values["cols"]
        values["lanes"] = values["cols"] // draw("lanes").choice((1, 2, 4))
        for name, domain in _others().items():
            if draw(name).random() < _OTHER_SHARE:
                values[name] = draw(f"{name} value").choice(_options(domain))
        try:
            yield replace(SystolicParams(name=f"{series}_{number}"), **values)
        except ParameterError:
            continue


def _powers(low: int, high: int) -> list[int]:
    return [1 << n for n in range(low.bit_length() - 1, high.bit_length())]


def _options(domain: Domain) -> list[int]:
    return _powers(domain.low, domain.high) if domain.power_of_two else list(range(domain.low, domain.high + 1))
