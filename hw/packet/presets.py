"""Named configurations of the packet family."""

from __future__ import annotations

from tenon.hw.packet.params import VectorParams

__all__ = ["PACKET_PRESETS"]

_KIB = 1024

PACKET_PRESETS: dict[str, VectorParams] = {
    p.name: p for p in (
        VectorParams(name="vec16", lanes=16, float_lanes=8, spm_bytes=32 * _KIB, bus_bits=64),
        VectorParams(name="vec32", lanes=32, float_lanes=16, spm_bytes=256 * _KIB),
        VectorParams(name="vec128", lanes=128, float_lanes=32, spm_bytes=512 * _KIB),
    )
}
