"""What the host does around the accelerator: quantises a network's inputs, and hands results back as the model's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tenon.compiler.errors import CompileError
from tenon.compiler.frontend.quantisation import Quantisation
from tenon.compiler.ir import Graph, Tensor

__all__ = ["model_inputs", "quantise_inputs", "read_inputs"]


def model_inputs(graph: Graph) -> dict[str, Tensor]:
    """The model's inputs by name, each with one of the tensors that are made of it."""
    return {graph.tensors[name].onnx_name: graph.tensors[name] for name in graph.inputs}


def read_inputs(graph: Graph, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The graph's input tensors out of a model's inputs, of which some may be read by nothing. Raises as ``quantise_inputs``."""
    wanted = model_inputs(graph)
    return quantise_inputs(graph, {name: array for name, array in feeds.items() if name in wanted})


def quantise_inputs(graph: Graph, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The graph's input tensors, NHWC, out of the model's inputs by name.

    Raises
    ------
    CompileError
        If an input is missing, unknown, or has the wrong shape or type.
    """
    wanted = model_inputs(graph)
    for name in feeds:
        if name not in wanted:
            raise CompileError(f"input {name!r} is not one of the model's: {', '.join(wanted)}")
    for name, tensor in wanted.items():
        if name not in feeds:
            raise CompileError(f"input {name!r} of shape {list(tensor.onnx_shape)} is missing")
        given = feeds[name]
        if tuple(given.shape) != tuple(tensor.onnx_shape):
            raise CompileError(f"input {name!r} must have shape {list(tensor.onnx_shape)}, not {list(given.shape)}")
        if given.dtype != np.float32 and str(given.dtype) != tensor.dtype:
            raise CompileError(f"input {name!r} must be float32 or {tensor.dtype}, not {given.dtype}")
    quantised = {}
    for name in graph.inputs:
        tensor = graph.tensors[name]
        array = feeds[tensor.onnx_name]
        if array.dtype == np.float32:
            array = Quantisation(np.float32(tensor.scale), tensor.zero_point, tensor.dtype).quantise(array)
        quantised[name] = np.ascontiguousarray(tensor.from_onnx(array))
    return quantised
