"""The conformance cases that the ``onnx`` package ships: a model, its inputs and the outputs that ONNX expects."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

__all__ = ["KINDS", "Case", "load_cases", "with_shapes"]

#: The folders of ``onnx.backend.test`` in the page's order; ``light`` are real topologies, whose weights their models generate.
KINDS = ("node", "simple", "pytorch-operator", "pytorch-converted", "light")

_EXPANDED = re.compile(r"_expanded(_ver\d+)?$")  # the same case with the operator's definition as a function in its place


@dataclass(frozen=True)
class Case:
    """``feeds`` and ``expected`` by the names of the model's inputs and outputs; what is no tensor there is a list or None."""

    name: str
    kind: str
    operator: str
    model: onnx.ModelProto
    feeds: dict[str, object]
    expected: dict[str, object]


def load_cases(kinds: tuple[str, ...] = KINDS) -> list[Case]:
    """All cases of ``kinds``, sorted by name within each."""
    cases = []
    for kind in kinds:
        cases += sorted(_light() if kind == "light" else _shipped(kind), key=lambda case: case.name)
    return cases


def _shipped(kind: str) -> Iterator[Case]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the expected outputs of some cases are infinite or no number
        from onnx.backend.test.loader import load_model_tests

        found = load_model_tests(kind=kind)
    operators = {test.name: _operator(test.model) for test in found if test.model is not None}
    for test in found:
        model, sets = test.model, test.data_sets
        if model is None:
            folder = Path(test.model_dir)
            model = onnx.load(folder / "model.onnx")
            sets = [_data_set(model, f) for f in sorted(folder.glob("test_data_set_*"))]
        inputs, outputs = sets[0]
        operator = operators.get(_EXPANDED.sub("", test.name)) or _operator(model)
        yield Case(test.name, kind, operator, model, _named(_inputs(model, len(inputs)), inputs), _named(model.graph.output, outputs))


def _light() -> Iterator[Case]:
    """The topologies, with the inputs that ONNX's own runner makes up for them."""
    from onnx.backend.test.loader import DATA_DIR

    for path in sorted(Path(DATA_DIR, "light").glob("*.onnx")):
        model = onnx.load(path)
        feeds = {}
        for value in _inputs(model, None):
            shape = tuple(d.dim_value or 1 for d in value.type.tensor_type.shape.dim)
            size = int(np.prod(shape))
            feeds[value.name] = (np.arange(size).reshape(shape) / size).astype(np.float32)
        expected = {}
        for number, output in enumerate(model.graph.output):
            tensor = onnx.TensorProto.FromString(path.with_name(f"{path.stem}_output_{number}.pb").read_bytes())
            expected[output.name] = numpy_helper.to_array(tensor)
        yield Case(path.stem, "light", "whole networks", model, feeds, expected)


def _operator(model: onnx.ModelProto) -> str:
    """The model's only operator, constants aside."""
    kinds = {node.op_type for node in model.graph.node} - {"Constant"}
    return kinds.pop() if len(kinds) == 1 else "several"


def _inputs(model: onnx.ModelProto, count: int | None) -> list[onnx.ValueInfoProto]:
    constants = {i.name for i in model.graph.initializer}
    free = [value for value in model.graph.input if value.name not in constants]
    return list(model.graph.input) if count is not None and count != len(free) else free


def _named(values, arrays) -> dict[str, object]:
    return {v.name: numpy_helper.to_array(a) if isinstance(a, onnx.TensorProto) else a for v, a in zip(values, arrays)}


def _data_set(model: onnx.ModelProto, folder: Path) -> tuple[list, list]:
    """Inputs and expected outputs in the files of a folder."""
    found = []
    for stem, values in (("input", model.graph.input), ("output", model.graph.output)):
        files = sorted(folder.glob(f"{stem}_*.pb"), key=lambda f: int(f.stem.rpartition("_")[2]))
        found.append([_read(file, value.type) for file, value in zip(files, values)])
    return found[0], found[1]


def _read(file: Path, kind: onnx.TypeProto) -> object:
    data = file.read_bytes()
    if kind.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if kind.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))


def with_shapes(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> onnx.ModelProto:
    """A copy whose inputs have the static shapes of ``feeds``."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        if value.name in feeds:
            dims = value.type.tensor_type.shape
            del dims.dim[:]
            dims.dim.extend(onnx.TensorShapeProto.Dimension(dim_value=n) for n in feeds[value.name].shape)
    return copy
