"""Engines alone in simulation: builds a bench around an ``engine_feed``, runs instructions through it, reads its log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tenon.tb import runner

__all__ = ["Log", "build", "simulate"]


@dataclass
class Log:
    """What the bench saw: cycles of pulses, (cycle, address) of reads, and writes in their order."""

    pulses: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    reads: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    writes: list[tuple] = field(default_factory=list)  #: (cycle, event, address, *values)


def build(verilog: str, engine: str, parameters: Mapping[str, int], no_inline: Sequence[str]) -> runner.Built:
    """``tb/ENGINE_bench.sv`` around ``tenon_ENGINE_engine``."""
    folder = Path(__file__).parent
    sources = {f"tenon_{engine}_engine.v": verilog,
               **{name: (folder / name).read_text() for name in ("engine_feed.sv", f"{engine}_bench.sv")}}
    return runner.build(sources, f"{engine}_bench", parameters=parameters, timing=True, no_inline=no_inline)


def simulate(built: runner.Built, folder: Path, memories: Mapping[str, np.ndarray], instructions: Sequence[bytes], *, limit: int,
             writes: str, gap: int = 0, deny: int | None = None, poison: bool = False, seed: int = 1) -> Log:
    """Runs ``instructions`` with these contents of memories, (words, bytes of a word) each; ends after ``limit`` cycles.

    ``writes``: the events that are writes; ``gap``, ``deny``: percent of cycles without an instruction and without a grant;
    ``poison``: memories lose their contents after the last release.
    """
    for name, words in {**memories, "instructions": np.frombuffer(b"".join(instructions), np.uint8).reshape(len(instructions), -1)}.items():
        (folder / f"{name.lower()}.bin").write_bytes(words[:, ::-1].tobytes())
    options = [f"+folder={folder}", f"+gap={gap}", f"+count={len(instructions)}", f"+limit={limit}",
               *([] if deny is None else [f"+deny={deny}"]), *(["+poison"] if poison else [])]
    runner.simulate(built, "tenon.tb.engine_bench", folder=folder, plusargs=options, seed=seed)
    log = Log()
    for entry in (folder / "log.txt").read_text().splitlines():
        event, *values = entry.split()
        cycle, *values = (int(value, 16) for value in values)
        if event in "TRDN":
            log.pulses[event].append(cycle)
        elif event in writes:
            log.writes.append((cycle, event, *values))
        else:
            log.reads[event].append((cycle, *values))
    return log
