"""Compares what a program computed with the reference, tensor by tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx

from tenon.compiler.errors import CompileError
from tenon.compiler.evaluate import evaluate
from tenon.compiler.host import read_inputs
from tenon.compiler.ir import Graph
from tenon.compiler.program import Program
from tenon.flows.execution import Tensors
from tenon.flows.source import Feeds
from tenon.tb.reference import VERSION, Reference

__all__ = ["REFERENCE", "Comparison", "compare"]

REFERENCE = f"ONNX Runtime {VERSION}"


@dataclass(frozen=True)
class Tally:
    """Elements compared, those that differ, and by how much at most."""

    elements: int = 0
    mismatches: int = 0
    max_abs_diff: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.elements + other.elements, self.mismatches + other.mismatches,
                     max(self.max_abs_diff, other.max_abs_diff))


@dataclass(frozen=True)
class Comparison:
    """Tallies by class, and the outputs that both computed.

    ``exact``: tensors that are equal to the reference bit for bit by construction. ``step``: results of kernels that
    the reference computes in float, within one step. ``after``: whatever is computed from those; a step may grow there, so
    these elements must be what the kernels' definition (``compiler.evaluate``) makes of the inputs: ``undefined`` are not.
    """

    exact: Tally = Tally()
    step: Tally = Tally()
    after: Tally = Tally()
    undefined: int = 0
    first_difference: str = ""  # tensor, run and element of the first one that breaks its class

    @property
    def total(self) -> Tally:
        return self.exact + self.step + self.after

    @property
    def passed(self) -> bool:
        return self.exact.mismatches == 0 and self.step.max_abs_diff <= 1 and not self.undefined


def compare(program: Program, graph: Graph, model: onnx.ModelProto, feeds: Sequence[Feeds],
            results: Sequence[Tensors], entered: Sequence[Feeds] | None = None) -> tuple[Comparison, list[dict[str, np.ndarray]]]:
    """Every tensor that ``program`` leaves in DRAM, and that results have, against the reference's; also the reference's outputs for
    each run.

    Parameters
    ----------
    feeds : sequence
        The model's inputs of each run.
    results : sequence
        The program's tensors after each run; none to have the reference's outputs alone.
    entered : sequence, optional
        What the accelerator's part of the model gets of them, if the host computes something before it.

    Raises
    ------
    CompileError
        If the reference refuses the model, or is not the pinned version.
    """
    classes = {name: kind for name, kind in _classes(program, graph).items() if not results or name in results[0]}
    names = {tensor: program.tensors[tensor].tensor.onnx_name for tensor in classes}
    reference = Reference(model, list(names.values()) if results else [])
    outputs = [o.name for o in model.graph.output]
    comparison, expected_outputs = Comparison(), []
    for number, given in enumerate(feeds):
        expected = reference.run(given)
        inputs = entered[number] if entered else given
        defined = evaluate(graph, read_inputs(graph, inputs)) if results and "after" in classes.values() else {}
        expected_outputs.append({name: expected[name] for name in outputs})
        for tensor, kind in classes.items() if results else ():
            got = program.tensors[tensor].tensor.to_onnx(results[number][tensor])
            if got.shape != expected[names[tensor]].shape:
                raise CompileError(f"{names[tensor]} has shape {list(got.shape)}, the reference's {list(expected[names[tensor]].shape)}")
            difference = np.abs(got.astype(np.int32) - expected[names[tensor]].astype(np.int32))
            tally = Tally(difference.size, int(np.count_nonzero(difference)), int(difference.max(initial=0)))
            comparison = replace(comparison, **{kind: getattr(comparison, kind) + tally})
            if kind == "after":
                wrong = int(np.count_nonzero(results[number][tensor] != defined[tensor]))
                comparison = replace(comparison, undefined=comparison.undefined + wrong)
            if not comparison.passed and not comparison.first_difference:
                where = tuple(int(i) for i in np.unravel_index(difference.argmax(), difference.shape))
                comparison = replace(comparison, first_difference=(
                    f"{names[tensor]} of run {number}: {tally.mismatches} of {tally.elements} elements, the largest at "
                    f"{list(where)}: {int(got[where])} instead of {int(expected[names[tensor]][where])}"))
    return comparison, expected_outputs


def _classes(program: Program, graph: Graph) -> dict[str, str]:
    """Each of the model's tensors that the program leaves in DRAM and computes, with its class."""
    return {name: kind for name, kind in graph.classes.items() if name in program.tensors and graph.tensors[name].onnx_name}
