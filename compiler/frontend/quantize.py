"""Quantises float models with ONNX Runtime's static quantiser, so that they fall into the exact class where they can."""

from __future__ import annotations

import contextlib
import logging
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

import numpy as np
import onnx

from tenon.compiler.errors import CompileError
from tenon.compiler.frontend.model import input_shapes
from tenon.compiler.frontend.quantisable import quantisable

__all__ = ["calibration_feeds", "check_float", "input_types", "quantize"]

_QUANTISED = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantize", "QLinear", "QGemm", "QAttention", "MatMulInteger", "ConvInteger")
_TEMPORARY = re.compile(re.escape(tempfile.gettempdir()) + r"/\S*\.onnx")


def quantize(model: onnx.ModelProto, calibration: Mapping[str, np.ndarray],
             activations: type[np.uint8] | type[np.int8] = np.uint8, *, every_operator: bool = False) -> onnx.ModelProto:
    """The model with 8-bit ``activations`` and int8 weights per channel, in QDQ form.

    Parameters
    ----------
    calibration : mapping
        Float samples for each input of the model, see ``calibration_feeds``; their ranges become the scales.
    every_operator : bool
        Also those that ONNX Runtime leaves float unless told (Exp, Sum, ...), or where nothing around them is quantised
        (Reshape, AveragePool, ...).

    Raises
    ------
    CompileError
        If the model is quantised already, the samples do not fit it, or the quantiser fails.
    """
    check_float(model)
    # Only float models need it, and it takes a second to import.
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    feeds = calibration_feeds(model, calibration)

    class Reader(CalibrationDataReader):
        def __init__(self):
            self._rest = iter(feeds)

        def get_next(self):
            return next(self._rest, None)

    with tempfile.TemporaryDirectory() as folder, _quiet(), _registry(every_operator):
        source, prepared, result = (Path(folder) / name for name in ("float.onnx", "prepared.onnx", "quantised.onnx"))
        onnx.save(quantisable(model), source)
        try:
            # Folds what is constant, batch normalisation among it, into the weights.
            quant_pre_process(source, prepared, skip_symbolic_shape=True)
            operators = sorted({node.op_type for node in onnx.load(prepared).graph.node}) if every_operator else None
            quantize_static(prepared, result, Reader(), quant_format=QuantFormat.QDQ,
                            activation_type=QuantType.QUInt8 if activations is np.uint8 else QuantType.QInt8, weight_type=QuantType.QInt8,
                            per_channel=True, op_types_to_quantize=operators, extra_options={"ForceQuantizeNoInputCheck": every_operator})
        except Exception as error:  # of many kinds, also from C++
            # Paths to files of our own, which are gone by now, tell nobody anything.
            text = _TEMPORARY.sub("the model", (str(error).strip() or type(error).__name__).splitlines()[0])
            raise CompileError(f"ONNX Runtime cannot quantise the model: {text}") from None
        quantised = onnx.load(result)
    if not any(node.op_type == "QuantizeLinear" for node in quantised.graph.node):
        raise CompileError("ONNX Runtime finds nothing in the model that it can quantise")
    return quantised


def check_float(model: onnx.ModelProto) -> None:
    """Raises CompileError if the model has integers where it would get them."""
    for node in model.graph.node:
        if node.op_type.startswith(_QUANTISED):
            raise CompileError(f"the model is quantised already: {node.name or node.output[0]} ({node.op_type})")


def input_types(model: onnx.ModelProto) -> dict[str, np.dtype]:
    """Types of the elements of the model's inputs."""
    initialised = {i.name for i in model.graph.initializer}
    return {value.name: np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
            for value in model.graph.input if value.name not in initialised}


def calibration_feeds(model: onnx.ModelProto, calibration: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Inputs of each sample. An array has the samples in its first dimension, beside the input's own dimensions or, if the
    input's own first one is 1, instead of that.

    Raises
    ------
    CompileError
        If an input is missing, unknown, or of a wrong shape or type, or has what is no number.
    """
    shapes, types = input_shapes(model), input_types(model)
    if unknown := sorted(set(calibration) - set(shapes)):
        raise CompileError(f"calibration data for {unknown[0]!r}, which is not an input of the model: "
                           f"its inputs are {', '.join(shapes)}")
    samples: dict[str, np.ndarray] = {}
    for name, shape in shapes.items():
        if name not in calibration:
            raise CompileError(f"calibration data for input {name!r} are missing: an array of samples of shape {list(shape)}")
        array = np.asarray(calibration[name])
        if array.dtype != types[name]:
            raise CompileError(f"calibration data for input {name!r} must be {types[name]}, not {array.dtype}")
        if array.shape[1:] == shape:
            samples[name] = array
        elif shape[0] == 1 and array.shape[1:] == shape[1:]:
            samples[name] = array[:, None]
        else:
            raise CompileError(f"calibration data for input {name!r} must be samples of shape {list(shape)}, "
                               f"not an array of {list(array.shape)}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            sample = int(np.argwhere(~np.isfinite(array))[0][0])
            raise CompileError(f"calibration data for input {name!r} must be numbers, not NaN or infinity, as in sample {sample}")
    counts = {name: len(array) for name, array in samples.items()}
    if len(set(counts.values())) != 1 or not min(counts.values()):
        raise CompileError(f"calibration data must have the same number of samples for every input, at least one: {counts}")
    return [{name: array[i] for name, array in samples.items()} for i in range(min(counts.values()))]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser advises on the root logger what has just been done."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def _registry(every_operator: bool) -> Iterator[None]:
    """The quantiser leaves Relu and Clip float unless something else reads their input; ``every_operator``: it does not."""
    from onnxruntime.quantization.operators.qdq_base_operator import QDQOperatorBase
    from onnxruntime.quantization.registry import QDQRegistry

    others = dict.fromkeys(("Relu", "Clip"), QDQOperatorBase) if every_operator else {}
    with mock.patch.dict(QDQRegistry, others):
        yield
