"""The clock that a configuration is taken to run at: its file says it, or a timing analysis measured what it allows."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from tenon.compiler.cache import cache_folder
from tenon.flows.hardware.timing import Timing
from tenon.hw.config import Configuration
from tenon.hw.params import SystolicParams
from tenon.tb.gateware import verilog_key

__all__ = ["Clock", "clock_of", "keep_clock"]


@dataclass(frozen=True)
class Clock:
    """``source`` says who says so."""

    mhz: float
    source: str

    def time_us(self, cycles: int) -> float:
        return cycles / self.mhz


def clock_of(config: Configuration, name: str | Path | None = None) -> Clock | None:
    """``clock_mhz`` of the file ``name``, else what ``tenon generate --timing`` last measured of this hardware, if it ever did."""
    if config.clock_mhz is not None:
        return Clock(config.clock_mhz, f"clock_mhz of {name}")
    path = _kept(config.params)
    return Clock(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def keep_clock(params: SystolicParams, timing: Timing) -> None:
    """Keeps what ``timing``, of all modules or of the whole of ``params``, allows: the place is that of the hardware's text, so that
    other hardware has none until it is measured itself."""
    slowest = timing.paths[0]
    clock = Clock(round(slowest.mhz, 1), f"tenon generate --timing {timing.technology}: {timing.scope}; {slowest.module} has the slowest")
    path = _kept(params)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(asdict(clock)), encoding="utf-8")
    partial.rename(path)


def _kept(params: SystolicParams) -> Path:
    return cache_folder() / "hardware" / f"clock-{verilog_key(params)}.json"
