"""Runs a model or a program on a simulator, and compares every tensor with the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from tenon.acg.errors import CovenantError
from tenon.compiler.errors import CompileError
from tenon.compiler.host import read_inputs
from tenon.compiler.mapping import NetworkMapping
from tenon.flows.clock import Clock
from tenon.flows.comparison import compare
from tenon.flows.compile import Compiled, compile_source, load_folder, placements
from tenon.flows.energy import energy_of
from tenon.flows.energy_table import EnergyTable
from tenon.flows.errors import UserError
from tenon.flows.execution import Execution, Simulator, Tensors, execute
from tenon.flows.host_parts import enter
from tenon.flows.report import Accuracy, Report, report_of
from tenon.flows.shapes import Sizes
from tenon.flows.source import Feeds, Source, open_source, random_feeds, read_feeds
from tenon.flows.target import Target, read_covenant, target_of
from tenon.hw.params import SystolicParams
from tenon.tb.gateware import graph_of
from tenon.tb.rtl import Dram
from tenon.tb.waves import Waves

__all__ = ["Job", "job_of", "prepare", "run", "with_energy", "with_power"]

_IMAGES = 100  # test images of a network that has some


@dataclass(frozen=True)
class Job:
    """A program with the inputs of its runs, ready for any simulator. ``name``: of the model; ``params``: the hardware
    that it was compiled for, None if there is none but a covenant; ``labels``: the right class for each run."""

    compiled: Compiled
    params: SystolicParams | None
    name: str
    feeds: list[Feeds]
    labels: np.ndarray | None = None


def prepare(model: str, hardware: SystolicParams | Target | None, *, inputs: Path | None = None, runs: int | None = None,
            sizes: Sizes | None = None, schedule: str | None = None, on_chip: bool = False,
            mapping: NetworkMapping | None = None, progress: Callable[[str], None] | None = None,
            note: Callable[[str], None] = lambda _: None) -> Job:
    """Compiles ``model`` (or loads it, if it is a program folder) and finds its inputs.

    Parameters
    ----------
    hardware : SystolicParams or Target, optional
        A program folder's own if not given.
    inputs : Path, optional
        An ``.npz`` file with the model's inputs; else the built-in's test inputs, or seeded random ones.
    runs : int, optional
        How many inputs; all test images up to 100, else one.
    sizes, schedule, on_chip, mapping :
        As ``open_source`` and ``compile_source`` have them; a program folder is compiled already.
    note : callable, optional
        Told what was done to the inputs that nobody asked for.

    Raises
    ------
    UserError
        If a program folder is to be compiled in another way.
    """
    folder, target = Path(model), target_of(hardware) if isinstance(hardware, SystolicParams) else hardware
    if folder.is_dir():
        if schedule is not None or on_chip or sizes or mapping is not None:
            raise UserError(f"{model} is compiled already: give --schedule, --on-chip, --mappings and --shape to tenon compile")
        if target is None:
            target = _own_target(folder)
        compiled = load_folder(folder, target.covenant)
        source = Source(compiled.program.name, compiled.model)
    else:
        if target is None:
            raise CompileError(f"{model}: give the hardware to compile it for, with --config")
        source = open_source(model, sizes)
        compiled = compile_source(source, target.covenant, schedule=schedule or "optimal", on_chip=on_chip, mapping=mapping,
                                  progress=progress)
    if inputs is not None:
        return Job(compiled, target.params, source.name, [read_feeds(inputs, source.model, note)] * (runs or 1))
    return job_of(compiled, target.params, source, runs)


def job_of(compiled: Compiled, params: SystolicParams | None, source: Source, runs: int | None = None) -> Job:
    """``runs`` with the source's own test inputs (all test images up to 100 if not given), or seeded random ones."""
    if source.inputs is None:
        return Job(compiled, params, source.name, random_feeds(source.model, compiled.graph, runs or 1))
    count = runs or (_IMAGES if source.labels else 1)
    return Job(compiled, params, source.name, source.inputs(count), source.labels(count) if source.labels else None)


def _own_target(folder: Path) -> Target:
    """What a program folder was compiled for: the hardware whose parameters its covenant notes, or a covenant alone."""
    try:
        covenant = read_covenant(folder / "acg.json")
    except OSError as error:
        raise CompileError(f"{folder} is not a program: {error.filename}: {error.strerror}") from None
    except CovenantError as error:
        raise CompileError(f"{folder} is not a program: {error}") from None
    parameters = covenant.notes.get("parameters")
    if isinstance(parameters, dict):  # it may have been changed from what these parameters give
        target = target_of(SystolicParams.from_dict(parameters))
        if target.covenant.fingerprint == covenant.fingerprint:
            return target
    return Target(covenant)


def run(job: Job, simulator: Simulator, *, clock: Clock | None = None, dram: Dram | None = None, waves: Waves | None = None,
        observe: bool = False, progress: Callable[[int, int], None] | None = None) -> tuple[Report, Execution]:
    """Executes ``job`` on ``simulator`` and compares what it computed; ``clock``: what its cycles are to be in time, if that is known.

    Raises
    ------
    CompileError, SimulationError, UserError
        As ``compare`` and ``execute`` do.
    """
    compiled = job.compiled
    entered = enter(compiled.parts, job.feeds)
    tensors = [read_inputs(compiled.graph, feeds) for feeds in entered]
    execution = execute(compiled.program, tensors, simulator, params=job.params, dram=dram, waves=waves, observe=observe,
                        progress=progress)
    comparison = accuracy = None
    if execution.tensors:
        comparison, expected = compare(compiled.program, compiled.graph, compiled.model, job.feeds, execution.tensors, entered)
        if job.labels is not None:
            accuracy = _accuracy(compiled, job.labels, execution.tensors, expected)
    runs = len(execution.tensors) or len(execution.cycles)
    report = report_of(compiled.program, compiled.model, job.name, simulator, execution, runs, comparison=comparison, accuracy=accuracy,
                       placements=placements(compiled), clock=clock)
    return report, execution


def with_power(job: Job, report: Report, *, dram: Dram | None = None, progress: Callable[[str], None] = lambda _: None) -> Report:
    """``report`` of ``job`` with the energy of its first run.

    Raises
    ------
    UserError, SimulationError
        As ``power_of`` does.
    """
    from tenon.flows.hardware.power.measured import power_of  # heavy, and rarely wanted

    compiled = job.compiled
    inputs = read_inputs(compiled.graph, enter(compiled.parts, job.feeds[:1])[0])
    power = power_of(job.params, compiled.program, inputs, report.cycles, report.macs, dram=dram, progress=progress)
    return replace(report, power=power)


def with_energy(job: Job, report: Report, table: EnergyTable) -> Report:
    """``report`` of ``job`` with the energy of a run by counts."""
    program = job.compiled.program
    if job.params is not None:  # notes are of this version, whichever it was that compiled a program folder
        program = replace(program, covenant=graph_of(job.params))
    return replace(report, energy=energy_of(program, table, cycles=report.cycles))


def _accuracy(compiled: Compiled, labels: np.ndarray, results: Sequence[Tensors], expected: Sequence[dict]) -> Accuracy:
    model: onnx.ModelProto = compiled.model
    first = model.graph.output[0].name
    (output, *_) = compiled.program.outputs
    ours = sum(int(tensors[output].argmax()) == label for tensors, label in zip(results, labels, strict=True))
    theirs = sum(int(outputs[first].argmax()) == label for outputs, label in zip(expected, labels, strict=True))
    return Accuracy(len(labels), int(ours), int(theirs))
