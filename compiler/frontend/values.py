"""What a tensor of the model is to the reader while it walks through the nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Constant", "Expression", "FloatInput", "Quantised", "Reference", "Value"]


@dataclass(frozen=True)
class Constant:
    """A constant, or a quantised one with its parameters: ``(array - zero_point) * scale``."""

    array: np.ndarray
    scale: np.ndarray | None = None
    zero_point: np.ndarray | None = None
    axis: int = 0

    @property
    def real(self) -> np.ndarray:
        """Its values as binary32."""
        if self.scale is None:
            return self.array.astype(np.float32)
        if self.scale.size == 1:
            scale, zero = self.scale.reshape(()), self.zero_point.reshape(())
        else:
            shape = [-1 if a == self.axis % self.array.ndim else 1 for a in range(self.array.ndim)]
            scale, zero = self.scale.reshape(shape), self.zero_point.reshape(shape)
        return ((self.array.astype(np.int64) - zero.astype(np.int64)).astype(np.float32) * scale).astype(np.float32)


@dataclass(frozen=True)
class FloatInput:
    """An input of the model that the host quantises."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Reference:
    """A quantised tensor of the graph as the model sees it: ``shape`` there, NCHW or the same order."""

    tensor: str
    shape: tuple[int, ...]
    order: str

    def reshaped(self, shape: tuple[int, ...]) -> Reference:
        return Reference(self.tensor, shape, self.order)


@dataclass(frozen=True)
class Quantised:
    """A tensor of 8-bit elements in the model."""

    reference: Reference


@dataclass(frozen=True)
class Expression:
    """A float value between DequantizeLinear and QuantizeLinear: nothing is computed until it is quantised.

    ``op``: "dequantise" (the one operand as it is), or an operator over ``operands``; ``bias`` a float constant added;
    ``clip`` bounds applied afterwards; ``nodes`` names of the model's nodes so far; ``shape`` in the model.
    """

    op: str
    operands: tuple
    nodes: tuple[str, ...]
    shape: tuple[int, ...]
    attributes: object = None
    bias: Constant | None = None
    clip: tuple[float, float] | None = None


Value = Constant | FloatInput | Quantised | Expression
