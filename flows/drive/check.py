"""Holds a drive's RTL against what NVMe and its own description say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tenon.hw.storage.covenant import drive_covenant
from tenon.hw.storage.params import StorageParams
from tenon.tb.drive.system import run_drive
from tenon.tb.runner import SimulationError

__all__ = ["Amounts", "check_drive"]

_SCENARIOS = "tenon.tb.drive.scenarios"
_RATES = (0.85, 1.02)  # of what is promised, that must be measured
_LATENCIES = (0.85, 1.15)
_WRONG_BITS = 100_000  # of a thousand million that are read


@dataclass(frozen=True)
class Amounts:
    """How much of each: commands of random traffic, histories, malformed commands, times its capacity that is written."""

    traffic: int
    histories: int
    malformed: int
    capacities: float
    rounds: int = 16  # commands of 128 KiB for each rate


def check_drive(params: StorageParams, amounts: Amounts, seed: int) -> Iterator[str]:
    """A line for each part, when it has passed.

    Raises
    ------
    tb.runner.SimulationError
        If one has not.
    """
    def run(scenario: str, *nand: str, **arguments) -> dict:
        return run_drive(params, f"{_SCENARIOS}.{scenario}", seed=seed, arguments=arguments, nand=nand)

    found = run("traffic:random_traffic", commands=amounts.traffic, queues=params.queues, depth=4, entries=params.queue_entries)
    yield f"traffic: {amounts.traffic:,} commands, {found['cycles']:,} cycles, every block as it was written"
    found = run("histories:histories", count=amounts.histories, first_seed=10_000 * seed, queues=params.queues, vectors=params.vectors)
    yield (f"histories: {amounts.histories:,}, {sum(found['seen'].values()):,} commands, {found['cycles']:,} cycles, hardware and firmware "
           "answer alike")
    yield from _rates(params, run("rates:rates", rounds=amounts.rounds, vectors=params.vectors,
                                  blocks=drive_covenant(params).blocks))
    found = run("malformed:malformed", config=params.name, commands=amounts.malformed)
    yield (f"malformed: {amounts.malformed:,} commands, {found['cycles']:,} cycles, every status as it must be; nothing touched that no "
           "command describes")
    if params.ram_blocks or amounts.capacities == 0:
        return
    writes = max(1, round(amounts.capacities * params.units))
    found = run("integrity:random_writes", f"+nand_errors={_WRONG_BITS}", writes=writes, depth=8, verify=0.05, vectors=params.vectors)
    seen = found["seen"]
    yield (f"integrity: {seen['written']:,} blocks written, {writes / params.units:g} times the capacity; one bit of "
           f"{10**9 // _WRONG_BITS:,} read wrong; {found['cycles']:,} cycles; {seen['read']:,} reads, all right but "
           f"{seen.get('unrecovered', 0)} that the drive said to be lost")


def _rates(params: StorageParams, found: dict) -> Iterator[str]:
    promised = drive_covenant(params)
    for edge, rate in found["rates"].items():
        due = promised.rate(*edge.split())
        yield _held(f"{' to '.join(edge.split())}: {rate:.2f} bytes in a cycle", rate / due, f"{due:.2f}", _RATES)
    for command in promised.commands:
        if command.latency is not None:
            cycles = found["latencies"][command.name]
            yield _held(f"{command.name} alone: {cycles:,} cycles", cycles / command.latency, f"{command.latency:,}", _LATENCIES)


def _held(measured: str, share: float, promised: str, bounds: tuple[float, float]) -> str:
    line = f"{measured}, {100 * share:.1f} % of {promised} that the covenant says"
    if not bounds[0] <= share <= bounds[1]:
        raise SimulationError(f"{line}; it must be {100 * bounds[0]:.0f} to {100 * bounds[1]:.0f} %")
    return line
