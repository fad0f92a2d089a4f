"""Named drives."""

from __future__ import annotations

from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset as accelerator
from tenon.hw.storage.params import StorageParams

__all__ = ["DRIVES", "drive"]

_KIB, _MIB, _GIB = 1024, 1024**2, 1024**3

DRIVES: dict[str, StorageParams] = {
    p.name: p
    for p in (
        StorageParams(  # for tests: its times are short
            name="tiny", accelerator=accelerator("tiny"), host_bits=64, queues=2, queue_entries=16, slots=16,
            channels=1, dies=2, planes=1, page_bytes=4096, spare_bytes=224, pages=16, blocks=64, read_ns=2_000, program_ns=10_000,
            erase_ns=50_000, bch_t=4, spare_percent=28, write_buffer_units=16, slm_bytes=_MIB,
            program_slots=2, program_bytes=256 * _KIB, arena_bytes=256 * _KIB, range_sets=4,
            burst_bytes=64,
        ),
        StorageParams(name="dscs8", accelerator=accelerator("edge8")),  # single-level cells
        StorageParams(  # the size of the drive in DSCS-Serverless, with the times of a 3D TLC part
            name="dscs128",
            accelerator=SystolicParams(
                name="array128", rows=128, cols=128, lanes=128, bus_bits=512, activation_bytes=_MIB, weight_bytes=_MIB,
                accumulator_bytes=_MIB, vector_bytes=_MIB, parameter_bytes=128 * _KIB),
            host_bits=512, queues=32, queue_entries=1024, slots=256, channels=8, dies=8, planes=4, page_bytes=16384,
            spare_bytes=2208, pages=2304, blocks=504, flash_bytes_per_cycle=4, read_ns=74_000, program_ns=1_900_000, erase_ns=15_000_000,
            bch_bytes=1024, bch_t=40, spare_percent=7, write_buffer_units=4096, slm_bytes=_GIB, program_slots=8,
            program_bytes=16 * _MIB, arena_bytes=64 * _MIB, range_sets=32, share=16, burst_bytes=1024, holdup_ns=10_000_000,
        ),
    )
}


def drive(name: str) -> StorageParams:
    """The drive called ``name``; KeyError lists the known ones."""
    try:
        return DRIVES[name]
    except KeyError:
        raise KeyError(f"{name!r} is not a drive; known are {', '.join(DRIVES)}") from None
