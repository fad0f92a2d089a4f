"""What a drive's RTL does with random reads: how many a second, how long each takes, and what could be had at most."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tenon.flows.drive.run import prepare_drive
from tenon.flows.errors import UserError
from tenon.flows.run import Job
from tenon.hw.storage.flash.page import UnitFormat
from tenon.hw.storage.params import UNIT_BYTES, StorageParams
from tenon.tb.drive.system import PERIOD_NS, run_drive

__all__ = ["Load", "Network", "Reads", "limits", "measure_reads", "print_reads", "to_json"]

_PERCENT = (50, 90, 99, 99.9)
_SECOND = 10**9


@dataclass(frozen=True)
class Load:
    """Random reads of 4 KiB: how many, at a time at most, of how many blocks; ``share`` of what dies can do in the mean, 0: as fast as
    they end; by hardware or all by firmware."""

    commands: int
    depth: int
    blocks: int
    share: float = 0.0
    fast: bool = True

    @property
    def by(self) -> str:
        """Who carries them out."""
        return "hardware" if self.fast else "firmware"


@dataclass(frozen=True)
class Reads:
    """Of reads: how many in a second, without those at the beginning and end; percentiles of microseconds from submission to the host's
    knowing."""

    per_second: float
    microseconds: dict[str, float]


@dataclass(frozen=True)
class Network:
    """Cycles of an execution, the mean of several: alone, and while the host reads; percentiles of reads meanwhile."""

    model: str
    alone: float
    beside: float
    reads: Reads

    @property
    def speed(self) -> float:
        """Beside reads, of what it is alone."""
        return self.alone / self.beside


def limits(params: StorageParams) -> dict[str, float]:
    """Reads of 4 KiB in a second that a drive's parts could do at most: dies and flash buses, if blocks are there, the device's memory, the
    host's bus."""
    clock = _SECOND / PERIOD_NS
    found = {} if params.ram_blocks else {
        "dies": params.all_dies * _SECOND / params.read_ns, "flash buses": params.channels * clock / UnitFormat(params).words}
    passes = 1 if params.ram_blocks else 2  # into memory, and out of it
    return found | {"memory": clock * params.memory_bits / 8 / UNIT_BYTES / passes, "host's bus": clock * params.host_bits / 8 / UNIT_BYTES}


def measure_reads(params: StorageParams, load: Load, job: Job | None = None, *, seed: int = 1) -> tuple[Reads, Network | None]:
    """Reads alone, and with ``job`` a network too: its feeds are items of one chunk, executed again and again.

    Raises
    ------
    UserError
        If blocks do not fit beside the network's, or the network is not one for a drive.
    """
    queues = min(params.queues, 4)
    gap = 0.0 if load.share == 0 else _SECOND / PERIOD_NS / (load.share * min(limits(params).values()))
    arguments = {"commands": load.commands, "depth": load.depth, "gap": gap, "queues": queues, "entries": min(params.queue_entries, 64),
                 "blocks": load.blocks, "fast": load.fast, "vectors": params.vectors}
    room = params.units
    with tempfile.TemporaryDirectory(prefix="tenon-drive-bench-") as name:
        if job is not None:
            image, plan, data, cycles = prepare_drive(job, params)
            files = {"image": image, "plan": plan.to_json().encode(), "inputs": data}
            for kind, text in files.items():
                (Path(name) / kind).write_bytes(text)
            arguments["network"] = {kind: str(Path(name) / kind) for kind in files} | {"patience": 100 * cycles * len(job.feeds)}
            room -= -(-len(data) // UNIT_BYTES)
        if load.blocks > room:
            raise UserError(f"--blocks must be at most {room}, which {params.name} has room for, not {load.blocks}")
        if load.depth > queues * (arguments["entries"] - 1):
            raise UserError(f"--depth must be at most {queues * (arguments['entries'] - 1)}, the room of {queues} queues, not {load.depth}")
        found = run_drive(params, "tenon.tb.drive.scenarios.load:random_reads", arguments=arguments, seed=seed)
    network = None
    if job is not None:
        alone, beside = (sum(found[kind]) / len(found[kind]) for kind in ("network", "slower"))
        network = Network(job.name, alone, beside, _reads(found["beside"], load.depth))
    return _reads(found["alone"], load.depth), network


def _reads(found: dict, depth: int) -> Reads:
    latencies, ends = sorted(found["latencies"]), sorted(end for _, end in found["spans"])
    edge = min(depth, len(ends) // 4)
    steady = ends[edge:len(ends) - edge]
    rate = (len(steady) - 1) * _SECOND / PERIOD_NS / (steady[-1] - steady[0])
    return Reads(rate, {f"{p:g}": _percentile(latencies, p) * PERIOD_NS / 1000 for p in _PERCENT})


def _percentile(ordered: Sequence[int], percent: float) -> int:
    """The nearest rank."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def print_reads(params: StorageParams, load: Load, reads: Reads, network: Network | None) -> None:
    """Prints the figures, each beside its limit."""
    console = Console()
    most = limits(params)
    table = Table(title=f"{params.name}: {load.commands:,} random reads of 4 KiB, {load.depth} at a time, by {load.by}")
    for column in ("", "kIOPS", *(f"{p:g} %, us" for p in _PERCENT)):
        table.add_column(column, justify="right" if column else "left")
    rows = {"alone": reads} | ({f"beside {network.model}": network.reads} if network is not None else {})
    for name, found in rows.items():
        table.add_row(name, f"{found.per_second / 1e3:,.1f}", *(f"{us:,.2f}" for us in found.microseconds.values()))
    console.print(table)
    console.print("limits in kIOPS: " + ", ".join(f"{name} {value / 1e3:,.0f}" for name, value in most.items())
                  + f"; {100 * reads.per_second / min(most.values()):.1f} % of the least")
    if network is not None:
        console.print(f"{network.model}: {network.alone:,.0f} cycles alone, {network.beside:,.0f} beside reads: "
                      f"{100 * network.speed:.1f} % of its speed; 99 % of reads within "
                      f"{network.reads.microseconds['99'] / reads.microseconds['99']:.3f} of what they take alone")


def to_json(params: StorageParams, load: Load, reads: Reads, network: Network | None) -> str:
    """The figures, for other tools."""
    return json.dumps({"drive": params.name, "load": asdict(load), "limits": limits(params), "alone": asdict(reads),
                       "network": network and asdict(network) | {"speed": network.speed}}, indent=1)
