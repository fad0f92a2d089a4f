"""Random models of operators over rows: softmax and layer normalisation."""

from __future__ import annotations

import numpy as np

from tenon.tb.random_model import ModelBuilder

__all__ = ["ROWS"]

_LONGEST = 1000  # elements that are normalised together: of more, the smallest arrays' buffers hold no run


def _shape(b: ModelBuilder) -> list[int]:
    limits = [(24, 150), (4, 12, 40), (2, 10, 6, 7)][int(b.rng.integers(3))]
    return [int(b.rng.integers(1, l + 1)) for l in limits]


def _share(b: ModelBuilder) -> list[str]:
    """Parameters of numbers up to 1. The reference overflows where its result's scale is much finer."""
    return [b.put(np.asarray(b.rng.choice([1 / 256, 1 / 255, 1 / 200, 1 / 128]), np.float32)), b.put(b.zero_point())]


def _softmax(b: ModelBuilder):
    shape = _shape(b)
    x = b.input(shape, b.parameters(float(b.rng.choice([0.01, 0.05, 0.3]))))
    axis = int(b.rng.integers(-1, len(shape)))
    return b.quantise(b.op("Softmax", [x], axis=axis), parameters=_share(b)), shape, False


def _qlinearsoftmax(b: ModelBuilder):
    shape, parameters = _shape(b), b.parameters(0.05)
    b.input(shape, parameters)
    return b.op("QLinearSoftmax", [b.last, *parameters, *_share(b)], "com.microsoft", axis=-1, opset=13), shape, True


def _layer_norm(b: ModelBuilder):
    shape = _shape(b)
    x = b.input(shape, b.parameters(float(b.rng.choice([0.01, 0.05, 0.3]))))
    axis = int(b.rng.integers(max(0, len(shape) - 2), len(shape)))
    if np.prod(shape[axis:]) > _LONGEST:
        axis = len(shape) - 1
    inputs = [x, b.put(b.rng.uniform(0.2, 2, shape[axis:]).astype(np.float32))]
    if b.rng.random() < 0.7:
        inputs.append(b.put(b.rng.uniform(-1, 1, shape[axis:]).astype(np.float32)))
    return b.quantise(b.op("LayerNormalization", inputs, axis=axis, epsilon=float(b.rng.choice([1e-5, 1e-2]))), 0.03), shape, False


#: Makers by kind.
ROWS = {"softmax": _softmax, "qlinearsoftmax": _qlinearsoftmax, "layernorm": _layer_norm}
