"""Quantises a float model with a user's samples, and measures what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from tenon.compiler.errors import CompileError
from tenon.compiler.frontend.model import input_shapes
from tenon.compiler.frontend.quantize import calibration_feeds, check_float, input_types, quantize
from tenon.flows.errors import UserError
from tenon.flows.source import Feeds, read_arrays, single
from tenon.tb.reference import Reference

__all__ = ["CALIBRATION", "Drift", "Right", "drift", "quantize_model", "random_samples", "read_labels", "read_samples", "right",
           "samples_of"]

#: Metadata of a quantised model: where its ranges come from, ``data`` or ``random``.
CALIBRATION = "tenon.calibration"


def read_samples(path: Path, model: onnx.ModelProto) -> list[Feeds]:
    """The samples in an ``.npz`` file, or in all of a folder in order of their names.

    A file's arrays have one sample's shape, or samples in a dimension before it or, if a sample's first is 1, in place of it.

    Raises
    ------
    UserError
        If there are none, or a file's do not fit the model.
    CompileError
        If the model's shapes are dynamic.
    """
    files = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    if not files:
        raise UserError(f"{path}: has no .npz files")
    return [sample for file in files for sample in samples_of(str(file), read_arrays(file), model)]


def samples_of(where: str, arrays: Mapping[str, np.ndarray], model: onnx.ModelProto) -> list[Feeds]:
    """The samples in ``arrays``, one for each input; ``where`` names them in messages. Otherwise as ``read_samples``."""
    shapes, types = input_shapes(model), input_types(model)
    taken = {}
    for name, array in arrays.items():
        if array.dtype == np.float64 and types.get(name) == np.float32:
            array = single(where, name, array)
        taken[name] = array[None] if array.shape == shapes.get(name) else array
    try:
        return calibration_feeds(model, taken)
    except CompileError as error:
        raise UserError(f"{where}: {error}") from None


def random_samples(model: onnx.ModelProto, count: int, seed: int = 1) -> list[Feeds]:
    """Seeded normal inputs, for want of data.

    Raises
    ------
    CompileError
        If the model's shapes are dynamic.
    UserError
        If an input is not float.
    """
    shapes = input_shapes(model)
    for name, dtype in input_types(model).items():
        if dtype != np.float32:
            raise UserError(f"--random-calibration needs float32 inputs, but {name!r} is {dtype}: give samples with --calibration")
    rng = np.random.default_rng(seed)
    return [{name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()} for _ in range(count)]


def read_labels(path: Path, count: int) -> np.ndarray:
    """The right class of each of ``count`` samples, of an ``.npy`` file.

    Raises
    ------
    UserError
        If it cannot be read, or is not one integer for each sample.
    """
    try:
        labels = np.load(path, allow_pickle=False)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:  # what a damaged header makes of numpy's reader is nowhere promised
        raise UserError(f"{path}: is not an .npy file: {(str(error) or type(error).__name__).splitlines()[0]}") from None
    if not isinstance(labels, np.ndarray) or not np.issubdtype(labels.dtype, np.integer) or labels.shape != (count,):
        found = f"{labels.dtype} of shape {list(labels.shape)}" if isinstance(labels, np.ndarray) else "an archive"
        raise UserError(f"{path}: must be {count} integers, one for each sample, not {found}")
    return labels


def quantize_model(model: onnx.ModelProto, samples: list[Feeds], calibration: str, *, every_operator: bool = False) -> onnx.ModelProto:
    """The model, quantised with the ranges that it has on ``samples``; its metadata say that they are ``calibration``.

    ``every_operator``: also what ONNX Runtime's quantiser leaves float of its own accord.

    Raises
    ------
    CompileError
        As ``compiler.frontend.quantize`` does.
    """
    check_float(model)
    result = quantize(model, {name: np.stack([sample[name] for sample in samples]) for name in samples[0]},
                      every_operator=every_operator)
    kept = [p for p in result.metadata_props if p.key != CALIBRATION]
    del result.metadata_props[:]
    result.metadata_props.extend([*kept, onnx.StringStringEntryProto(key=CALIBRATION, value=calibration)])
    return result


@dataclass(frozen=True)
class Drift:
    """How far an output moved: the largest difference, and the root of the mean square over that of the float output."""

    output: str
    max_abs: float
    relative_rms: float


def drift(model: onnx.ModelProto, quantised: onnx.ModelProto, samples: list[Feeds]) -> list[Drift]:
    """Differences of each output over all ``samples``."""
    before, after = Reference(model), Reference(quantised)
    largest, error, power = (dict.fromkeys(before.names, 0.0) for _ in range(3))
    for sample in samples:
        old, new = before.run(sample), after.run(sample)
        for name in before.names:
            was = old[name].astype(np.float64)
            difference = new[name] - was
            largest[name] = max(largest[name], float(np.abs(difference).max(initial=0)))
            error[name] += float(np.square(difference).sum())
            power[name] += float(np.square(was).sum())
    return [Drift(name, largest[name], _ratio(error[name], power[name])) for name in before.names]


def _ratio(error: float, power: float) -> float:
    return float(np.sqrt(error / power)) if power else (float("inf") if error else 0.0)


@dataclass(frozen=True)
class Right:
    """Right answers of the float model and of the quantised one."""

    before: int
    after: int


def right(model: onnx.ModelProto, quantised: onnx.ModelProto, samples: list[Feeds], labels: np.ndarray) -> Right:
    """How often the largest element of the first output is the sample's label."""
    return Right(*(_right(Reference(m), samples, labels) for m in (model, quantised)))


def _right(reference: Reference, samples: list[Feeds], labels: np.ndarray) -> int:
    return sum(int(reference.run(s)[reference.names[0]].argmax() == label) for s, label in zip(samples, labels, strict=True))
