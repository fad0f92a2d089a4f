"""The command ``tenon``: reads the command line, calls one function of a pipeline, prints what it returns."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from tenon.flows.drive.commands import drive
from tenon.flows.errors import UserError, user_errors
from tenon.flows.version import version

__all__ = ["main"]

_PAUSE_SECONDS = 30  # between lines on progress where they stay
_TECHNOLOGIES = ("ecp5", "osu018")
_TUNERS = ("gaussian", "release", "chameleon", "anneal", "anneal+sampling", "tpe", "descent", "metropolis", "ranked", "random")
_SAMPLERS = ("guided", "nsga2", "tpe", "random", "grid")
_SIMULATORS = ("verilator", "icarus", "functional", "model")


class _Interruptible(click.Group):
    """Ends with 128 + SIGINT at Ctrl-C, as shells expect it; click itself would end with 1, which means a difference here."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("tenon: interrupted", err=True)
            ctx.exit(128 + signal.SIGINT)


@click.group(cls=_Interruptible, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version(), prog_name="tenon")
def main() -> None:
    """Generates DNN accelerators, compiles ONNX networks for them, and runs both in RTL simulation.

    CONFIG is a preset (tiny, edge8, edge8_ecp5, edge16, edge16_small, edge32) or a TOML file, and wherever no RTL is wanted it may be a
    covenant's file (.json), of whatever machine; MODEL an ONNX file or a built-in network such as zoo:resnet18: tenon zoo lists them.
    """
    # Deriving the covenant constructs components without elaborating them, which Amaranth takes for a slip.
    warnings.filterwarnings("ignore", message=r"<.*> created but never used")


@main.command()
@click.argument("config")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("build/rtl"), show_default=True, help="Folder to write.")
@click.option("--prefix", default="tenon", show_default=True, help="Name of the top module; all other names begin with it.")
@click.option("--clock-mhz", type=float, help="Clock of the constraints.  [default: clock_mhz of CONFIG, or 100]")
@click.option("--area", type=click.Choice(_TECHNOLOGIES), is_flag=False, flag_value=_TECHNOLOGIES[0],
              help="Synthesise it, and print what each module takes, on an FPGA unless you say otherwise.")
@click.option("--timing", type=click.Choice(_TECHNOLOGIES), is_flag=False, flag_value=_TECHNOLOGIES[0],
              help="Find the slowest path of each module, on an FPGA unless you say otherwise.")
@click.option("--module", "modules", multiple=True, metavar="NAME", help="Of this module alone, its path cell by cell; may be repeated.")
@click.option("--whole", is_flag=True, help="Of the accelerator as a whole: minutes, and tens of minutes on an FPGA.")
@click.option("--clock", type=click.FloatRange(0, min_open=True), metavar="MHZ", help="Fail if that is faster than the timing allows.")
@click.option("--tries", type=click.IntRange(1), default=1, show_default=True, metavar="N",
              help="Placements that are tried on an FPGA for each module, until one reaches --clock; the fastest counts.")
@click.option("--log", type=click.Path(path_type=Path), help="Write what nextpnr says there, as it goes.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the area or the timing there, for other tools.")
def generate(config: str, output: Path, prefix: str, clock_mhz: float | None, area: str | None, timing: str | None,
             modules: tuple[str, ...], whole: bool, clock: float | None, tries: int, log: Path | None,
             json_file: Path | None) -> None:
    """Writes the hardware of CONFIG: Verilog with waivers for its lint, acg.json, C header, ISA and register pages, constraints, and
    what FuseSoC, IP-XACT and LiteX need to know of it."""
    with user_errors():
        from tenon.flows.generate import CLOCK_MHZ, file_names
        from tenon.flows.generate import generate as write
        from tenon.flows.outputs import check_file, check_folder
        from tenon.flows.product.names import check_prefix
        from tenon.hw.config import read_config

        _check_analysis(area, timing, modules, whole, clock, tries, log, json_file)
        chosen = read_config(config)
        params = chosen.params
        if clock_mhz is None:
            clock_mhz = chosen.clock_mhz or CLOCK_MHZ
        check_folder(output, file_names(check_prefix(prefix)))
        for path in filter(None, (log, json_file)):
            check_file(path)
        with _status(f"generating {params.name}"):
            files = write(params, output, prefix=prefix, clock_mhz=clock_mhz)
        for path in files:
            click.echo(f"{path}  {path.stat().st_size:,} bytes")
        if area is not None:
            from tenon.flows.hardware.analysis import design_of
            from tenon.flows.hardware.area import area_of
            from tenon.flows.tables import print_area

            with _status(f"synthesising {params.name}") as say:
                found = area_of(design_of(params), params.name, area, say)
            _write(json_file, found.to_json())
            print_area(found)
        if timing is not None:
            from tenon.flows.clock import keep_clock
            from tenon.flows.hardware.analysis import check_clock, timing_of
            from tenon.flows.tables import print_timing

            with _status(f"timing of {params.name}") as say:
                found = timing_of(params, timing, modules, whole=whole, log=log, tries=tries, clock_mhz=clock, progress=say)
            if not modules:
                keep_clock(params, found)
            _write(json_file, found.to_json())
            print_timing(found, steps=bool(modules) or len(found.paths) == 1)
            if clock is not None:
                check_clock(found, clock)


@main.command()
@click.argument("config")
@click.option("--check", is_flag=True, help="Measure what it promises in RTL simulation.")
@click.option("--svg", type=click.Path(path_type=Path), help="Draw it into this file.")
@click.option("--seal", is_flag=True, help="CONFIG is a covenant's file, written by hand or changed: see whether it describes a machine, "
                                           "and write its fingerprint into it.")
def acg(config: str, check: bool, svg: Path | None, seal: bool) -> None:
    """Prints the covenant of CONFIG as JSON, or measures it, draws it, or seals it."""
    with user_errors():
        from tenon.acg import draw
        from tenon.flows.outputs import new_file
        from tenon.flows.target import read_covenant, read_target

        if seal:
            if check or svg is not None:
                raise UserError("--seal goes alone: draw or measure the covenant afterwards")
            covenant = read_covenant(Path(config), sealed=False)
            with new_file(Path(config)) as work:
                work.write_text(covenant.to_json() + "\n", encoding="utf-8")
            click.echo(f"{config}  {covenant.fingerprint[:12]}")
            return
        target = read_target(config)
        if svg is not None:
            with new_file(svg) as work:
                work.write_text(draw.svg(target.covenant), encoding="utf-8")
            click.echo(svg)
        if check:
            from tenon.flows.check import check_covenant
            from tenon.flows.tables import print_claims

            params = target.in_rtl()
            with _status("measuring the covenant in RTL") as say:
                claims = check_covenant(params, progress=say)
            print_claims(claims)
            if not all(claim.holds for claim in claims):
                sys.exit(1)
        elif svg is None:
            click.echo(target.covenant.to_json())


def _arranging(command):
    """Options on how a program is arranged."""
    on_chip = click.option("--on-chip", is_flag=True, help="Tensors stay on chip between layers, and out of comparisons, where they fit.")
    return click.option("--schedule", type=click.Choice(("file", "greedy", "optimal")),
                        help="Order of layers: the model's, or for little memory.  [default: optimal]")(on_chip(command))


_shapes = click.option("--shape", "shapes", multiple=True, metavar="NAME=SIZES",
                       help="Size of a dynamic dimension (N=1), or all of an input (image=1x3x224x224); may be repeated.")


_replaying = click.option("--mappings", type=click.Path(path_type=Path),
                          help="Map layers as tenon tune found best: the file that it wrote.")


@main.command("compile")
@click.argument("model")
@click.option("--config", required=True, help="Preset or TOML file of the hardware, or a covenant's file.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("build/program"), show_default=True,
              help="Folder to write.")
@_shapes
@_arranging
@_replaying
def compile_(model: str, config: str, output: Path, shapes: tuple[str, ...], schedule: str | None, on_chip: bool,
             mappings: Path | None) -> None:
    """Compiles MODEL into a program folder, and says where each node runs."""
    with user_errors():
        from tenon.flows.compile import FILES, compile_source, placements, save_folder
        from tenon.flows.outputs import check_folder
        from tenon.flows.shapes import read_sizes
        from tenon.flows.source import open_source
        from tenon.flows.tables import print_placements, print_traffic
        from tenon.flows.target import read_target
        from tenon.flows.tune import read_mappings

        graph, mapping = read_target(config).covenant, read_mappings(mappings)
        check_folder(output, FILES)
        source = open_source(model, read_sizes(shapes))
        with _status(f"compiling {source.name}") as say:
            compiled = compile_source(source, graph, schedule=schedule or "optimal", on_chip=on_chip, mapping=mapping,
                                      progress=lambda layer: say(f"compiling {source.name}: {layer}"))
            before = compile_source(source, graph, schedule=schedule or "optimal").program if on_chip else None
        files = save_folder(compiled, output)
        print_placements(placements(compiled))
        print_traffic(compiled.program, before)
        for path in files:
            click.echo(f"{path}  {path.stat().st_size:,} bytes")


@main.command()
@click.argument("model")
@click.option("--calibration", type=click.Path(path_type=Path), metavar="FILE|DIR",
              help=".npz file with an array of samples for each input, or a folder of such files.")
@click.option("--random-calibration", "random_count", type=click.IntRange(1, 10_000), metavar="N",
              help="N random inputs for want of samples: the results mean little.")
@click.option("--labels", type=click.Path(path_type=Path), help=".npy file with the samples' classes: prints the accuracy.")
@click.option("--every-operator", is_flag=True, help="Also those that ONNX Runtime leaves float of its own accord: Exp, Sum, ReduceSum ...")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="ONNX file to write.")
@_shapes
def quantize(model: str, calibration: Path | None, random_count: int | None, labels: Path | None, every_operator: bool, output: Path,
             shapes: tuple[str, ...]) -> None:
    """Quantises a float MODEL to 8 bits with samples of its inputs, and says what that changes on them."""
    with user_errors():
        from tenon.compiler.frontend.quantize import check_float
        from tenon.flows.outputs import check_file, new_file
        from tenon.flows.quantize import drift, quantize_model, random_samples, read_labels, read_samples, right
        from tenon.flows.shapes import read_sizes
        from tenon.flows.source import open_source
        from tenon.flows.tables import print_quantised

        if (calibration is None) == (random_count is None):
            raise UserError("give samples of the inputs with --calibration, or else --random-calibration")
        if labels is not None and calibration is None:
            raise UserError("--labels needs the samples that they belong to: use it with --calibration")
        check_file(output)
        if output.exists() and Path(model).exists() and output.samefile(model):
            raise UserError(f"{output}: is the model itself; give another file with -o")
        source = open_source(model, read_sizes(shapes))
        check_float(source.model)
        samples = read_samples(calibration, source.model) if calibration is not None else random_samples(source.model, random_count)
        classes = read_labels(labels, len(samples)) if labels is not None else None
        with _status(f"quantising {source.name} with {len(samples)} samples") as say:
            quantised = quantize_model(source.model, samples, "data" if calibration is not None else "random",
                                       every_operator=every_operator)
            say(f"running {source.name} before and after")
            measured = (drift(source.model, quantised, samples) if classes is None else
                        right(source.model, quantised, samples, classes))
        with new_file(output) as work:
            work.write_bytes(quantised.SerializeToString())
        print_quantised(measured, len(samples))
        click.echo(f"{output}  {output.stat().st_size:,} bytes")


@main.command("schedule")
@click.argument("model")
@click.option("--budget", type=click.IntRange(1), help="Bytes that the order has to keep to.")
@click.option("--explicit", is_flag=True, help="Concatenations are executed; otherwise their readers take the pieces.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the orders there, for other tools.")
@click.option("--svg", type=click.Path(path_type=Path), help="Draw memory over time there.")
@_shapes
def schedule_(model: str, budget: int | None, explicit: bool, json_file: Path | None, svg: Path | None, shapes: tuple[str, ...]) -> None:
    """Orders MODEL's operators for the least peak of live activations, as a whole and cell by cell."""
    with user_errors():
        from tenon.flows.memory_plot import memory_plot
        from tenon.flows.outputs import new_file
        from tenon.flows.schedule import order_source
        from tenon.flows.shapes import read_sizes
        from tenon.flows.source import open_source
        from tenon.flows.tables import print_orders

        with _status(f"ordering {model}"):
            ordered = order_source(open_source(model, read_sizes(shapes)), budget=budget, explicit=explicit)
        for path, text in ((json_file, ordered.to_json), (svg, lambda: memory_plot(ordered))):
            if path is not None:
                with new_file(path) as work:
                    work.write_text(text(), encoding="utf-8")
        print_orders(ordered)


@main.command()
@click.argument("model")
@click.option("--config", required=True, help="Preset or TOML file of the hardware, or a covenant's file.")
@click.option("--tuner", type=click.Choice(_TUNERS), default="gaussian", show_default=True, help="What proposes mappings.")
@click.option("--measure", type=click.Choice(("model", "rtl")), default="model", show_default=True,
              help="What says how long a mapping takes: the compiled event loop, or RTL simulation.")
@click.option("--budget", type=click.IntRange(1, 100_000), default=256, show_default=True, help="Mappings of the network to measure.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--mappings", type=click.Path(path_type=Path), help="Begin with these, and not with what the compiler chooses by itself.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("mappings.json"), show_default=True,
              help="Write the best mappings there, for --mappings of tenon compile and tenon run.")
@click.option("--log", type=click.Path(path_type=Path), help="Write a line there for each measurement, as soon as it is made.")
@click.option("--resume", is_flag=True, help="Go on with the log of a study that was interrupted: nothing is measured twice.")
@_shapes
@_arranging
def tune(model: str, config: str, tuner: str, measure: str, budget: int, seed: int, mappings: Path | None, output: Path,
         log: Path | None, resume: bool, shapes: tuple[str, ...], schedule: str | None, on_chip: bool) -> None:
    """Tunes the mappings of all layers of MODEL together, by the cycles of its whole program."""
    with user_errors():
        from tenon.compiler.network import Network
        from tenon.flows.compile import read_source
        from tenon.flows.outputs import check_file, new_file
        from tenon.flows.shapes import read_sizes
        from tenon.flows.source import open_source
        from tenon.flows.tables import print_tuned
        from tenon.flows.target import read_target
        from tenon.flows.tune import read_mappings
        from tenon.flows.tune import tune as tuned_by
        from tenon.flows.tune_measure import By

        if resume and log is None:
            raise UserError("--resume goes on with a log: name it with --log")
        check_file(output)
        start = read_mappings(mappings)
        target = read_target(config)
        params = target.in_rtl() if By(measure) is By.RTL else target.params
        source = open_source(model, read_sizes(shapes))
        with _status(f"tuning {source.name}") as say:
            network = Network(read_source(source)[0], target.covenant, schedule=schedule or "optimal", on_chip=on_chip)
            found = tuned_by(network, source.name, tuner=tuner, budget=budget, seed=seed, by=By(measure), params=params, start=start,
                             log=log, resume=resume, progress=lambda line: say(f"tuning {source.name}: {line}"))
        with new_file(output) as work:
            work.write_text(found.mapping.to_json() + "\n", encoding="utf-8")
        print_tuned(found)
        click.echo(output)


@main.command()
@click.argument("space", metavar="SPACE.toml", type=click.Path(path_type=Path))
@click.option("--model", "models", multiple=True, required=True, help="Network to run on every point; may be repeated.")
@click.option("--objectives", default="cycles,area", show_default=True, help="What points are compared by: cycles, area, energy, time.")
@click.option("--budget", type=click.IntRange(1, 1_000_000), default=500, show_default=True, help="Points to compute by models.")
@click.option("--sampler", type=click.Choice(_SAMPLERS), default="guided", show_default=True, help="What proposes points.")
@click.option("--effort", type=click.IntRange(1, 1000), default=4, show_default=True, help="Mappings of each layer that are timed.")
@click.option("--measure-front", "measured", type=click.IntRange(0, 1000), default=12, show_default=True,
              help="Points of the front to synthesise, and to run in RTL simulation.")
@click.option("--energy-table", "table", type=click.Path(path_type=Path), help="TOML file of energies.  [default: one for 45 nm]")
@click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="Processes on this machine.")
@click.option("--dask", metavar="ADDRESS", help="Use the workers of this Dask scheduler, such as tcp://host:8786.")
@click.option("--storage", help="File of SQLite, or postgresql+psycopg://..., for several drivers.  [default: study.db in the folder]")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--resume", is_flag=True, help="Go on with the exploration in --storage, or join it.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("front"), show_default=True, help="Folder to write.")
@click.option("--report", "page", type=click.Path(path_type=Path), help="Write a page for the browser there.")
@click.option("--cdn", is_flag=True, help="The page fetches plotly when it is opened, instead of holding 4.5 MB of it.")
@_arranging
def explore(space: Path, models: tuple[str, ...], objectives: str, budget: int, sampler: str, effort: int, measured: int,
            table: Path | None, workers: int, dask: str | None, storage: str | None, seed: int, resume: bool, output: Path,
            page: Path | None, cdn: bool, schedule: str | None, on_chip: bool) -> None:
    """Explores configurations: which of those that SPACE.toml describes are not beaten by any other, measured in RTL.

    SPACE.toml is a configuration whose parameters may be lists of values, or ranges: rows = [8, 16, 32], bus_bits = {low = 32, high = 256},
    cols = "rows", limit.LUT4 = 40000.
    """
    with user_errors():
        from tenon.flows.energy_table import default_table, load_table
        from tenon.flows.explore.command import Request, run_exploration
        from tenon.flows.explore.point import Effort
        from tenon.flows.explore.terminal import print_exploration
        from tenon.flows.outputs import check_file

        if page is not None:
            check_file(page)
        if cdn and page is None:
            raise UserError("--cdn is about the page: use it with --report FILE")
        request = Request(space, models, tuple(name.strip() for name in objectives.split(",")),
                          default_table() if table is None else load_table(table), sampler, budget, seed,
                          Effort(effort, schedule or "optimal", on_chip), measured, workers, dask, storage, resume, output, page, cdn)
        with _status(f"exploring {space}") as say:
            found = run_exploration(request, lambda line: say(f"exploring {space}: {line}"))
        print_exploration(found)
        for path in found.files:
            click.echo(path)
        if not all(m.equal for m in found.measured.values()):
            sys.exit(1)


@main.command()
@click.argument("model", metavar="MODEL|DIR")
@click.option("--config", help="Preset or TOML file of the hardware, or a covenant's file; a program folder knows its own.")
@click.option("--input", "inputs", type=click.Path(path_type=Path), help=".npz file with an array for each input of the model.")
@click.option("--runs", type=click.IntRange(1, 1000), help="Inputs to run one after the other.  [default: 100 test images, or 1]")
@click.option("--simulator", type=click.Choice(_SIMULATORS), default="verilator", show_default=True)
@click.option("--dram", "dram_text", metavar="SETTINGS", help="DRAM model in RTL, such as latency=100,stall=20,seed=3.")
@click.option("--output", type=click.Path(path_type=Path), help="Write the model's outputs there, an .npz file.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report there, for other tools.")
@click.option("--trace", type=click.Path(path_type=Path), help="Write a timeline of the first run there, for Perfetto (ui.perfetto.dev).")
@click.option("--power", is_flag=True, help="Estimate the energy of the first run, in standard cells of 180 nm (Verilator only).")
@click.option("--energy-table", metavar="FILE", is_flag=False, flag_value="45nm",
              help="Energy of a run by counts: what the program does, times this TOML table, that of 45 nm unless you say otherwise.")
@click.option("--waves", type=click.Path(path_type=Path), help="Record all signals there: .vcd, or .fst (RTL only).")
@click.option("--waves-from", type=click.IntRange(0), help="Record from this cycle of the first run on.")
@click.option("--waves-to", type=click.IntRange(1), help="Record until this cycle of the first run.")
@_shapes
@_arranging
@_replaying
def run(model: str, config: str | None, inputs: Path | None, runs: int | None, simulator: str, dram_text: str | None,
        output: Path | None, json_file: Path | None, trace: Path | None, power: bool, energy_table: str | None, waves: Path | None,
        waves_from: int | None, waves_to: int | None, shapes: tuple[str, ...], schedule: str | None, on_chip: bool,
        mappings: Path | None) -> None:
    """Runs a model, or a program folder, and compares every tensor with ONNX Runtime.

    Exit status 1 if anything differs from the reference that must be equal.
    """
    with user_errors():
        from tenon.flows.clock import clock_of
        from tenon.flows.execution import Simulator
        from tenon.flows.outputs import check_file, new_file
        from tenon.flows.progress import Progress, expected_cycles
        from tenon.flows.results import outputs_of, save_outputs
        from tenon.flows.run import prepare
        from tenon.flows.run import run as execute
        from tenon.flows.shapes import read_sizes
        from tenon.flows.tables import print_report
        from tenon.flows.target import read_target
        from tenon.flows.trace import timeline_text
        from tenon.flows.tune import read_mappings
        from tenon.hw.config import Configuration

        chosen = Simulator(simulator)
        in_rtl = chosen in (Simulator.VERILATOR, Simulator.ICARUS)
        for option, value in (("--waves", waves), ("--dram", dram_text)):
            if value is not None and not in_rtl:
                raise UserError(f"{option} needs RTL: use it with --simulator verilator or icarus")
        if trace is not None and chosen is Simulator.FUNCTIONAL:
            raise UserError("--trace needs cycles: use it with --simulator verilator, icarus or model")
        if power:
            if chosen is not Simulator.VERILATOR:
                raise UserError("--power needs recorded signals: use it with --simulator verilator")
            from tenon.flows.hardware.power.measured import check_tools
            from tenon.flows.run import with_power

            check_tools()
        if output is not None and chosen is Simulator.MODEL:
            raise UserError("--output needs values: use it with --simulator verilator, icarus or functional")
        if output is not None and output.suffix != ".npz":
            raise UserError(f"--output: {output} must end in .npz")
        if energy_table is not None:
            from tenon.flows.energy_table import load_table
            from tenon.flows.run import with_energy

            table = load_table(energy_table)
        for path in filter(None, (output, json_file, trace, waves)):
            check_file(path)
        recorder = _waves(waves, waves_from, waves_to)
        if in_rtl:
            _require_tools(simulator, recorder)
        target = read_target(config) if config is not None else None
        if target is not None and in_rtl:
            target.in_rtl()
        dram, sizes, mapping = _dram(dram_text), read_sizes(shapes), read_mappings(mappings)
        with _status(f"compiling {model}") as say:
            job = prepare(model, target, inputs=inputs, runs=runs, sizes=sizes,
                          schedule=schedule, on_chip=on_chip, mapping=mapping,
                          progress=lambda layer: say(f"compiling {model}: {layer}"), note=_note)
        if in_rtl and job.params is None:
            raise UserError(f"{model} was compiled for a covenant alone: use --simulator functional or model")
        configuration = target.configuration if target else Configuration(job.params) if job.params else None
        hint = " (the first time, its simulator is compiled: half a minute)" if in_rtl else ""
        with _status(f"simulating {job.name} on {job.compiled.program.covenant.name}{hint}") as say:
            progress = Progress(len(job.feeds), expected_cycles(job.compiled.program, dram) if in_rtl else None)
            clock = clock_of(configuration, config) if configuration else None
            report, execution = execute(job, chosen, clock=clock, dram=dram, waves=recorder, observe=trace is not None,
                                        progress=lambda number, cycles: say(progress.text(number, cycles)))
        if power:
            with _status(f"power of {job.name} on {job.compiled.program.covenant.name}") as say:
                report = with_power(job, report, dram=dram, progress=say)
        if energy_table is not None:
            report = with_energy(job, report, table)
        print_report(report)
        if output is not None:
            save_outputs(output, outputs_of(job.compiled, job.feeds, execution.tensors))
        if json_file is not None:
            with new_file(json_file) as work:
                work.write_text(report.to_json(), encoding="utf-8")
        if trace is not None:
            with new_file(trace) as work:
                work.write_text(timeline_text(job.compiled.program, report, execution.timeline), encoding="utf-8")
        if report.comparison is not None and not report.comparison.passed:
            sys.exit(1)


@main.command()
@click.argument("run_json", metavar="RUN.json", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("report.html"), show_default=True, help="File to write.")
def report(run_json: Path, output: Path) -> None:
    """Makes a page for the browser of what tenon run --json wrote into RUN.json."""
    with user_errors():
        from tenon.flows.html import read_record, run_page
        from tenon.flows.outputs import new_file

        if output.exists() and run_json.exists() and output.samefile(run_json):
            raise UserError(f"{output}: is the file to read; give another with -o")
        page = run_page(read_record(run_json))
        with new_file(output) as work:
            work.write_text(page, encoding="utf-8")
        click.echo(f"{output}  {output.stat().st_size:,} bytes")


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def disasm(folder: Path) -> None:
    """Prints the instructions of a program folder."""
    with user_errors():
        from tenon.acg.isa import disassemble
        from tenon.compiler.program import Program

        program = Program.load(folder)
        for line in disassemble(program.image(), program.covenant):
            click.echo(line)


@main.command("zoo")
def zoo_() -> None:
    """Lists the built-in networks."""
    with user_errors():
        from tenon.flows.tables import print_zoo
        from tenon.flows.zoo.listing import entries

        print_zoo(entries())


main.add_command(drive)


@main.command()
def doctor() -> None:
    """Checks the toolchain, and says how to mend it."""
    with user_errors():
        from tenon.flows.doctor import examine
        from tenon.flows.tables import print_checks

        checks = examine()
        print_checks(checks)
        missing = [c for c in checks if c.state == "missing"]
        if missing:
            raise UserError("; ".join(f"{c.name} is missing: {c.remedy}" for c in missing))


def _check_analysis(area: str | None, timing: str | None, modules: tuple[str, ...], whole: bool, clock: float | None, tries: int,
                    log: Path | None, json_file: Path | None) -> None:
    """Refuses options of ``generate`` that go together with others that are not there."""
    for option, given in (("--module", modules), ("--whole", whole), ("--clock", clock), ("--log", log)):
        if given and timing is None:
            raise UserError(f"{option} needs --timing")
    if whole and modules and timing == "ecp5":
        raise UserError("--module is of no use with --whole on an FPGA: there is one path, into whatever module it goes")
    if tries > 1 and timing != "ecp5":
        raise UserError("--tries are nextpnr's: use it with --timing ecp5")
    if log is not None and (timing != "ecp5" or not (whole or len(modules) == 1)):
        raise UserError("--log is nextpnr's: use it with --timing ecp5, and --whole or one --module")
    if json_file is not None and (area is None) == (timing is None):
        raise UserError("--json needs --area or --timing, one of the two")
    if area or timing:
        from tenon.flows.hardware.analysis import check_tools

        check_tools(area, timing)


def _write(path: Path | None, text: str) -> None:
    from tenon.flows.outputs import new_file

    if path is not None:
        with new_file(path) as work:
            work.write_text(text, encoding="utf-8")


def _waves(path: Path | None, begin: int | None, end: int | None):
    """What ``--waves`` and its window ask for."""
    from tenon.tb.waves import Waves

    for option, cycle in (("--waves-from", begin), ("--waves-to", end)):
        if cycle is not None and path is None:
            raise UserError(f"{option} needs --waves FILE")
    if path is None:
        return None
    if path.suffix not in (".vcd", ".fst"):
        raise UserError(f"--waves: {path} must end in .vcd or .fst, which chooses the format")
    if path.is_dir():
        raise UserError(f"--waves: {path} is a folder; name a file")
    if end is not None and end <= (begin or 0):
        raise UserError(f"--waves-to must be more than --waves-from, {begin or 0}, not {end}")
    return Waves(path, begin or 0, end)


def _require_tools(simulator: str, waves) -> None:
    from tenon.tb import toolchain

    if simulator == "verilator" and waves is not None and waves.format == "fst":
        try:
            toolchain.require("zlib", "lz4")
        except toolchain.ToolError as error:
            raise UserError(f"--waves {waves.path}: {error}; or record a .vcd file") from None
    tools = ("verilator", "cocotb", "libpython", "g++", "make", "perl") if simulator == "verilator" else ("iverilog", "cocotb", "libpython")
    toolchain.require(*tools)


def _dram(text: str | None):
    """The DRAM of settings such as ``latency=100,stall=20``."""
    import dataclasses

    from tenon.tb.rtl import DRAM_LIMITS, Dram

    known = {f.name: f.default for f in dataclasses.fields(Dram)}
    values = {}
    for part in (text or "").split(",") if text else ():
        name, _, value = part.strip().partition("=")
        if name not in known or not value.isdecimal():
            raise UserError(f"--dram: {part.strip()!r} must be one of {', '.join(known)}, then = and a number, "
                            f"such as latency={known['latency']}")
        low, high = DRAM_LIMITS[name]
        if not low <= int(value) <= high:
            raise UserError(f"--dram: {name} must be in {low}..{high}, not {value}")
        values[name] = int(value)
    return Dram(**values)


def _note(text: str) -> None:
    click.echo(f"tenon: note: {text}", err=True)


@contextlib.contextmanager
def _status(text: str) -> Iterator[Callable[[str], None]]:
    """Shows on stderr what is going on: moving on a terminal, elsewhere a line at the start and now and then."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        last = time.monotonic()
        console.print(f"{text} ...", soft_wrap=True)

        def say(update: str) -> None:
            nonlocal last
            if time.monotonic() - last >= _PAUSE_SECONDS:
                last = time.monotonic()
                console.print(f"{update} ...", soft_wrap=True)

        yield say
        return
    with console.status(text) as status:
        yield status.update


if __name__ == "__main__":
    main()
