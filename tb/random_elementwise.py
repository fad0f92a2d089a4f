"""Random models of functions of one tensor, and of operators on two."""

from __future__ import annotations

import numpy as np

from tenon.tb.random_model import ModelBuilder

__all__ = ["ELEMENTWISE"]

_SMOOTH = ("Sigmoid", "Tanh", "Erf", "Exp", "Softplus", "Softsign", "Elu", "Selu", "Celu", "Sqrt")
_PIECEWISE = ("LeakyRelu", "HardSigmoid", "HardSwish", "Abs", "Neg", "ThresholdedRelu")


def _shape(b: ModelBuilder) -> list[int]:
    limits = [(40, 40), (6, 12, 30), (2, 24, 9, 9)][int(b.rng.integers(3))]
    return [int(b.rng.integers(1, l + 1)) for l in limits]


def _of(b: ModelBuilder, kinds):
    shape = _shape(b)
    kind = str(b.rng.choice(kinds))
    attributes = {}
    if kind in ("LeakyRelu", "HardSigmoid", "Elu", "ThresholdedRelu", "Celu") and b.rng.random() < 0.6:
        attributes["alpha"] = float(b.rng.uniform(0.05, 1.5))
    return b.quantise(b.op(kind, [b.input(shape)], **attributes), float(b.rng.uniform(0.005, 0.05))), shape, False


def _gelu(b: ModelBuilder):
    """Spelled out, as models of before the operator have it."""
    shape = _shape(b)
    x = b.input(shape)
    inner = b.op("Erf", [b.op("Div", [x, b.put(np.float32(np.sqrt(2)))])])
    y = b.op("Mul", [b.op("Mul", [x, b.op("Add", [inner, b.put(np.float32(1))])]), b.put(np.float32(0.5))])
    return b.quantise(y, 0.04), shape, False


def _swish(b: ModelBuilder):
    """x times a gate of x."""
    shape = _shape(b)
    x = b.input(shape)
    gate = b.op(str(b.rng.choice(["HardSigmoid", "Sigmoid"])), [x])
    return b.quantise(b.op("Mul", [x, gate]), 0.04), shape, False


def _scalar(b: ModelBuilder):
    """With one constant number."""
    shape = _shape(b)
    kind = str(b.rng.choice(["Add", "Sub", "Mul", "Div", "Max", "Min"]))
    operands = [b.input(shape), b.put(np.float32(b.rng.uniform(0.3, 2)))]
    if kind != "Div" and b.rng.random() < 0.3:
        operands.reverse()
    return b.quantise(b.op(kind, operands), 0.06), shape, False


def _pair(b: ModelBuilder, kind: str):
    shape = _shape(b)
    other = shape
    if b.rng.random() < 0.4:
        other = [e if b.rng.random() < 0.5 else 1 for e in shape]
    operands = [b.input(shape), b.input(other)]
    if b.rng.random() < 0.5:
        operands.reverse()
    if kind in ("Max", "Min") and b.rng.random() < 0.4:
        operands.append(b.input(shape))
    return b.quantise(b.op(kind, operands), 0.3 if kind == "Mul" else 0.08), shape, False


def _gated(b: ModelBuilder):
    """Squeeze and excitation: channels weighted by a function of their means."""
    shape = [1, *(int(v) for v in b.rng.integers(2, (30, 9, 9)))]
    parameters = b.parameters(0.05)
    x = b.input(shape, parameters)
    mean = b.quantise(b.op("GlobalAveragePool", [x]), 0.03)
    weight, _, _ = b.weight((shape[1], shape[1], 1, 1), 0)
    gate = b.quantise(b.op("HardSigmoid", [b.quantise(b.op("Conv", [mean, weight]), 0.3)]), 1 / 255)
    return b.quantise(b.op("Mul", [x, gate]), 0.05), shape, False


def _qlinearmul(b: ModelBuilder):
    shape = _shape(b)
    operands = []
    for _ in range(2):
        parameters = b.parameters(0.05)
        b.input(shape, parameters)
        operands += [b.last, *parameters]
    return b.op("QLinearMul", [*operands, *b.parameters(0.3)], "com.microsoft"), shape, True


def _qlinearunary(b: ModelBuilder):
    shape, parameters = _shape(b), b.parameters(0.05)
    b.input(shape, parameters)
    kind = str(b.rng.choice(["QLinearLeakyRelu", "QLinearSigmoid"]))
    attributes = {"alpha": 0.2} if kind == "QLinearLeakyRelu" else {}
    return b.op(kind, [b.last, *parameters, *b.parameters(0.01)], "com.microsoft", **attributes), shape, True


#: Makers by kind.
ELEMENTWISE = {
    "smooth": lambda b: _of(b, _SMOOTH), "piecewise": lambda b: _of(b, _PIECEWISE), "gelu": _gelu, "swish": _swish,
    "scalar": _scalar, "sum": lambda b: _pair(b, "Add"), "mul": lambda b: _pair(b, "Mul"), "sub": lambda b: _pair(b, "Sub"),
    "max": lambda b: _pair(b, "Max"), "min": lambda b: _pair(b, "Min"), "gated": _gated, "qlinearmul": _qlinearmul,
    "qlinearunary": _qlinearunary,
}
