"""Named configurations of the systolic family."""

from __future__ import annotations

from tenon.hw.params import SystolicParams

__all__ = ["PRESETS", "preset"]

_KIB = 1024

PRESETS: dict[str, SystolicParams] = {
    p.name: p
    for p in (
        SystolicParams(
            name="tiny", rows=4, cols=4, lanes=4, bus_bits=32,
            activation_bytes=8 * _KIB, weight_bytes=8 * _KIB, accumulator_bytes=8 * _KIB,
            vector_bytes=8 * _KIB, parameter_bytes=2 * _KIB, accumulator_register=1,
        ),
        SystolicParams(
            name="edge8", rows=8, cols=8, lanes=8, bus_bits=64,
            activation_bytes=64 * _KIB, weight_bytes=64 * _KIB, accumulator_bytes=32 * _KIB,
            vector_bytes=32 * _KIB, parameter_bytes=8 * _KIB,
        ),
        SystolicParams(  # fits an ECP5-85F: 140 of its 156 multipliers (`--area ecp5`)
            name="edge8_ecp5", rows=8, cols=8, lanes=4, bus_bits=64,
            activation_bytes=64 * _KIB, weight_bytes=64 * _KIB, accumulator_bytes=32 * _KIB,
            vector_bytes=32 * _KIB, parameter_bytes=8 * _KIB, product_register=1, accumulator_register=1,
            clock_gating=0,
        ),
        SystolicParams(name="edge16", accumulator_banks=4),
        SystolicParams(name="edge16_small", lanes=4, window_taps=0),
        SystolicParams(
            name="edge32", rows=32, cols=32, lanes=32, bus_bits=256,
            activation_bytes=256 * _KIB, weight_bytes=256 * _KIB, accumulator_bytes=128 * _KIB,
            vector_bytes=128 * _KIB, parameter_bytes=32 * _KIB,
        ),
    )
}


def preset(name: str) -> SystolicParams:
    """The preset called ``name``; KeyError lists the known ones."""
    try:
        return PRESETS[name]
    except KeyError:
        raise KeyError(f"{name!r} is not a preset; known are {', '.join(PRESETS)}") from None
