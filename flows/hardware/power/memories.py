"""Energy of an access to an on-chip memory: an assumption, since no open library has one.

M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figure 1.1.9: reading 64 bits of a cache of 8 KB,
32 KB and 1 MB takes 10, 20 and 100 pJ in 45 nm at 0.9 V. Between and beyond these sizes the energy is taken as a power of the size,
as between the two nearest; in proportion to the bits, writes as reads. It is scaled to the library's 180 nm and 1.8 V by C V^2 with
capacitances in proportion to the feature size: 4 times 4. Tags and comparison are in the published figures and not in these memories.
"""

from __future__ import annotations

import math

__all__ = ["ASSUMPTION", "access_pj"]

_PUBLISHED = ((8 << 10, 10.0), (32 << 10, 20.0), (1 << 20, 100.0))  # bytes, pJ for 64 bits
_SCALE = (180 / 45) * (1.8 / 0.9) ** 2

ASSUMPTION = (f"memories: 10, 20, 100 pJ for 64 bits of 8 KB, 32 KB, 1 MB (Horowitz, ISSCC 2014, caches in 45 nm, 0.9 V), times {_SCALE:g} "
              "for 180 nm, 1.8 V: an assumption, not a measurement")


def access_pj(memory_bytes: float, bits: int) -> float:
    """Of reading or writing ``bits`` of a memory of ``memory_bytes``."""
    (small, low), (large, high) = _PUBLISHED[:2] if memory_bytes < _PUBLISHED[1][0] else _PUBLISHED[1:]
    exponent = math.log(high / low) / math.log(large / small)
    return low * (memory_bytes / small) ** exponent * bits / 64 * _SCALE
