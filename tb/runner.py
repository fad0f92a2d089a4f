"""Builds Verilog into simulators, once per content, and runs cocotb tests in them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cocotb_tools.config
from cocotb_tools import runner as cocotb_runner

from tenon.compiler.cache import cache_folder
from tenon.tb import toolchain

__all__ = ["Build", "BuildError", "SimulationError", "build", "ports_of", "run_bench", "simulate"]

# Kinds of warning that generated text (``*.v``) is full of and that mean nothing there. Hand-written files
# (``*.sv``) get no such pardon: a warning in one of them fails the build.
_GENERATED_WAIVERS = ("PROCASSINIT", "WIDTHEXPAND", "WIDTHTRUNC", "UNUSEDSIGNAL", "UNUSEDPARAM", "CASEINCOMPLETE",
                      "CASEOVERLAP", "UNSIGNED", "CMPCONST", "DECLFILENAME", "PINMISSING", "ASCRANGE", "SELRANGE",
                      "LATCH", "UNDRIVEN", "TIMESCALEMOD", "MULTITOP", "INITIALDLY")

# Changes whenever this file builds otherwise than before: an older build must not be taken for a new one.
_RECIPE = 6

# What makes simulators of -O2 quicker than those of -O1, without what makes their compilation slower: with edge16 on MobileNetV2
# 190 k cycles/s become 220, as with -O2, and 7.7 s of g++ 8.8 (13.5).
_OPTIMISATION = ("-O1 -fexpensive-optimizations -fpeephole2 -fcaller-saves -fschedule-insns2 -fstore-merging "
                 "-finline-small-functions -freorder-blocks-algorithm=stc -falign-functions -falign-loops -falign-jumps -falign-labels")

# What Verilator needs for each format of waves.
_WAVES = {"": (), "vcd": ("--trace-vcd",), "fst": ("--trace-fst",)}

# Verilator's own C++ compiles to the same objects for every design. (cocotb's main, ``verilator.o``, does not:
# it holds the size of the design's class.)
_RUNTIME_OBJECTS = ("verilated.o", "verilated_*.o")


class BuildError(RuntimeError):
    """A design could not be built; the message ends with the tool's last lines."""


class SimulationError(AssertionError):
    """A cocotb test failed, or the simulator died; the message is the test's."""


@dataclass(frozen=True)
class Build:
    """A simulator ready to run, in the cache. Any number of simulations may run from it at a time."""

    folder: Path
    top: str
    simulator: str  # "verilator" | "icarus"
    waves: str = ""  # "vcd" | "fst"


def build(verilog: Mapping[str, str], top: str, *, simulator: str = "verilator", exposed: Sequence[str] | None = None,
          no_inline: Sequence[str] = (), shared: Sequence[str] = (), parameters: Mapping[str, object] | None = None,
          defines: Sequence[str] = (), timing: bool = False, asserts: bool = False, waves: str = "") -> Build:
    """Builds ``top`` out of Verilog texts, or finds an equal build in the cache.

    Parameters
    ----------
    verilog : mapping
        File name to text. ``NAME.v`` (or no suffix) is generated text, ``NAME.sv`` hand-written and held to
        Verilator's warnings, ``NAME.cpp`` has functions that it imports, ``NAME.h`` what these include.
    top : str
        Module that cocotb sees as ``dut``.
    exposed : sequence of str, optional
        The top's signals that cocotb may read and write; its ports if not given. Whatever is not named runs
        at full speed: exposing everything costs two to six times.
    no_inline : sequence of str
        Modules that Verilator compiles once instead of once per instance (array rows, lanes).
    shared : sequence of str
        Those of them whose ports also stay signals, with nothing optimised across them. Otherwise each instance reads its parent's
        signals, in code of its own: of 128 lanes that is hundreds of megabytes. Modules with few instances run faster without.
    parameters : mapping
        Parameters of the top.
    defines : sequence of str
        Macros that are defined as 1.
    timing : bool
        The Verilog has delays of its own (a clock).
    asserts : bool
        Evaluate assertions.
    waves : "vcd" | "fst"
        Let the text's ``$dumpfile`` and ``$dumpvars`` record signals in this format; nothing is recorded if empty.

    Raises
    ------
    tb.toolchain.ToolError
        A program is missing.
    BuildError
        The simulator's compiler refused the text.
    """
    parameters = dict(parameters or {})
    files = {name if Path(name).suffix else f"{name}.v": text for name, text in verilog.items()}
    if simulator == "verilator":
        toolchain.require("verilator", "cocotb", "libpython", "g++", "make", "perl")
        files["control.vlt"] = _control_file(files, top, exposed, no_inline, shared)
        arguments = ["-O3", "--x-assign", "fast", "--x-initial", "fast",
                     "--timing" if timing else "--no-timing", "--assert" if asserts else "--no-assert", *_WAVES[waves]]
        arguments += ["-fno-dfg"] * bool(shared)
        if waves == "fst":
            toolchain.require("zlib", "lz4")
    elif simulator == "icarus":
        toolchain.require("iverilog", "cocotb", "libpython")
        arguments = []
    else:
        raise ValueError(f"simulator must be 'verilator' or 'icarus', not {simulator!r}")
    versions = [tool.version for tool in toolchain.survey(versions=False)]
    recipe = [_RECIPE, simulator, top, sorted(files.items()), sorted((k, str(v)) for k, v in parameters.items()), arguments,
              sorted(defines), versions, str(cocotb_tools.config.libs_dir), platform.machine()]
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:24]
    folder = cache_folder() / "builds" / f"{top}-{key}"
    done = Build(folder, top, simulator, waves)
    if folder.is_dir():
        os.utime(folder)
        return done
    with _locked(folder.with_suffix(".lock")):
        if not folder.is_dir():  # another process may have built it while this one waited
            _build_into(done, files, parameters, defines, arguments, "timing" if timing else "untimed")
    return done


def simulate(built: Build, module: str, *, testcase: str | None = None, env: Mapping[str, str] | None = None,
             plusargs: Sequence[str] = (), folder: Path | None = None, timeout_seconds: float | None = None, seed: int = 1) -> str:
    """Runs the cocotb tests of Python module ``module`` in a build; returns the simulator's log.

    Parameters
    ----------
    testcase : str, optional
        Run this one alone.
    env : mapping
        Environment variables for the tests.
    folder : Path, optional
        Working directory of the simulation; a temporary one if not given.

    Raises
    ------
    SimulationError
        With the failing test's own message. (cocotb's own runner returns as if nothing had happened.)
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tenon-sim-")))
        folder.mkdir(parents=True, exist_ok=True)
        results, log = folder / "results.xml", folder / "simulation.log"
        results.unlink(missing_ok=True)
        runner = _RUNNERS[built.simulator]()
        runner.timeout_seconds, runner.waves_format = timeout_seconds, built.waves
        problem = ""
        try:
            runner.test(module, built.top, hdl_toplevel_lang="verilog", testcase=testcase, seed=seed,
                        plusargs=list(plusargs), extra_env=dict(env or {}), build_dir=built.folder, test_dir=folder,
                        results_xml=str(results.resolve()), log_file=log)
        except subprocess.TimeoutExpired:
            problem = f"it took more than {timeout_seconds} s"
        except (RuntimeError, SystemExit) as error:
            problem = str(error)
        text = log.read_text(errors="replace") if log.exists() else ""
        failures, count = _failures(results)
        if failures:
            raise SimulationError("\n".join(failures))
        if problem or not count:
            raise SimulationError(f"the simulation of {built.top} with {module} ended early"
                                  f"{' (' + problem + ')' if problem else ''}; its last lines:\n{_tail(text)}")
        return text


def run_bench(verilog: Mapping[str, str], top: str, module: str, *, testcase: str | None = None,
              env: Mapping[str, str] | None = None, simulator: str = "verilator", **options) -> str:
    """``build`` and ``simulate`` in one; ``options`` are those of ``build``."""
    return simulate(build(verilog, top, simulator=simulator, **options), module, testcase=testcase, env=env)


def ports_of(text: str, module: str) -> list[str]:
    """The port names of a module in Verilog text, in order.

    Raises
    ------
    BuildError
        No such module.
    """
    header = re.search(rf"\bmodule\s+\\?{re.escape(module)}\s*(?:import [^;]*;\s*)*(?:#\s*\((?:[^()]|\([^()]*\))*\)\s*)?\((.*?)\)\s*;",
                       re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S), re.S)
    if header is None:
        raise BuildError(f"module {module} is not in the Verilog given")
    bare = re.sub(r"\[[^\]]*\]", " ", header.group(1))
    return [part.split()[-1].removeprefix("\\") for part in bare.split(",") if part.strip()]


def _control_file(files: Mapping[str, str], top: str, exposed: Sequence[str] | None, no_inline: Sequence[str],
                  shared: Sequence[str]) -> str:
    text = "\n".join(text for name, text in files.items() if not name.endswith((".cpp", ".h")))
    if exposed is None:
        exposed = ports_of(text, top)
    lines = ["`verilator_config"]
    lines += [f'lint_off -rule {rule} -file "*.v"' for rule in _GENERATED_WAIVERS]
    lines += [f'public_flat_rw -module "{top}" -var "{name}"' for name in exposed]
    lines += [f'no_inline -module "{name}"' for name in no_inline]
    lines += [f'public_flat_rd -module "{name}" -var "{port}"' for name in shared for port in ports_of(text, name)]
    return "\n".join(lines) + "\n"


def _build_into(done: Build, files: Mapping[str, str], parameters: Mapping[str, object], defines: Sequence[str],
                arguments: Sequence[str], flavour: str) -> None:
    """Builds beside the final folder and renames: a folder of that name is always complete."""
    work = done.folder.with_suffix(".partial")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        sources = []
        for name, text in files.items():
            (work / name).write_text(text)
            if name.endswith(".cpp"):
                arguments = [*arguments, str(work / name)]
            elif not name.endswith(".h"):
                sources.append(work / name)
        runner = _RUNNERS[done.simulator]()
        runtime = _runtime_folder(done, flavour)
        if done.simulator == "verilator":
            for prebuilt in runtime.glob("*.o"):
                shutil.copy(prebuilt, work)
        log = work / "build.log"
        try:
            runner.build(sources=sources, hdl_toplevel=done.top, build_args=list(arguments), parameters=parameters,
                         defines=dict.fromkeys(defines, 1), build_dir=work, timescale=("1ns", "1ps"), log_file=log)
        except (RuntimeError, SystemExit) as error:
            text = log.read_text(errors="replace") if log.exists() else str(error)
            raise BuildError(f"{done.simulator} could not build {done.top}:\n{_tail(text, 25)}") from None
        if done.simulator == "verilator":
            _keep_runtime(work, runtime)
            for pattern in ("*.gch", "*.o", "*.a", "*.d", "*.cpp", "*.h", "*.mk"):  # up to 70 MB; nobody reads them
                for path in work.glob(pattern):
                    path.unlink()
        work.rename(done.folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _runtime_folder(done: Build, flavour: str) -> Path:
    tools = f"{toolchain.verilator_root()} {cocotb_tools.config.libs_dir} {shutil.which('g++')}"
    versions = [(tool.name, tool.version) for tool in toolchain.survey() if tool.name in ("verilator", "cocotb", "g++")]
    key = hashlib.sha256(f"{tools} {versions} {flavour} {done.waves}".encode()).hexdigest()[:16]
    return cache_folder() / "runtime" / key


def _keep_runtime(work: Path, runtime: Path) -> None:
    """Keeps the objects that are the same for every design; a later build saves their 15 seconds."""
    runtime.mkdir(parents=True, exist_ok=True)
    for pattern in _RUNTIME_OBJECTS:
        for path in work.glob(pattern):
            if not (runtime / path.name).exists():
                partial = runtime / f"{path.name}.{os.getpid()}"
                shutil.copy(path, partial)
                partial.rename(runtime / path.name)


def _failures(results: Path) -> tuple[list[str], int]:
    """(message of each failed test, number of tests run) from cocotb's results file."""
    if not results.exists():
        return [], 0
    cases = ElementTree.parse(results).getroot().findall(".//testcase")
    messages = []
    for case in cases:
        for kind in ("failure", "error"):
            for found in case.findall(kind):
                message = found.get("message") or found.get("error_msg") or (found.text or "").strip()
                messages.append(f"{case.get('name')}: {message}")
    return messages, sum(case.find("skipped") is None for case in cases)


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.splitlines()[-lines:])


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class _Quiet:
    """What both simulators share: output goes to the log alone, and the tools of this environment are used."""

    timeout_seconds: float | None = None
    waves_format = ""

    def __init__(self) -> None:
        super().__init__()
        self.log.setLevel("WARNING")

    def _set_env_common(self) -> None:
        super()._set_env_common()
        tools = toolchain.child_environment()
        for name in self.env.keys() - tools.keys() & set(os.environ):
            del self.env[name]
        if "VERILATOR_ROOT" in tools:
            self.env["VERILATOR_ROOT"] = tools["VERILATOR_ROOT"]
        self.env["PATH"] = os.pathsep.join([tools["PATH"], str(cocotb_tools.config.libs_dir)])
        # An empty entry means the current directory, which is another one in the simulator's process.
        self.env["PYTHONPATH"] = os.pathsep.join(entry or os.getcwd() for entry in sys.path)

    def _execute_cmds(self, cmds, cwd, stdout=None) -> None:
        for cmd in cmds:
            done = subprocess.run(cmd, cwd=cwd, env=self.env, check=False, stdout=stdout, stderr=subprocess.STDOUT,
                                  stdin=subprocess.DEVNULL, timeout=self.timeout_seconds)
            if done.returncode:
                raise RuntimeError(f"{Path(cmd[0]).name} ended with status {done.returncode}")


class _Verilator(_Quiet, cocotb_runner.Verilator):
    """cocotb's runner without ``--public-flat-rw``: the control file exposes what is needed."""

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(toolchain.verilator_root() / "bin" / "verilator")

    def _build_command(self) -> list[list[str]]:
        verilate, make = super()._build_command()
        verilate.remove("--public-flat-rw")
        if any(argument.startswith("--trace-") for argument in verilate):
            make[make.index("VM_TRACE=0")] = "VM_TRACE=1"
        # One file for all: reading headers is most of the work, and two files side by side take as long as one at twice the cost.
        variables = {**toolchain.MAKE_VARIABLES, "OPT_FAST": _OPTIMISATION, "VM_PARALLEL_BUILDS": "0"}
        # Objects copied from an earlier build must be newer than the makefile that the first command writes.
        refresh = [["touch", *map(str, objects)] for objects in [list(self.build_dir.glob("*.o"))] if objects]
        return [verilate, *refresh, [*make, *(f"{name}={value}" for name, value in variables.items())]]


class _Icarus(_Quiet, cocotb_runner.Icarus):
    """cocotb's runner for Icarus Verilog. The format of waves is chosen when it runs."""

    def _test_command(self) -> list[list[str]]:
        (command,) = super()._test_command()
        if self.waves_format:
            command[command.index("-none")] = f"-{self.waves_format}"
        return [command]


_RUNNERS = {"verilator": _Verilator, "icarus": _Icarus}
