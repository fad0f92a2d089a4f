"""A network over data at rest in a drive, in RTL: inputs in blocks, copied within the drive, executed, results read by the host."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tenon.acg.parts import Role
from tenon.compiler.drive.plan import Batch, Device, Plan, plan
from tenon.compiler.host import read_inputs
from tenon.compiler.image import pack
from tenon.compiler.program import Program
from tenon.flows.comparison import Comparison, compare
from tenon.flows.errors import UserError
from tenon.flows.execution import Simulator, execute
from tenon.flows.run import Job
from tenon.flows.source import Feeds, check_feeds, read_arrays
from tenon.hw.storage.covenant import drive_covenant
from tenon.hw.storage.nvme.commands import COPY_SOURCE_BLOCKS
from tenon.hw.storage.nvme.entries import COMPLETION_BYTES, SUBMISSION_BYTES
from tenon.hw.storage.params import TRANSFER_PAGES, UNIT_BYTES, StorageParams
from tenon.hw.storage.prp import PAGE_BYTES
from tenon.tb.drive.system import PERIOD_NS, run_drive

__all__ = ["DriveRun", "Phase", "Span", "batch_feeds", "prepare_drive", "results_of", "run_on_drive"]

_GRANULE = 64  # of memory ranges: what the drive says in Identify
_PATIENCE = 2_000_000  # cycles that any step may take beside what its items take
_COMMAND_CYCLES = 2000  # of firmware, for a command: an estimate that only chunk sizes depend on


@dataclass(frozen=True)
class Phase:
    """Steps of a kind: how many, cycles that at least one was under way, and bytes that they moved."""

    kind: str
    steps: int
    cycles: int
    bytes: int


@dataclass(frozen=True)
class Span:
    """A command of a kind, or a part in use: cycles from when until when."""

    name: str
    begin: int
    end: int


@dataclass(frozen=True)
class DriveRun:
    """What a run did, from the first step's submission to the last one's end."""

    drive: str
    model: str
    items: int
    chunk_items: int
    cycles: int
    compute_cycles: int  # of the accelerator
    copy_cycles: int  # the data's, at the pace that the drive's covenant promises
    phases: tuple[Phase, ...]
    host_bytes: int  # read and written by the drive
    command_bytes: int  # of those, entries of queues and of copies
    output_bytes: int
    bursts: dict[str, int]  # in the device's memory, by who asked
    comparison: Comparison
    wall_seconds: float
    steps: tuple[Span, ...] = ()
    parts: tuple[Span, ...] = ()  # if they were asked for

    @property
    def limit_cycles(self) -> int:
        """What no order of steps could be faster than: computing all items, or moving all data."""
        return max(self.compute_cycles, self.copy_cycles)

    @property
    def nanoseconds(self) -> int:
        return self.cycles * PERIOD_NS

    def to_json(self) -> str:
        values = {name: value for name, value in asdict(self).items() if name not in ("steps", "parts")}
        values |= {"limit_cycles": self.limit_cycles, "simulated_ns": self.nanoseconds, "mismatches": self.comparison.total.mismatches,
                   "elements": self.comparison.total.elements}
        return json.dumps(values, indent=1)


def batch_feeds(path: Path, job: Job) -> list[Feeds]:
    """The items of an ``.npz`` file: each of the model's inputs, one item behind the other along the first axis.

    Raises
    ------
    UserError
        If an array is missing, has another shape, or they have different numbers of items.
    """
    arrays, model = read_arrays(path), job.compiled.model
    ones = {i.name: tuple(d.dim_value for d in i.type.tensor_type.shape.dim) for i in model.graph.input}
    missing = [name for name in ones if name not in arrays]
    if missing:
        raise UserError(f"{path} has no array {missing[0]!r}, an input of the model")
    counts = {}
    for name, shape in ones.items():
        array = arrays[name]
        if array.ndim != len(shape) or array.shape[1:] != shape[1:] or array.shape[0] % shape[0]:
            raise UserError(f"{path}: {name} has shape {list(array.shape)}; a batch of items has {['N', *shape[1:]]}")
        counts[name] = array.shape[0] // shape[0]
    if len(set(counts.values())) != 1 or not min(counts.values()):
        raise UserError(f"{path}: the inputs have different numbers of items: " + ", ".join(f"{n} {c}" for n, c in counts.items()))
    count = min(counts.values())
    feeds = [{name: arrays[name][k * ones[name][0]:(k + 1) * ones[name][0]] for name in ones} for k in range(count)]
    for feed in feeds:
        check_feeds(str(path), feed, model)
    return feeds


def run_on_drive(job: Job, params: StorageParams, *, first_block: int = 0, seed: int = 1, trace: bool = False) -> DriveRun:
    """Runs ``job``, each of whose feeds is an item, in the drive's RTL. ``trace``: and notes which parts were in use when.

    Raises
    ------
    UserError
        If the host has a part of the network, or the drive cannot hold the program or the data.
    CompileError
        If the batch does not fit the memory namespace in chunks.
    """
    began = time.perf_counter()
    image, found, data, cycles = prepare_drive(job, params, first_block)
    compiled, program = job.compiled, job.compiled.program
    with tempfile.TemporaryDirectory(prefix="tenon-drive-run-") as name:
        folder = Path(name)
        files = {kind: folder / f"{kind}.bin" for kind in ("image", "inputs", "outputs", "plan")}
        files["image"].write_bytes(image)
        files["inputs"].write_bytes(data)
        files["plan"].write_text(found.to_json())
        told = run_drive(params, "tenon.tb.drive.scenarios.network:run_network", seed=seed,
                         tracks=trace, arguments={**{k: str(v) for k, v in files.items()}, "first_block": first_block,
                                                  "vectors": params.vectors,
                                    "patience": _PATIENCE + 4 * len(job.feeds) * cycles})
        results = results_of(program, found, files["outputs"].read_bytes(), len(job.feeds))
    comparison, _ = compare(program, compiled.graph, compiled.model, job.feeds, results)
    times = told["times"]
    copied, outputs = len(job.feeds) * found.input_stride, len(job.feeds) * found.output_stride
    host = sum(told["host_bytes"].values())
    commands = len(times) * (SUBMISSION_BYTES + COMPLETION_BYTES) + sum(t["kind"] == "copy" for t in times) * COPY_SOURCE_BLOCKS.size
    return DriveRun(
        params.name, job.name, len(job.feeds), found.chunk_items, max(t["end"] for t in times) - min(t["begin"] for t in times),
        sum(told["results"]), round(copied / _copy_rate(params)), _phases(times, found), host, commands, outputs,
        {name: count for name, count in told["bursts"].items() if name.endswith("bursts")}, comparison,
        time.perf_counter() - began, tuple(Span(t["kind"], t["begin"], t["end"]) for t in times),
        tuple(Span(*track) for track in told.get("tracks", ())))


def prepare_drive(job: Job, params: StorageParams, first_block: int = 0) -> tuple[bytes, Plan, bytes, int]:
    """A program's image, the plan of a batch, what lies at rest from ``first_block`` on, and cycles that an item takes.

    Raises as ``run_on_drive`` does.
    """
    compiled = job.compiled
    if compiled.parts.head is not None or compiled.parts.tail is not None:
        raise UserError(f"{job.name}: the host would have to compute a part of it, which a drive cannot wait for")
    program = compiled.program
    image = pack(program)
    if len(image) > params.program_bytes:
        raise UserError(f"{job.name}: its program has {len(image):,} bytes, more than the {params.program_bytes:,} of {params.name}")
    device = Device(block_bytes=UNIT_BYTES, memory_bytes=params.slm_bytes, granule=_GRANULE, most_copy_blocks=1 << 16,
                    most_read_bytes=TRANSFER_PAGES * PAGE_BYTES, bytes_per_cycle=_copy_rate(params), command_cycles=_COMMAND_CYCLES)
    segments, covenant = program.segments, program.covenant
    cycles, = execute(program, [read_inputs(compiled.graph, job.feeds[0])], Simulator.MODEL).cycles
    sizes = (segments[covenant.segment(role)] for role in (Role.INPUTS, Role.OUTPUTS, Role.SCRATCH))
    found = plan(Batch(len(job.feeds), *sizes, cycles), device, first_block)
    data = _inputs(job, found)
    if first_block * UNIT_BYTES + len(data) > params.units * UNIT_BYTES:
        raise UserError(f"{len(job.feeds)} items of {job.name} need {len(data):,} bytes; {params.name} has {params.units * UNIT_BYTES:,}")
    return image, found, data, cycles


def _copy_rate(params: StorageParams) -> float:
    """Bytes in a cycle, from blocks into the memory namespace."""
    promised = drive_covenant(params)
    return promised.rate(promised.blocks, "SLM")


def _inputs(job: Job, found: Plan) -> bytes:
    """What lies at rest: items' inputs as the accelerator reads them."""
    program, text = job.compiled.program, bytearray()
    for feeds in job.feeds:
        memory = program.memory()
        for name, array in read_inputs(job.compiled.graph, feeds).items():
            program.tensors[name].write(memory, array)
        item = memory["INPUTS"].tobytes()
        text += item + bytes(found.input_stride - len(item))
    return bytes(text)


def results_of(program: Program, found: Plan, outputs: bytes, items: int) -> list[dict[str, np.ndarray]]:
    """The output tensors of each item, from what was read."""
    results = []
    for number in range(items):
        memory = program.memory()
        at = number * found.output_stride
        memory["OUTPUTS"][:] = np.frombuffer(outputs, np.uint8, memory["OUTPUTS"].size, at)
        results.append({name: program.tensors[name].read(memory) for name in program.outputs})
    return results


def _phases(times: Sequence[dict], found: Plan) -> tuple[Phase, ...]:
    phases = []
    for kind in ("copy", "execute", "read"):
        spans = sorted((t["begin"], t["end"]) for t in times if t["kind"] == kind)
        busy, reached = 0, 0
        for begin, end in spans:
            busy += max(0, end - max(begin, reached))
            reached = max(reached, end)
        moved = sum(step.count * (UNIT_BYTES if kind == "copy" else 1) for step in found.steps if step.kind == kind and kind != "execute")
        phases.append(Phase(kind, len(spans), busy, moved))
    return tuple(phases)
