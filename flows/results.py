"""A model's outputs, out of the tensors that a program left in DRAM, and the file that keeps them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from compiler.frontend.quantisation import Quantisation
from flows.compile import Compiled
from flows.execution import Tensors
from flows.outputs import new_file

__all__ = ["model_outputs", "save_outputs"]


def model_outputs(compiled: Compiled, tensors: Tensors) -> dict[str, np.ndarray]:
    """The model's outputs by name, of its shapes and types: what a host hands to whoever asked for them."""
    graph, found = compiled.graph, {}
    for value, name in zip(compiled.model.graph.output, graph.outputs, strict=True):
        view = graph.aliases[value.name]
        array = view.to_onnx(tensors[name])
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            array = Quantisation(np.float32(view.scale), view.zero_point, view.dtype).dequantise(array)
        found[value.name] = array
    return found


def save_outputs(path: Path, compiled: Compiled, runs: Sequence[Tensors]) -> None:
    """Writes the outputs of all ``runs`` as an ``.npz`` file; of more than one, arrays with the runs in their first dimension."""
    results = [model_outputs(compiled, tensors) for tensors in runs]
    arrays = results[0] if len(results) == 1 else {name: np.stack([r[name] for r in results]) for name in results[0]}
    # Not numpy.savez(file, **arrays): an output may be called "file".
    with new_file(path) as work, zipfile.ZipFile(work, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
