"""What a run costs: energy by part of the accelerator, for one multiply-accumulate, and mean power at a clock."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tenon.flows.clock import Clock

__all__ = ["MemoryEnergy", "PartEnergy", "Power"]


@dataclass(frozen=True)
class PartEnergy:
    """uJ of one part in the run. ``toggles``: of nets and within cells, ``glitches`` the part of these that no result needed;
    ``clock_pins``: of registers whose clock was not gated, ``idle_clock_pins`` the part of these in cycles in which no register of
    the same instance changed."""

    part: str
    toggles_uj: float
    glitches_uj: float
    clock_pins_uj: float
    idle_clock_pins_uj: float

    @property
    def uj(self) -> float:
        return self.toggles_uj + self.clock_pins_uj


@dataclass(frozen=True)
class MemoryEnergy:
    """Of one memory with all its banks: words read from a bank, bits written."""

    memory: str
    reads: int
    written_bits: int
    uj: float


@dataclass(frozen=True)
class Power:
    """Energy of one run of ``cycles``, from ``sampled_cycles`` of these in ``samples`` pieces; ``error_uj`` is the standard error of
    ``logic_uj`` that comes of that. ``activity``: toggles of a net in a cycle, on average."""

    cycles: int
    macs: int
    samples: int
    sampled_cycles: int
    parts: tuple[PartEnergy, ...]
    memories: tuple[MemoryEnergy, ...]
    error_uj: float
    activity: float
    leakage_uw: float
    conditions: tuple[str, ...]

    @property
    def logic_uj(self) -> float:
        return sum(part.uj for part in self.parts)

    @property
    def memories_uj(self) -> float:
        return sum(memory.uj for memory in self.memories)

    @property
    def uj(self) -> float:
        return self.logic_uj + self.memories_uj

    @property
    def clock_pins_uj(self) -> float:
        return sum(part.clock_pins_uj for part in self.parts)

    @property
    def pj_per_mac(self) -> float | None:
        return 1e6 * self.uj / self.macs if self.macs else None

    def mean_mw(self, clock: Clock) -> float:
        """At a clock, leakage of the logic with it."""
        return 1000 * self.uj / clock.time_us(self.cycles) + self.leakage_uw / 1000

    def fields(self, clock: Clock | None) -> dict[str, object]:
        """For JSON."""
        sums = {name: getattr(self, name) for name in ("uj", "logic_uj", "memories_uj", "clock_pins_uj", "pj_per_mac")}
        return asdict(self) | sums | {"mean_mw": self.mean_mw(clock) if clock is not None else None}
