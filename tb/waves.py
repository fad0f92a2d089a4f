"""Records the signals of a simulated system into a file."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tenon.tb import runner

__all__ = ["Waves"]


@dataclass(frozen=True)
class Waves:
    """Records every signal into ``path``, in the format of its suffix: ``.fst``, else VCD. ``begin`` and ``end``: only
    between these cycles of the first run (else the whole simulation, resets and register accesses with it). ``every`` and
    ``length``: only so many cycles at the start of each ``every``, in Verilator."""

    path: Path
    begin: int = 0
    end: int | None = None
    every: int | None = None
    length: int = 1

    @property
    def format(self) -> str:
        return "fst" if self.path.suffix == ".fst" else "vcd"

    def plusargs(self) -> list[str]:
        window = [] if self.end is None else [f"+waves_to={self.end}"]
        samples = [] if self.every is None else [f"+waves_every={self.every}", f"+waves_length={self.length}"]
        return [f"+waves=waves.{self.format}", f"+waves_from={self.begin}", *window, *samples]

    def keep(self, folder: Path) -> None:
        """Moves what a simulation in ``folder`` recorded to its place.

        Raises
        ------
        tb.runner.SimulationError
            There is nothing.
        """
        written = folder / f"waves.{self.format}"
        if not written.exists():
            raise runner.SimulationError(f"no waves were recorded: the first run ended before cycle {self.begin}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(written, self.path)
