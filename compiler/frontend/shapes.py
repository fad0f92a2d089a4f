"""Shapes that operators give, so that models whose operators ONNX cannot infer (com.microsoft) need no more."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

__all__ = ["flattened", "reshaped", "squeezed", "unsqueezed"]


def flattened(shape: tuple[int, ...], axis: int) -> tuple[int, int]:
    """Flatten's result."""
    if axis < 0:
        axis += len(shape)
    return prod(shape[:axis]), prod(shape[axis:])


def reshaped(shape: tuple[int, ...], wanted: tuple[int, ...], allow_zero: bool = False) -> tuple[int, ...]:
    """Reshape's result: 0 keeps a dimension, one -1 takes what is left.

    Raises
    ------
    ValueError
        If the sizes do not fit.
    """
    sizes = [shape[i] if v == 0 and not allow_zero and i < len(shape) else v for i, v in enumerate(wanted)]
    if sizes.count(-1) == 1:
        rest = prod(v for v in sizes if v != -1)
        sizes[sizes.index(-1)] = prod(shape) // rest if rest else 0
    if min(sizes, default=1) < 1 or prod(sizes) != prod(shape):
        raise ValueError(f"{list(shape)} cannot be reshaped to {list(wanted)}")
    return tuple(sizes)


def squeezed(shape: tuple[int, ...], axes: Iterable[int] | None) -> tuple[int, ...]:
    """Squeeze's result: without ``axes``, all dimensions of one element go."""
    gone = {int(a) % len(shape) for a in axes} if axes is not None else {i for i, e in enumerate(shape) if e == 1}
    return tuple(e for i, e in enumerate(shape) if i not in gone)


def unsqueezed(shape: tuple[int, ...], axes: Iterable[int]) -> tuple[int, ...]:
    """Unsqueeze's result: ``axes`` are those of the result."""
    axes = [int(a) for a in axes]
    new = {a % (len(shape) + len(axes)) for a in axes}
    rest = iter(shape)
    return tuple(1 if i in new else next(rest) for i in range(len(shape) + len(axes)))
