"""Runs one case: quantised if it is float, compiled, simulated, and compared with the reference and with what ONNX expects."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from tenon.compiler.errors import CompileError, NothingToComputeError, UnsupportedError
from tenon.compiler.frontend.quantize import check_float, quantize
from tenon.flows.comparison import Comparison
from tenon.flows.compile import Compiled, compile_source
from tenon.flows.conformance.cases import Case, with_shapes
from tenon.flows.conformance.element_types import ACTIVATIONS, foreign_type
from tenon.flows.conformance.verdict import Result, Verdict
from tenon.flows.execution import Simulator
from tenon.flows.host_parts import enter, leave
from tenon.flows.run import Job, run
from tenon.flows.source import Feeds, Source
from tenon.hw.params import SystolicParams
from tenon.tb.gateware import graph_of
from tenon.tb.reference import Reference

__all__ = ["Trial", "judge", "outputs_of", "quantised", "trials"]

#: A shipped case is not malformed: that is how the frontend says that a handler of its own failed.
_FAILED = ": it is malformed ("
_NODE = re.compile(r"^\S* \((\w+)\): ")  # a node's label in a refusal: of its name, which a quantiser made up, the operator


@dataclass(frozen=True)
class Trial:
    """A case with those of its inputs that stay inputs; the others are constants of its model, ``fixed`` by name."""

    model: onnx.ModelProto
    feeds: Feeds
    fixed: tuple[str, ...]


def trials(case: Case) -> Iterator[Trial]:
    """What to try, one after the other, until something compiles.

    ONNX gives weights, scales and shapes as inputs too, where networks have constants. Inputs of several numbers, float or of
    8 bits, stay inputs first; then only the first of them does, so that further ones are weights.
    """
    arrays = {name: np.asarray(array) for name, array in case.feeds.items()}
    types = {v.name: v.type.tensor_type.elem_type for v in case.model.graph.input}
    able = [name for name in arrays if types[name] in ACTIVATIONS]
    several = [name for name in able if arrays[name].size > 1] or able[:1]
    for kept in (several, several[:1]):
        model = with_shapes(case.model, arrays)
        fixed = tuple(name for name in arrays if name not in kept)
        given = {i.name for i in model.graph.initializer}
        model.graph.initializer.extend(numpy_helper.from_array(arrays[name], name) for name in fixed if name not in given)
        left = [v for v in model.graph.input if v.name in kept]
        del model.graph.input[:]
        model.graph.input.extend(left)
        model.ir_version = max(model.ir_version, 4)  # before it, constants had to be inputs
        yield Trial(model, {name: arrays[name] for name in kept}, fixed)
        if len(several) == 1:
            return


def quantised(trial: Trial) -> onnx.ModelProto:
    """The trial's model if it has integers already, else quantised with its own inputs as calibration."""
    try:
        check_float(trial.model)
    except CompileError:
        return trial.model
    if all(v.type.tensor_type.elem_type != onnx.TensorProto.FLOAT for v in trial.model.graph.input):
        return trial.model
    return quantize(trial.model, {name: array[None] for name, array in trial.feeds.items()}, every_operator=True)


def judge(case: Case, params: SystolicParams) -> Verdict:
    """Never raises: what goes wrong is the verdict."""
    try:
        result, why, error_steps = _judged(case, params)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{frame.filename.rpartition('/')[2]}:{frame.name}"
        result, why, error_steps = Result.CRASHED, f"{type(error).__name__} in {where}: {_line(str(error))}", None
    return Verdict(case.name, case.kind, case.operator, result, why, error_steps)


def _judged(case: Case, params: SystolicParams) -> tuple[Result, str, float | None]:
    if (reason := foreign_type(case)) is not None:
        return Result.REFUSED, reason, None
    covenant = graph_of(params)
    refusals = []
    for trial in trials(case):
        if not trial.feeds:
            return Result.REFUSED, "it has no inputs: everything is constant", None
        try:
            compiled = compile_source(Source(case.name, quantised(trial)), covenant)
        except NothingToComputeError as error:
            return Result.FLOAT, _line(str(error)), None
        except CompileError as error:
            if _FAILED in str(error):
                return Result.CRASHED, _short(error), None
            refusals.append(error)
        else:
            try:
                return _compared(case, trial, compiled, params)
            except CompileError as error:  # the reference may have no such operator; anything else is a fault
                by_reference = str(error).startswith("ONNX Runtime")
                return Result.REFUSED if by_reference else Result.WRONG, _line(str(error)), None
    # What was nearest to compiling; with constants, if both have as many reasons.
    nearest = min(reversed(refusals), key=lambda e: len(e.reasons) if isinstance(e, UnsupportedError) else 1)
    return Result.REFUSED, _short(nearest), None


def outputs_of(case: Case, params: SystolicParams) -> dict[str, np.ndarray]:
    """The outputs of the first trial that compiles, by the names of ``case.expected``.

    Raises
    ------
    CompileError
        If none does.
    """
    refusal = CompileError("it has no inputs: everything is constant")
    for trial in trials(case):
        try:
            compiled = compile_source(Source(case.name, quantised(trial)), graph_of(params))
            return _run(case, trial, compiled, params)[1]
        except CompileError as error:
            refusal = error
    raise refusal


def _run(case: Case, trial: Trial, compiled: Compiled, params: SystolicParams) -> tuple[Comparison, dict[str, np.ndarray]]:
    """How its tensors compare with the reference's, and the model's outputs."""
    report, execution = run(Job(compiled, params, case.name, [trial.feeds]), Simulator.FUNCTIONAL)
    entered = enter(compiled.parts, [trial.feeds])
    (ours,) = leave(compiled.parts, compiled.program, entered, execution.tensors, list(case.expected))
    return report.comparison, ours


def _compared(case: Case, trial: Trial, compiled: Compiled, params: SystolicParams) -> tuple[Result, str, float | None]:
    if not compiled.graph.kernels:
        return Result.FLOAT, "nothing is left for the accelerator", None
    comparison, ours = _run(case, trial, compiled, params)
    reference = Reference(compiled.model).run(trial.feeds)
    problem = None if comparison.passed else comparison.first_difference
    error = 0.0
    for name, expected in case.expected.items():
        step, kind = _step(compiled, name)
        problem = problem or _difference(name, ours[name], reference[name], step, kind)
        error = max(error, _error_steps(ours[name], np.asarray(expected), step))
    if problem is not None:
        return Result.WRONG, problem, error
    loose = comparison.step + comparison.after
    result = Result.ONE_STEP if loose.elements else Result.EXACT
    return result, _notes(trial, compiled, comparison), error


def _step(compiled: Compiled, output: str) -> tuple[float, str]:
    """What one step of an output is, and its tensor's class; of what the host makes, the largest of the outputs it reads."""
    views = compiled.program.aliases
    body = {o.name: o.type.tensor_type.elem_type for o in compiled.parts.body.graph.output}
    if output in body:
        tensor, view = views[output]
        return 1.0 if body[output] != onnx.TensorProto.FLOAT else view.scale, compiled.graph.classes.get(tensor, "exact")
    return max(view.scale for _, view in views.values()), "after"


def _difference(name: str, ours: np.ndarray, reference: np.ndarray, step: float, kind: str) -> str | None:
    """What is wrong with an output beside the reference's; elements of class ``after`` were compared with their definition."""
    if ours.shape != reference.shape or ours.dtype != reference.dtype:
        return f"{name} is {ours.dtype} of shape {list(ours.shape)}, the reference's {reference.dtype} of shape {list(reference.shape)}"
    if not np.array_equal(np.isfinite(ours), np.isfinite(reference)):
        return f"{name} and the reference are not both numbers everywhere"
    steps = _error_steps(ours, reference, step)
    if steps > {"exact": 0, "step": 1.001, "after": np.inf}[kind]:
        return f"{name} is {steps:.1f} steps off the reference"
    return None


def _error_steps(ours: np.ndarray, wanted: np.ndarray, step: float) -> float:
    """The largest difference where both are numbers; infinite if the shapes differ."""
    if ours.shape != wanted.shape:
        return np.inf
    with np.errstate(invalid="ignore"):
        difference = np.abs(ours.astype(np.float64) - wanted.astype(np.float64))
    return float(np.max(difference, initial=0, where=np.isfinite(difference)) / step)


def _notes(trial: Trial, compiled: Compiled, comparison: Comparison) -> str:
    """What a reader is to know of a case that passed."""
    notes = []
    total = comparison.total
    if total.mismatches:
        notes.append(f"{total.mismatches} of {total.elements} elements differ, by {total.max_abs_diff} at most")
    if trial.fixed:
        notes.append(f"constant: {', '.join(trial.fixed)}")
    host = sorted({node.op_type for part in (compiled.parts.head, compiled.parts.tail) if part is not None for node in part.graph.node})
    if host:
        notes.append(f"the host runs {', '.join(host)}")
    return "; ".join(notes)


def _short(error: Exception) -> str:
    """The first reason of a refusal, a handler's failure before others, without what every one begins with."""
    if isinstance(error, UnsupportedError):
        more = f" (and {len(error.reasons) - 1} more)" if len(error.reasons) > 1 else ""
        first = next((r for r in error.reasons if _FAILED in r), error.reasons[0])
        return _NODE.sub(r"\1: ", _line(first)) + more
    return _line(str(error))


def _line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0]
