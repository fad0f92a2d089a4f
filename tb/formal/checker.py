"""Checks a property: Yosys makes an AIGER model of module and harness, ABC proves it or finds a counterexample.

Both come with the wheel ``pyosys``. All-time proofs are by property-directed reachability (PDR, IC3), which finds an inductive
invariant, and ABC checks that invariant before it says so; bounded ones unroll the model.
"""

from __future__ import annotations

import enum
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tenon.compiler.cache import cache_folder
from tenon.tb.formal.emission import emitted
from tenon.tb.formal.prop import Property, harness
from tenon.tb.toolchain import ToolError

__all__ = ["Result", "Verdict", "check"]

_RECIPE = 7  # changes when this file checks otherwise than before
_DEEPEST = 200  # cycles in which a cover must be reached

# Only the reset counts: what registers of the design hold before it, and words of memories, is anything.
_SCRIPT = """\
read_verilog -formal -sv dut.v
proc
setattr -unset init w:*
read_verilog -formal -sv {goal}.sv
hierarchy -check -top harness
{cut}proc
flatten
opt_clean
check
setundef -undriven -anyseq
chformal -lower
memory_map
opt -full
techmap
opt -fast
async2sync
dffunmap
simplemap
setundef -anyseq
aigmap
opt_clean
write_aiger -zinit -symbols -map {goal}.map {goal}.aig
"""
_YOSYS = "import sys; from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())"


class Verdict(enum.Enum):
    PROVED = "proved"
    FAILED = "failed"
    UNKNOWN = "no answer in time"


@dataclass(frozen=True)
class Result:
    """``label`` and ``cycle``: of the assertion that fails first. ``missed``: covers that were not reached."""

    verdict: Verdict
    label: str = ""
    cycle: int = 0
    missed: tuple[str, ...] = ()
    seconds: float = 0.0


class ModelError(RuntimeError):
    """The harness is no legal text, or observes something that is not there."""


def check(prop: Property, *, bug: bool = False) -> Result:
    """Proves the property and reaches its covers; or, with its bug in, finds out what fails.

    Raises
    ------
    ToolError
        If pyosys is missing, or crashes.
    ModelError
        For a harness that does not fit its module.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise ToolError("yosys and abc (model checking) are missing: pip install pyosys")
    verilog = emitted(prop, bug=bug)
    component = prop.component()
    component._MustUse__used = True
    wanted = dict(prop.asserts) if bug else {**prop.asserts, **prop.helpers}
    texts = {"dut.v": verilog, "asserts.sv": harness(prop, component, verilog, {k: f"!({v})" for k, v in wanted.items()}),
             "covers.sv": harness(prop, component, verilog, prop.covers)}
    recipe = [_RECIPE, _SCRIPT, texts, bug, prop.bound, prop.induction, prop.free, importlib.metadata.version("pyosys")]
    folder = cache_folder() / "formal" / hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:24]
    kept = folder / "result.json"
    if kept.is_file():
        values = json.loads(kept.read_text(encoding="utf-8"))
        return Result(Verdict(values.pop("verdict")), missed=tuple(values.pop("missed")), **values)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    begin = time.monotonic()
    _model(prop, folder, "asserts")
    verdict, label, cycle = _search(prop, folder, list(wanted)) if bug else _judge(prop, folder, list(wanted))
    missed = ()
    if not bug:
        _model(prop, folder, "covers")
        missed = _missed(prop, folder)
    result = Result(verdict, label, cycle, missed, round(time.monotonic() - begin, 1))
    if verdict is not Verdict.UNKNOWN:
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps({**vars(result), "verdict": verdict.value}), encoding="utf-8")
        partial.rename(kept)
    return result


def _model(prop: Property, folder: Path, goal: str) -> None:
    cut = "".join(f"cutpoint {module}\n" for module in prop.free)
    (folder / f"{goal}.ys").write_text(_SCRIPT.format(goal=goal, cut=cut), encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", _YOSYS, f"{goal}.ys"], cwd=folder, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    (folder / f"{goal}.log").write_text(said, encoding="utf-8")
    problems = re.findall(r".*ERROR: .*|.*is used but has no driver.*|.*conflicting drivers.*|.*is implicitly declared.*", said)
    if done.returncode or problems:
        raise ModelError(f"{goal}.sv in {folder}: {problems[0] if problems else f'yosys ended with {done.returncode}'}")


def _abc(folder: Path, goal: str, commands: str, seconds: int) -> str:
    """What ABC says of the model in ``folder``.

    Raises
    ------
    ToolError
        If ABC crashes, which is no answer.
    """
    program = Path(importlib.util.find_spec("pyosys").origin).parent / "yosys-abc"
    try:
        done = subprocess.run([program, "-c", f"read_aiger {goal}.aig; fold; {commands}"], cwd=folder, capture_output=True, text=True,
                              timeout=seconds + 60, check=False)
    except subprocess.TimeoutExpired:
        return ""
    (folder / f"{goal}.abc.log").write_text(done.stdout, encoding="utf-8")
    if done.returncode < 0:
        raise ToolError(f"yosys-abc was ended by signal {-done.returncode} in {folder}: {commands}")
    return done.stdout


def _judge(prop: Property, folder: Path, labels: list[str]) -> tuple[Verdict, str, int]:
    """Proves it by the property's method; if that fails, says where and why."""
    if prop.bound:
        return _search(prop, folder, labels, proves=True)
    if prop.induction:
        base = _abc(folder, "asserts", f"bmc3 -F {prop.induction + 1} -T {prop.seconds}", prop.seconds)
        proved = f"No output asserted in {prop.induction + 1} frames" in base \
            and "Networks are equivalent" in _abc(folder, "asserts", f"orpos; ind -F {prop.induction} -T {prop.seconds}", prop.seconds)
    else:
        said = _abc(folder, "asserts", f"orpos; pdr -T {prop.seconds}", prop.seconds)
        proved = "Property proved" in said and "Verification of invariant" in said
        if not proved and not _counterexample(said):
            return Verdict.UNKNOWN, "", 0
    return (Verdict.PROVED, "", 0) if proved else _search(prop, folder, labels)


def _search(prop: Property, folder: Path, labels: list[str], *, proves: bool = False) -> tuple[Verdict, str, int]:
    """Unrolls the model until an assertion fails: the first that does, and when. If none does within the property's bound, that
    ``proves`` it."""
    cycles = prop.bound or _DEEPEST
    said = _abc(folder, "asserts", f"bmc3 -F {cycles} -T {prop.seconds}", prop.seconds)
    failed = _counterexample(said)
    if failed:
        return Verdict.FAILED, labels[int(failed[1])], int(failed[2])
    return (Verdict.PROVED if proves and f"No output asserted in {cycles} frames" in said else Verdict.UNKNOWN), "", 0


def _counterexample(said: str) -> re.Match | None:
    """Number of the assertion and of the cycle."""
    return re.search(r"Output (\d+) of miter \S+ was asserted in frame (\d+)", said)


def _missed(prop: Property, folder: Path) -> tuple[str, ...]:
    """Covers that no run of the model reaches. Each by itself: ABC's search for several at once crashes at times."""
    cycles = prop.bound or _DEEPEST
    return tuple(label for i, label in enumerate(prop.covers)
                 if not _counterexample(_abc(folder, "covers", f"cone -O {i}; bmc3 -F {cycles} -T {prop.seconds}", prop.seconds)))
