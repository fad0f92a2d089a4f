"""Identities that lower the peak: concatenations that nobody executes, and convolutions of them part by part."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tenon.compiler.errors import CompileError
from tenon.compiler.schedule.problem import Operator, Problem

__all__ = ["fold_concats", "rewrite"]


def fold_concats(problem: Problem, keep: Collection[str] = ()) -> Problem:
    """Lets readers of concatenations read the pieces, also through concatenations of concatenations.

    A concatenation in ``keep`` (names of operators) stays, and so does one that makes an output out of an input.
    """
    pieces: dict[str, tuple[str, ...]] = {}
    operators = []
    for op in _in_order(problem):
        inputs = _through(op.inputs, pieces)
        if op.kind == "concat" and op.name not in keep and not (op.outputs[0] in problem.outputs and set(inputs) & set(problem.inputs)):
            pieces[op.outputs[0]] = inputs
        else:
            operators.append(replace(op, inputs=inputs, in_place=tuple(t for t in op.in_place if t not in pieces)))
    outputs = tuple(dict.fromkeys(_through(problem.outputs, pieces)))
    return Problem(problem.name, tuple(operators), problem.sizes, problem.inputs, outputs)


def rewrite(problem: Problem, *, depthwise: bool = True) -> Problem:
    """Convolutions of concatenations, part by part.

    A convolution is a sum over input channels. One part for each piece adds to a common accumulator, in any order; a
    piece can die before the next one is made. A depthwise convolution treats channels by themselves: its parts are
    operators of their own, and their results are concatenated in its stead. A part is named after its operator and its
    piece. An operator whose inputs are several tensors counts as one of their concatenation (``fold_concats``).

    Neither can raise the optimum: executing the parts one right after the other is the operator as it was.
    """
    pieces: dict[str, tuple[str, ...]] = {}
    operators: list[Operator] = []
    sizes = dict(problem.sizes)
    for op in _in_order(problem):
        inputs = _through(op.inputs, pieces)
        parts = tuple(dict.fromkeys(inputs))
        whole = len(parts) == 1 or op.accumulates or op.in_place
        if op.kind == "concat":
            pieces[op.outputs[0]] = inputs
            operators.append(op)
        elif op.kind == "conv" and not whole:
            operators += [Operator(f"{op.name}/{t}", (t,), op.outputs, op.kind, accumulates=True) for t in parts]
        elif op.kind == "depthwise" and depthwise and not whole:
            result = op.outputs[0]
            for t in parts:
                sizes[f"{result}/{t}"] = _share(problem.name, sizes, op, t, inputs)
                operators.append(Operator(f"{op.name}/{t}", (t,), (f"{result}/{t}",), op.kind))
            pieces[result] = tuple(f"{result}/{t}" for t in parts)
            operators.append(Operator(op.name, pieces[result], op.outputs, "concat"))
        else:
            operators.append(op)
    operators = _without_unread_concats(operators, problem.outputs)
    return Problem(problem.name, tuple(operators), sizes, problem.inputs, problem.outputs)


def _in_order(problem: Problem) -> list[Operator]:
    return [problem.operators[problem.position(name)] for name in problem.file_order]


def _through(tensors: tuple[str, ...], pieces: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """``tensors``, with concatenations replaced by their pieces."""
    return tuple(p for t in tensors for p in pieces.get(t, (t,)))


def _share(name: str, sizes: dict[str, int], op: Operator, piece: str, inputs: tuple[str, ...]) -> int:
    """Bytes of the result that belong to one piece of the input."""
    whole = sum(sizes[t] for t in inputs)
    part = sizes[op.outputs[0]] * sizes[piece] * inputs.count(piece)
    if part % whole:
        raise CompileError(f"{name}: the {sizes[op.outputs[0]]} bytes of {op.outputs[0]!r} cannot be divided like the inputs of the "
                           f"depthwise convolution {op.name!r}")
    return part // whole


def _without_unread_concats(operators: list[Operator], outputs: Collection[str]) -> list[Operator]:
    kept: list[Operator] = []
    read = set(outputs)
    for op in reversed(operators):
        if op.kind != "concat" or op.outputs[0] in read:
            kept.append(op)
            read.update(op.inputs)
    return kept[::-1]
