"""Quantises float models with ONNX Runtime's static quantiser, so that they fall into the exact class where they can."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx

from compiler.errors import CompileError
from compiler.frontend.model import input_shapes

__all__ = ["calibration_feeds", "quantize"]


def quantize(model: onnx.ModelProto, calibration: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """The model with uint8 activations and int8 weights per channel, in QDQ form.

    Parameters
    ----------
    calibration : mapping
        Float samples for each input of the model, see ``calibration_feeds``; their ranges become the scales.

    Raises
    ------
    CompileError
        If the samples do not fit the model, or the quantiser fails.
    """
    # Only float models need it, and it takes a second to import.
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    feeds = calibration_feeds(model, calibration)

    class Reader(CalibrationDataReader):
        def __init__(self):
            self._rest = iter(feeds)

        def get_next(self):
            return next(self._rest, None)

    with tempfile.TemporaryDirectory() as folder, _quiet():
        source, prepared, result = (Path(folder) / name for name in ("float.onnx", "prepared.onnx", "quantised.onnx"))
        onnx.save(model, source)
        try:
            # Folds what is constant, batch normalisation among it, into the weights.
            quant_pre_process(source, prepared, skip_symbolic_shape=True)
            quantize_static(prepared, result, Reader(), quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8,
                            weight_type=QuantType.QInt8, per_channel=True)
        except Exception as error:  # of many kinds, also from C++
            raise CompileError(f"ONNX Runtime cannot quantise the model: {str(error).strip().splitlines()[0]}") from None
        return onnx.load(result)


def calibration_feeds(model: onnx.ModelProto, calibration: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Inputs of each sample. An array has the samples in its first dimension, beside the input's own dimensions or, if the
    input's own first one is 1, instead of that.

    Raises
    ------
    CompileError
        If an input is missing, unknown, or of a wrong shape or type.
    """
    shapes = input_shapes(model)
    if unknown := sorted(set(calibration) - set(shapes)):
        raise CompileError(f"calibration data for {unknown[0]!r}, which is not an input of the model: "
                           f"its inputs are {', '.join(shapes)}")
    samples: dict[str, np.ndarray] = {}
    for name, shape in shapes.items():
        if name not in calibration:
            raise CompileError(f"calibration data for input {name!r} are missing: an array of samples of shape {list(shape)}")
        array = np.asarray(calibration[name])
        if array.dtype != np.float32:
            raise CompileError(f"calibration data for input {name!r} must be float32, not {array.dtype}")
        if array.shape[1:] == shape:
            samples[name] = array
        elif shape[0] == 1 and array.shape[1:] == shape[1:]:
            samples[name] = array[:, None]
        else:
            raise CompileError(f"calibration data for input {name!r} must be samples of shape {list(shape)}, "
                               f"not an array of {list(array.shape)}")
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
