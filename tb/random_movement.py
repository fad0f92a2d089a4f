"""Random models of operators that move elements."""

from __future__ import annotations

import numpy as np

from tenon.tb.random_model import ModelBuilder

__all__ = ["MOVEMENT"]

_AXES = {2: (40, 40), 3: (6, 12, 30), 4: (3, 24, 9, 9)}  # greatest extents by number of dimensions


def _shape(b: ModelBuilder, *, least: int = 1, ranks: tuple[int, ...] = (2, 3, 4)) -> list[int]:
    limits = _AXES[int(b.rng.choice(ranks))]
    return [int(b.rng.integers(min(least, l), l + 1)) for l in limits]


def _moved(b: ModelBuilder, y: str, shape, parameters: list[str]):
    """The result quantised with the parameters of the operand, or with others."""
    return b.quantise(y, 0.06, parameters=parameters if b.rng.random() < 0.6 else None), [int(v) for v in shape], False


def _integers(b: ModelBuilder, values) -> str:
    return b.put(np.asarray(values, np.int64))


def _concat(b: ModelBuilder):
    first = _shape(b)
    axis = int(b.rng.integers(len(first)))
    shared = b.parameters(0.05)
    names, total = [], 0
    for _ in range(int(b.rng.integers(2, 5))):
        shape = [int(b.rng.integers(1, 20)) if d == axis else e for d, e in enumerate(first)]
        total += shape[axis]
        names.append(b.input(shape, shared if b.rng.random() < 0.6 else None))
    shape = [total if d == axis else e for d, e in enumerate(first)]
    return b.quantise(b.op("Concat", names, axis=axis), 0.05, parameters=shared), shape, False


def _slice(b: ModelBuilder):
    shape, parameters = _shape(b, least=2), b.parameters(0.05)
    ranges = []
    for e in shape:
        step = int(b.rng.choice([1, 1, 2, 3, -1, -2]))
        low, high = sorted(int(v) for v in b.rng.choice(e + 1, 2, replace=False))
        ranges.append(range(low, high, step) if step > 0 else range(high - 1, low - 1, step))
    ends = [r.stop if r.step > 0 or r.stop >= 0 else -1 << 40 for r in ranges]
    constants = [_integers(b, v) for v in ([r.start for r in ranges], ends, range(len(shape)), [r.step for r in ranges])]
    y = b.op("Slice", [b.input(shape, parameters), *constants])
    return _moved(b, y, [len(r) for r in ranges], parameters)


def _transpose(b: ModelBuilder):
    shape, parameters = _shape(b), b.parameters(0.05)
    perm = [int(p) for p in b.rng.permutation(len(shape))]
    return _moved(b, b.op("Transpose", [b.input(shape, parameters)], perm=perm), [shape[p] for p in perm], parameters)


def _pad(b: ModelBuilder):
    shape, parameters = _shape(b, least=4), b.parameters(0.05)
    mode = str(b.rng.choice(["constant", "constant", "edge", "reflect"]))
    pads = [int(v) for v in b.rng.integers(-1 if mode == "constant" else 0, 4, 2 * len(shape))]
    pads = [min(p, e - 1) for p, e in zip(pads, shape * 2)]
    inputs = [b.input(shape, parameters), _integers(b, pads)]
    if mode == "constant" and b.rng.random() < 0.5:
        inputs.append(b.put(np.float32(b.rng.uniform(-2, 2))))
    y = b.op("Pad", inputs, mode=mode)
    return _moved(b, y, [e + p + q for e, p, q in zip(shape, pads, pads[len(shape):])], parameters)


def _resize(b: ModelBuilder):
    shape, parameters = _shape(b, ranks=(4,)), b.parameters(0.05)
    mode = str(b.rng.choice(["asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel"]))
    rounding = str(b.rng.choice(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]))
    if b.rng.random() < 0.6:
        factors = [1, 1, *(int(v) for v in b.rng.integers(1, 4, 2))]
        result = [e * f for e, f in zip(shape, factors)]
        inputs = [b.put(np.asarray(factors, np.float32))]
    else:
        result = [*shape[:2], *(int(v) for v in b.rng.integers(1, 20, 2))]
        inputs = ["", _integers(b, result)]
    y = b.op("Resize", [b.input(shape, parameters), "", *inputs], mode="nearest", coordinate_transformation_mode=mode,
             nearest_mode=rounding)
    return _moved(b, y, result, parameters)


def _split(b: ModelBuilder):
    """Two parts of a split, put together again the other way round."""
    shape, parameters = _shape(b, least=4), b.parameters(0.05)
    axis = int(b.rng.integers(len(shape)))
    at = int(b.rng.integers(1, shape[axis])) if shape[axis] > 1 else 0
    if not at:
        axis, at = len(shape) - 1, 1
    parts = b.op("Split", [b.input(shape, parameters), _integers(b, [at, shape[axis] - at])], axis=axis, outputs=2)
    halves = [b.quantise(part, parameters=parameters) for part in parts]
    return b.quantise(b.op("Concat", halves[::-1], axis=axis), 0.05, parameters=parameters), shape, False


def _reshape(b: ModelBuilder):
    """An image seen as another one, and pooled: bytes have to move."""
    n, c, h, w = shape = [int(b.rng.integers(1, 3)), int(b.rng.integers(1, 7)) * 2, int(b.rng.integers(2, 6)) * 2,
                          int(b.rng.integers(3, 9))]
    wanted = [[n, h, c, w], [n, c // 2, h * 2, w], [n, c * w, h // 2, 2], [n, c * 2, w, h // 2]][int(b.rng.integers(4))]
    parameters = b.parameters(0.05)
    x = b.op("Reshape", [b.input(shape, parameters), _integers(b, wanted)])
    x = b.quantise(x, parameters=parameters)
    y = b.op("MaxPool", [x], kernel_shape=[2, 2])
    return b.quantise(y, parameters=parameters), [*wanted[:2], wanted[2] - 1, wanted[3] - 1], False


def _shuffle(b: ModelBuilder):
    """ShuffleNet's exchange of channels between groups, as Reshape, Transpose, Reshape."""
    g, c, h, w = int(b.rng.integers(2, 5)), int(b.rng.integers(1, 12)), int(b.rng.integers(1, 6)), int(b.rng.integers(1, 6))
    parameters = b.parameters(0.05)
    x = b.op("Reshape", [b.input([1, g * c, h, w], parameters), _integers(b, [1, g, c, h, w])])
    x = b.quantise(b.op("Transpose", [b.quantise(x, parameters=parameters)], perm=[0, 2, 1, 3, 4]), parameters=parameters)
    x = b.quantise(b.op("Reshape", [x, _integers(b, [1, g * c, h, w])]), parameters=parameters)
    return b.quantise(b.op("Relu", [x]), 0.05), [1, g * c, h, w], False


def _repeated(b: ModelBuilder):
    """Gather, Tile or Expand."""
    shape, parameters = _shape(b), b.parameters(0.05)
    kind = str(b.rng.choice(["Gather", "Tile", "Expand"]))
    if kind == "Gather":
        axis = int(b.rng.integers(len(shape)))
        index = b.rng.integers(0, shape[axis], int(b.rng.integers(1, 9)))
        y = b.op(kind, [b.input(shape, parameters), _integers(b, index)], axis=axis)
        result = [len(index) if d == axis else e for d, e in enumerate(shape)]
    elif kind == "Tile":
        repeats = [int(v) for v in b.rng.integers(1, 3, len(shape))]
        y = b.op(kind, [b.input(shape, parameters), _integers(b, repeats)])
        result = [e * r for e, r in zip(shape, repeats)]
    else:
        shape[-1] = 1
        result = [*shape[:-1], int(b.rng.integers(2, 20))]
        y = b.op(kind, [b.input(shape, parameters), _integers(b, result)])
    return _moved(b, y, result, parameters)


#: Makers by kind.
MOVEMENT = {"concat": _concat, "slice": _slice, "transpose": _transpose, "pad": _pad, "resize": _resize, "split": _split,
            "reshape": _reshape, "shuffle": _shuffle, "repeated": _repeated}
