"""Gives a model's dynamic dimensions the sizes that a user names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import onnx

from tenon.flows.errors import UserError

__all__ = ["Sizes", "fix_shapes", "read_sizes"]

Sizes = Mapping[str, tuple[int, ...]]  # of a dimension (one), or of an input (all of its own), by name

_LARGEST = 2**31 - 1


def read_sizes(texts: Sequence[str]) -> Sizes:
    """Sizes out of texts such as ``N=1`` and ``image=1x3x224x224``.

    Raises
    ------
    UserError
        If a text is something else, or a name comes twice.
    """
    sizes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        if not name or not re.fullmatch(r"[0-9]+(x[0-9]+)*", value):
            raise UserError(f"--shape: {text!r} must be a name, then = and sizes, such as N=1 or image=1x3x224x224")
        if name in sizes:
            raise UserError(f"--shape: {name!r} is given twice")
        sizes[name] = tuple(int(size) for size in value.split("x"))
        if not all(1 <= size <= _LARGEST for size in sizes[name]):
            raise UserError(f"--shape: sizes of {name!r} must be in 1..{_LARGEST}, not {value}")
    return sizes


def fix_shapes(model: onnx.ModelProto, sizes: Sizes) -> onnx.ModelProto:
    """The model with its inputs' dimensions set to ``sizes``; a named dimension has one size wherever it occurs.

    Raises
    ------
    UserError
        If a name is neither a dimension's nor an input's, or a size contradicts the model or another one.
    """
    if not sizes:
        return model
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    constants = {i.name for i in fixed.graph.initializer}
    inputs = {value.name: value.type.tensor_type for value in fixed.graph.input if value.name not in constants}
    known = dict.fromkeys(d.dim_param for kind in inputs.values() for d in kind.shape.dim if d.dim_param)
    bound: dict[str, int] = {}
    for name, given in sizes.items():
        if name in known and (len(given) == 1 or name not in inputs):
            if len(given) != 1:
                raise UserError(f"--shape: {name!r} is one dimension, not {len(given)}")
            _bind(bound, name, *given)
        elif name in inputs:
            _fix_input(inputs[name], name, given, bound)
        else:
            there = [f"dynamic dimension {d!r}" for d in known] + [f"input {i!r}" for i in inputs]
            raise UserError(f"--shape: the model has nothing called {name!r}; it has {', '.join(there)}")
    for value in (*fixed.graph.input, *fixed.graph.output, *fixed.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in bound:
                dim.dim_value = bound[dim.dim_param]
    # What lies between was inferred from the dimensions as they were; it is inferred again from those.
    settled = [v for v in fixed.graph.value_info if all(d.HasField("dim_value") for d in v.type.tensor_type.shape.dim)]
    del fixed.graph.value_info[:]
    fixed.graph.value_info.extend(settled)
    return fixed


def _bind(bound: dict[str, int], name: str, size: int) -> None:
    if bound.setdefault(name, size) != size:
        raise UserError(f"--shape: dimension {name!r} cannot be both {bound[name]} and {size}")


def _fix_input(kind: onnx.TypeProto.Tensor, name: str, given: tuple[int, ...], bound: dict[str, int]) -> None:
    if not kind.HasField("shape"):
        for _ in given:
            kind.shape.dim.add()
    dims = kind.shape.dim
    if len(dims) != len(given):
        raise UserError(f"--shape: input {name!r} has {len(dims)} dimensions, not {len(given)}")
    for axis, (dim, size) in enumerate(zip(dims, given, strict=True)):
        if dim.dim_param:
            _bind(bound, dim.dim_param, size)
        elif dim.dim_value > 0 and dim.dim_value != size:
            raise UserError(f"--shape: input {name!r} has the size {dim.dim_value} in dimension {axis}, not {size}")
        dim.dim_value = size
