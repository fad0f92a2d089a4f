"""What a tensor of the model is to the reader while it walks through the nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Constant", "Expression", "FloatInput", "Quantised", "Reference", "Value", "along"]


@dataclass(frozen=True)
class Constant:
    """A constant, or a quantised one with its parameters: ``(array - zero_point) * scale``, along ``axis``."""

    array: np.ndarray
    scale: np.ndarray | None = None
    zero_point: np.ndarray | None = None
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        return self.scale is not None and max(self.scale.size, self.zero_point.size) > 1

    @property
    def real(self) -> np.ndarray:
        """Its values as binary32."""
        if self.scale is None:
            return self.array.astype(np.float32)
        scale, zero = (along(v, self.array.ndim, self.axis) for v in (self.scale, self.zero_point))
        return ((self.array.astype(np.int64) - zero.astype(np.int64)).astype(np.float32) * scale).astype(np.float32)


def along(values: np.ndarray, dimensions: int, axis: int) -> np.ndarray:
    """A parameter, or one for each element of an axis, ready to be broadcast over an array."""
    if values.size == 1:
        return values.reshape(())
    return values.reshape([-1 if a == axis % dimensions else 1 for a in range(dimensions)])


@dataclass(frozen=True)
class FloatInput:
    """An input of the model that the host quantises."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Reference:
    """A quantised tensor of the graph as the model sees it: reshaped to ``shape``, after a transposition to NCHW if
    ``order`` says so ("same" if not)."""

    tensor: str
    shape: tuple[int, ...]
    order: str


@dataclass(frozen=True)
class Quantised:
    """A tensor of 8-bit elements in the model."""

    reference: Reference


@dataclass(frozen=True)
class Expression:
    """A float value between DequantizeLinear and QuantizeLinear: nothing is computed until it is quantised.

    ``op``: "dequantise" (the one operand as it is), or an operator over ``operands``; ``bias`` a float constant added;
    ``clip`` bounds applied afterwards; ``loose``: the reference computes it in float, whatever follows;
    ``nodes`` names of the model's nodes so far, ``outputs`` of their float results.
    """

    op: str
    operands: tuple
    nodes: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: object = None
    bias: Constant | None = None
    clip: tuple[float, float] | None = None
    loose: bool = False


Value = Constant | FloatInput | Quantised | Expression
