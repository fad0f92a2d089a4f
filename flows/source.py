"""What a user names as a model: a built-in, an ONNX file; and the inputs to run it on."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from tenon.compiler.cache import cache_folder
from tenon.compiler.frontend import load_model
from tenon.compiler.ir import Graph
from tenon.flows import zoo
from tenon.flows.errors import UserError
from tenon.flows.shapes import Sizes, fix_shapes

__all__ = ["Feeds", "Source", "check_feeds", "open_source", "random_feeds", "read_arrays", "read_feeds", "single"]

Feeds = dict[str, np.ndarray]  # the model's inputs by name


@dataclass(frozen=True)
class Source:
    """A model with what is known about it. ``inputs(n)``: n sets of test inputs; ``labels(n)``: their classes."""

    name: str
    model: onnx.ModelProto
    inputs: Callable[[int], list[Feeds]] | None = None
    labels: Callable[[int], np.ndarray] | None = None


def open_source(model: str, sizes: Sizes | None = None) -> Source:
    """The model called ``model``: ``zoo:NAME``, or a file. ``sizes``: of its dynamic dimensions, by name.

    Raises
    ------
    CompileError
        If the file is not an ONNX model, or there is no such built-in.
    UserError
        If ``sizes`` do not fit it.
    """
    if zoo.is_zoo(model):
        found = zoo.resolve(model, cache_folder() / "zoo")
        return Source(found.name, fix_shapes(found.model, sizes or {}), found.inputs, found.labels)
    return Source(Path(model).name, fix_shapes(load_model(model), sizes or {}))


def read_feeds(path: Path, model: onnx.ModelProto, note: Callable[[str], None] = lambda _: None) -> Feeds:
    """The inputs in an ``.npz`` file, checked against the model's; binary64 is rounded where the model wants binary32.

    ``note`` is told of that.

    Raises
    ------
    UserError
        If the file cannot be read, or an input is missing, unknown, or of the wrong shape or type.
    """
    return check_feeds(str(path), read_arrays(path), model, note)


def check_feeds(where: str, arrays: Mapping[str, np.ndarray], model: onnx.ModelProto,
                note: Callable[[str], None] = lambda _: None) -> Feeds:
    """``arrays`` as inputs of ``model``; ``where`` names them in messages. Otherwise as ``read_feeds``."""
    feeds, wanted = dict(arrays), _declared(model)
    for name in feeds:
        if name not in wanted:
            raise UserError(f"{where}: {name!r} is not an input of the model; its inputs are {', '.join(wanted)}")
    rounded = []
    for name, (shape, dtype) in wanted.items():
        if name not in feeds:
            raise UserError(f"{where}: input {name!r} is missing; it must be {dtype} of shape {list(shape)}")
        if feeds[name].shape != shape:
            raise UserError(f"{where}: input {name!r} must have shape {list(shape)}, not {list(feeds[name].shape)}")
        if feeds[name].dtype == np.float64 and dtype == np.float32:
            feeds[name] = single(where, name, feeds[name])
            rounded.append(name)
        if feeds[name].dtype != dtype:
            raise UserError(f"{where}: input {name!r} must be {dtype}, not {feeds[name].dtype}")
    if rounded:
        note(f"{where}: {', '.join(map(repr, rounded))} rounded from float64 to float32")
    return feeds


def single(where: str | Path, name: str, array: np.ndarray) -> np.ndarray:
    """A binary64 array in binary32.

    Raises
    ------
    UserError
        If a number is too large for that.
    """
    with np.errstate(over="ignore"):
        result = array.astype(np.float32)
    if (np.isinf(result) & np.isfinite(array)).any():
        raise UserError(f"{where}: {name!r} has numbers that are too large for float32")
    return result


def read_arrays(path: Path) -> Feeds:
    """The arrays of an ``.npz`` file.

    Raises
    ------
    UserError
        If it cannot be read, or holds something else.
    """
    try:
        if not zipfile.is_zipfile(path) and path.stat().st_size:
            raise UserError(f"{path}: must be an .npz file with one array for each input (numpy.savez)")
        with np.load(path, allow_pickle=False) as archive:
            feeds = {name: archive[name] for name in archive.files}
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UserError:
        raise
    except Exception as error:  # what a damaged header makes of numpy's reader is nowhere promised
        raise UserError(f"{path}: is not an .npz file of arrays: {(str(error) or type(error).__name__).splitlines()[0]}") from None
    for name, array in feeds.items():
        if not isinstance(array, np.ndarray):
            raise UserError(f"{path}: {name!r} is no array (numpy.savez writes arrays)")
    return feeds


def _declared(model: onnx.ModelProto) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    constants = {i.name for i in model.graph.initializer}
    return {
        value.name: (tuple(d.dim_value for d in value.type.tensor_type.shape.dim),
                     np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)))
        for value in model.graph.input if value.name not in constants
    }


def random_feeds(model: onnx.ModelProto, graph: Graph, count: int, seed: int = 1) -> list[Feeds]:
    """Seeded inputs that use every input tensor's whole range."""
    rng = np.random.default_rng(seed)
    declared = _declared(model)
    tensors = {graph.tensors[name].onnx_name: graph.tensors[name] for name in graph.inputs}
    sets = []
    for _ in range(count):
        feeds = {}
        for name, (shape, dtype) in declared.items():
            tensor = tensors.get(name)
            if tensor is None:  # an input that the host reads, or nothing
                feeds[name] = rng.standard_normal(shape).astype(dtype) if dtype.kind == "f" else np.zeros(shape, dtype)
                continue
            low, high = tensor.bounds
            elements = rng.integers(low, high + 1, shape)
            real = (elements - tensor.zero_point).astype(np.float32) * np.float32(tensor.scale)
            feeds[name] = real if dtype == np.float32 else elements.astype(dtype)
        sets.append(feeds)
    return sets
