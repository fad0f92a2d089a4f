"""The Python API: what ``import tenon`` gives. Each function does what the command of its name does, and returns objects
that a notebook shows."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from tenon.acg import draw
from tenon.acg.graph import Graph as Covenant
from tenon.compiler.frontend import checked
from tenon.compiler.program import LayerRecord
from tenon.flows.clock import Clock, clock_of
from tenon.flows.compile import Compiled, Placement, compile_source, placements, save_folder
from tenon.flows.errors import UserError
from tenon.flows.execution import Simulator
from tenon.flows.generate import CLOCK_MHZ
from tenon.flows.generate import generate as write_hardware
from tenon.flows.html import parse_record, run_page
from tenon.flows.html.markup import Markup, count, element
from tenon.flows.html.tables import table
from tenon.flows.outputs import new_file
from tenon.flows.progress import expected_cycles
from tenon.flows.quantize import Drift, Right, drift, quantize_model, random_samples, read_samples, right, samples_of
from tenon.flows.report import Report
from tenon.flows.results import outputs_of, save_outputs
from tenon.flows.run import Job, job_of
from tenon.flows.run import run as execute
from tenon.flows.shapes import fix_shapes
from tenon.flows.source import Source, check_feeds, open_source, read_feeds
from tenon.hw.config import Configuration, load_config, read_config
from tenon.hw.params import SystolicParams
from tenon.tb.gateware import graph_of, header_of, verilog_of
from tenon.tb.rtl import Dram

__all__ = ["Hardware", "Model", "NetworkRun", "Program", "Quantized", "compile", "generate", "load_config", "quantize", "run"]

Arrays = Mapping[str, np.ndarray]
Config = str | Path | SystolicParams
Shapes = Mapping[str, int | Sequence[int]]


@dataclass(frozen=True)
class Hardware:
    """One accelerator of the family. ``clock_mhz``: of its constraints."""

    params: SystolicParams
    clock_mhz: float = CLOCK_MHZ

    @property
    def covenant(self) -> Covenant:
        """The description that the compiler works from."""
        return graph_of(self.params)

    @property
    def verilog(self) -> str:
        return verilog_of(self.params)

    @property
    def header(self) -> str:
        """The C header that a driver includes."""
        return header_of(self.params)

    def save(self, folder: str | Path) -> list[Path]:
        """Writes Verilog, covenant, C header and documentation; returns the files."""
        return write_hardware(self.params, Path(folder), clock_mhz=self.clock_mhz)

    def _repr_html_(self) -> str:
        return self.params._repr_html_() + draw.svg(self.covenant)


@dataclass(frozen=True)
class Quantized:
    """A quantised model, and what quantising changed on its samples."""

    name: str
    model: onnx.ModelProto
    samples: int
    measured: Right | list[Drift]

    def save(self, path: str | Path) -> None:
        """Writes the model as an ONNX file."""
        with new_file(Path(path)) as work:
            work.write_bytes(self.model.SerializeToString())

    def _repr_html_(self) -> str:
        if isinstance(self.measured, Right):
            columns = [("", False), ("right answers", True)]
            rows = [["before", f"{self.measured.before:,} of {self.samples:,}"], ["after", f"{self.measured.after:,} of {self.samples:,}"]]
        else:
            columns = [("output", False), ("largest error", True), ("relative RMS error", True)]
            rows = [[d.output, f"{d.max_abs:.4g}", f"{100 * d.relative_rms:.1f} %"] for d in self.measured]
        return _titled(f"{self.name}, quantised with {self.samples:,} samples", table(columns, rows))


Model = str | Path | onnx.ModelProto | Quantized


@dataclass(frozen=True)
class Program:
    """A network compiled for one accelerator. ``clock``: what the accelerator's cycles are in time, if that is known."""

    params: SystolicParams
    source: Source
    compiled: Compiled
    clock: Clock | None = None

    @property
    def layers(self) -> tuple[LayerRecord, ...]:
        """In the order in which they run."""
        return self.compiled.program.layers

    @property
    def placements(self) -> list[Placement]:
        """Where each node of the model runs, and why not on the array."""
        return placements(self.compiled)

    @property
    def expected_cycles(self) -> int | None:
        """Of a run with the standard DRAM, by the cycle model."""
        return expected_cycles(self.compiled.program, Dram())

    def save(self, folder: str | Path) -> list[Path]:
        """Writes the program folder that ``tenon run`` and the driver take; returns its files."""
        return save_folder(self.compiled, Path(folder))

    def _repr_html_(self) -> str:
        columns = [("layer", False), ("operator", False), ("engine", False), ("MACs", True), ("bound", True)]
        rows = [[layer.name, layer.op, layer.engine, count(layer.macs), count(layer.bound_cycles)] for layer in self.layers]
        return _titled(f"{self.source.name} on {self.params.name}: {len(self.compiled.program.instructions):,} instructions",
                       table(columns, rows))


@dataclass(frozen=True)
class NetworkRun:
    """What came of running a program. ``outputs``: of each run, by name; none from the cycle model."""

    report: Report
    outputs: list[dict[str, np.ndarray]]

    @property
    def cycles(self) -> int | None:
        """Of the first run; None from the functional simulator."""
        return self.report.cycles

    @property
    def passed(self) -> bool:
        """Everything equals the reference that must."""
        return self.report.comparison is None or self.report.comparison.passed

    def save_outputs(self, path: str | Path) -> None:
        """Writes the outputs as an ``.npz`` file; those of more than one run with the runs in their first dimension."""
        if not self.outputs:
            raise UserError("the cycle model computes no outputs")
        save_outputs(Path(path), self.outputs)

    def save_report(self, path: str | Path) -> None:
        """Writes the page (``.html``), or the report for other tools (``.json``)."""
        path = Path(path)
        if path.suffix not in (".html", ".json"):
            raise UserError(f"{path} must end in .html or .json")
        with new_file(path) as work:
            work.write_text(self._page() if path.suffix == ".html" else self.report.to_json(), encoding="utf-8")

    def _page(self) -> str:
        return run_page(parse_record(self.report.to_json(), "the report"))

    def _repr_html_(self) -> str:
        # A document of its own: a page's style is not to reach the notebook's.
        return f'<iframe srcdoc="{html.escape(self._page())}" width="100%" height="720" style="border: 0"></iframe>'


def _titled(title: str, content: Markup) -> str:
    return element("div", element("strong", title), content)


def _configuration(config: Config) -> Configuration:
    return Configuration(config) if isinstance(config, SystolicParams) else read_config(config)


def _source(model: Model, shapes: Shapes | None) -> Source:
    sizes = {name: (size,) if isinstance(size, int) else tuple(size) for name, size in (shapes or {}).items()}
    if isinstance(model, Quantized):
        return Source(model.name, fix_shapes(model.model, sizes))
    if isinstance(model, onnx.ModelProto):
        return Source(model.graph.name or "model", fix_shapes(checked(model, "the model"), sizes))
    return open_source(str(model), sizes)


def generate(config: Config, folder: str | Path | None = None) -> Hardware:
    """The hardware of ``config`` (a preset, a TOML file, parameters), written into ``folder`` if one is given.

    Raises
    ------
    ParameterError
        If the configuration is not valid.
    UserError
        If ``folder`` holds something that is not ours.
    """
    configuration = _configuration(config)
    hardware = Hardware(configuration.params, configuration.clock_mhz or CLOCK_MHZ)
    if folder is not None:
        hardware.save(folder)
    return hardware


def quantize(model: Model, samples: Arrays | str | Path | None = None, *, labels: np.ndarray | None = None,
             random: int | None = None, every_operator: bool = False, shapes: Shapes | None = None) -> Quantized:
    """Quantises a float ``model`` to 8 bits.

    Parameters
    ----------
    samples : mapping, str, Path
        Inputs to calibrate with: an array for each input, the samples in its first dimension; an ``.npz`` file; a folder of them.
    labels : array, optional
        The samples' classes: measure accuracy, rather than the error of each output.
    random : int, optional
        That many random inputs, for want of samples: results mean little.
    every_operator : bool
        Also those that ONNX Runtime leaves float of its own accord (Exp, Sum, ReduceSum, ...).
    shapes : mapping, optional
        Sizes of dynamic dimensions (``{"N": 1}``) or whole inputs, by name.

    Raises
    ------
    CompileError, UserError
        If the model is not float, or samples or labels do not fit it.
    """
    if (samples is None) == (random is None):
        raise UserError("give samples, or else random")
    source = _source(model, shapes)
    if samples is None:
        feeds = random_samples(source.model, random)
    elif isinstance(samples, Mapping):
        feeds = samples_of("samples", samples, source.model)
    else:
        feeds = read_samples(Path(samples), source.model)
    if labels is not None and np.shape(labels) != (len(feeds),):
        raise UserError(f"labels must be {len(feeds)} integers, one for each sample, not of shape {list(np.shape(labels))}")
    result = quantize_model(source.model, feeds, "random" if samples is None else "data", every_operator=every_operator)
    measured = drift(source.model, result, feeds) if labels is None else right(source.model, result, feeds, np.asarray(labels))
    return Quantized(source.name, result, len(feeds), measured)


def compile(model: Model, config: Config, *, schedule: str = "optimal", on_chip: bool = False, shapes: Shapes | None = None) -> Program:
    """Compiles ``model`` (an ONNX file, ``zoo:NAME``, a loaded or quantised model) for the hardware of ``config``.

    Parameters
    ----------
    schedule : str
        Order of layers: ``file``, ``greedy``, or ``optimal`` for the least memory.
    on_chip : bool
        Tensors stay on chip between layers where they fit, and out of comparisons.

    Raises
    ------
    CompileError
        If the model is not supported, or the configuration cannot hold a layer.
    ParameterError, UserError
        If the configuration or ``shapes`` are not valid.
    """
    configuration, source = _configuration(config), _source(model, shapes)
    compiled = compile_source(source, graph_of(configuration.params), schedule=schedule, on_chip=on_chip)
    return Program(configuration.params, source, compiled, clock_of(configuration, config))


def run(program: Program | Model, config: Config | None = None, *, inputs: Arrays | Sequence[Arrays] | str | Path | None = None,
        runs: int | None = None, simulator: str = "verilator", dram: Dram | None = None) -> NetworkRun:
    """Runs a program, or a model compiled for ``config``, and compares every tensor with the reference.

    Parameters
    ----------
    inputs : mapping, sequence of mappings, str, Path
        An array for each input of the model; one such mapping for each run; or an ``.npz`` file. Else test or random inputs.
    runs : int, optional
        How many test or random inputs.
    simulator : str
        ``verilator``, ``icarus``, ``functional`` (no cycles) or ``model`` (no values).

    Raises
    ------
    CompileError, ParameterError, SimulationError, UserError
        As compiling, reading inputs and simulating do.
    """
    if not isinstance(program, Program):
        if config is None:
            raise UserError("give the hardware to compile the model for, as config")
        program = compile(program, config)
    elif config is not None:
        raise UserError("the program is compiled already: give config to tenon.compile")
    if inputs is not None and runs is not None:
        raise UserError("runs is the number of test or random inputs: leave it out with inputs")
    model, compiled = program.source.model, program.compiled
    if inputs is None:
        job = job_of(compiled, program.params, program.source, runs)
    else:
        if isinstance(inputs, (str, Path)):
            feeds = [read_feeds(Path(inputs), model)]
        else:
            feeds = [check_feeds("inputs", given, model) for given in ([inputs] if isinstance(inputs, Mapping) else inputs)]
        if not feeds:
            raise UserError("inputs are empty: give a mapping for each run")
        job = Job(compiled, program.params, program.source.name, feeds)
    report, execution = execute(job, Simulator(simulator), clock=program.clock, dram=dram)
    return NetworkRun(report, outputs_of(compiled, job.feeds, execution.tensors) if execution.tensors else [])
