"""Operators that move elements: concatenation, slices, transposition, padding, resizing by repetition.

The docstring of each handler is its line in the operator table.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tenon.compiler.frontend.build import Epilogue
from tenon.compiler.frontend.copies import Part, Plan, copied, emit, gathering, operand, whole
from tenon.compiler.frontend.interpolation import interpolated
from tenon.compiler.frontend.operands import dequantised
from tenon.compiler.frontend.quantisation import Quantisation
from tenon.compiler.frontend.reader import MOST_BYTES, Reader, Refused, handles
from tenon.compiler.frontend.resize import source_indices
from tenon.compiler.frontend.values import Constant, Quantised, Reference

__all__: list[str] = []


@handles("Transpose")
def _transpose(reader: Reader, node) -> None:
    """Any permutation, of constants too; between channels first and channels last, bytes stay where they are."""
    constant = reader.value(0)
    x = constant.array if isinstance(constant, Constant) else operand(reader, 0)
    perm = [int(p) for p in reader.attributes().get("perm", reversed(range(len(x.shape))))]
    if sorted(perm) != list(range(len(x.shape))):
        raise Refused(f"its perm must order {len(x.shape)} dimensions, not be {perm}")
    if isinstance(constant, Constant):
        axis = perm.index(constant.axis % len(perm)) if constant.per_channel else 0
        reader.values[node.output[0]] = replace(constant, array=constant.array.transpose(perm), axis=axis)
        return
    renamed = _renamed(reader, x, perm)
    if renamed is not None:
        reader.values[node.output[0]] = Quantised(renamed) if isinstance(constant, Quantised) else replace(constant, operands=(renamed,))
        return
    shape = tuple(x.shape[p] for p in perm)
    loops = tuple((e, p, 1, d, 1) for d, (e, p) in enumerate(zip(shape, perm)))
    emit(reader, [x], Plan("Transpose", shape, (Part(0, (0,) * len(shape), (0,) * len(shape), loops),)))


def _renamed(reader: Reader, x: Reference, perm: list[int]) -> Reference | None:
    """The tensor of ``x`` as the model sees it afterwards, if that is the other of the two ways to see an image."""
    n, h, w, c = reader.tensors[x.tensor].shape
    if x.order == "same" and x.shape == (n, h, w, c) and perm == [0, 3, 1, 2]:
        return Reference(x.tensor, (n, c, h, w), "NCHW")
    if x.order == "NCHW" and x.shape == (n, c, h, w) and perm == [0, 2, 3, 1]:
        return Reference(x.tensor, (n, h, w, c), "same")
    return None


@handles("Concat")
def _concat(reader: Reader, node) -> None:
    """Of activations, along any axis; those with other parameters than the result go through a table first."""
    _joined(reader, [operand(reader, i) for i in range(len(node.input))], int(reader.attributes()["axis"]))


def _joined(reader: Reader, xs: list[Reference], axis: int) -> Plan:
    axis %= len(xs[0].shape)
    if len({x.shape[:axis] + x.shape[axis + 1:] for x in xs}) > 1:
        raise Refused(f"its inputs do not fit each other: {', '.join(str(list(x.shape)) for x in xs)}")
    parts, at = [], 0
    for number, x in enumerate(xs):
        parts.append(whole(number, x.shape, [at if d == axis else 0 for d in range(len(x.shape))]))
        at += x.shape[axis]
    shape = (*xs[0].shape[:axis], at, *xs[0].shape[axis + 1:])
    plan = Plan("Concat", shape, tuple(parts))
    if reader.node.op_type == "Concat":
        emit(reader, xs, plan)
    return plan


@handles("QLinearConcat")
def _qlinearconcat(reader: Reader, node) -> None:
    """As Concat."""
    xs = []
    for i in range(2, len(node.input), 3):
        x = operand(reader, i)
        reader.read_as(x, reader.quantisation(i + 1, i + 2))
        xs.append(x)
    plan = _joined(reader, xs, int(reader.attributes()["axis"]))
    end = Epilogue(reader.quantisation(0, 1), (reader.node_name,))
    reader.values[node.output[0]] = Quantised(copied(reader, node.output[0], xs, plan, end))


def _list(reader: Reader, index: int, what: str, attribute: str = "") -> list[int] | None:
    """A list of integers, from an input or an attribute."""
    if attribute and attribute in reader.attributes():
        return [int(v) for v in reader.attributes()[attribute]]
    if reader.value(index) is None:
        return None
    return [int(v) for v in reader.constant(index, what).reshape(-1)]


@handles("Slice")
def _slice(reader: Reader, node) -> None:
    """Constant starts, ends, axes and steps, negative ones too."""
    x = operand(reader, 0)
    starts, ends = _list(reader, 1, "starts", "starts"), _list(reader, 2, "ends", "ends")
    axes = _list(reader, 3, "axes", "axes") or list(range(len(starts)))
    steps = _list(reader, 4, "steps") or [1] * len(starts)
    ranges = [range(e) for e in x.shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step == 0:
            raise Refused("its steps must not be 0")
        size = x.shape[axis % len(x.shape)]
        ranges[axis % len(x.shape)] = range(size)[slice(start, None if step < 0 and end < -size else end, step)]
    if not all(ranges):
        raise Refused("its result is empty")
    _sliced(reader, x, ranges, 0)


def _sliced(reader: Reader, x: Reference, ranges: list[range], output: int) -> None:
    loops = tuple((len(r), d, r.step, d, 1) for d, r in enumerate(ranges))
    part = Part(0, tuple(r.start for r in ranges), (0,) * len(ranges), loops)
    emit(reader, [x], Plan(reader.node.op_type, tuple(map(len, ranges)), (part,)), output)


@handles("Split")
def _split(reader: Reader, node) -> None:
    """Along any axis, into equal or given parts."""
    x = operand(reader, 0)
    axis = int(reader.attributes().get("axis", 0)) % len(x.shape)
    size, count = x.shape[axis], len(node.output)
    lengths = _list(reader, 1, "sizes", "split")
    if lengths is None:
        each = -(-size // count)
        lengths = [min(each, size - i * each) for i in range(count)]
    if sum(lengths) != size or min(lengths) < 1:
        raise Refused(f"parts of {lengths} do not make {size} elements")
    at = 0
    for output, length in enumerate(lengths):
        ranges = [range(at, at + length) if d == axis else range(e) for d, e in enumerate(x.shape)]
        _sliced(reader, x, ranges, output)
        at += length


@handles("Pad")
def _pad(reader: Reader, node) -> None:
    """With a constant, the nearest element, or a reflection; negative pads cut off."""
    x = operand(reader, 0)
    mode = reader.attributes().get("mode", b"constant").decode()
    given = _list(reader, 1, "pads", "pads")
    axes = _list(reader, 3, "axes") or list(range(len(x.shape)))
    before, after = [0] * len(x.shape), [0] * len(x.shape)
    for i, axis in enumerate(axes):
        before[axis], after[axis] = given[i], given[len(axes) + i]
    shape = tuple(e + b + a for e, b, a in zip(x.shape, before, after))
    _check_size(shape)
    if mode == "constant":
        value = reader.value(2)
        if value is not None and not isinstance(value, Constant):
            raise Refused("its padding value must be constant")
        fill = float(value.real.reshape(())) if value is not None else float(reader.attributes().get("value", 0.0))
        if isinstance(reader.value(0), Quantised):  # the value is an element, then
            q: Quantisation = reader.of_tensor(x.tensor)
            fill = float(q.dequantise(np.array(fill).astype(q.dtype)))
        kept = [range(max(0, -b), e - max(0, -a)) for e, b, a in zip(x.shape, before, after)]
        part = Part(0, tuple(r.start for r in kept), tuple(max(0, b) for b in before),
                     tuple((len(r), d, 1, d, 1) for d, r in enumerate(kept)))
        emit(reader, [x], Plan("Pad", shape, (part,) if all(kept) else (), fill))
    elif mode in ("edge", "reflect"):
        _gathered(reader, x, [_outside(mode, e, b, s) for e, b, s in zip(x.shape, before, shape)])
    else:
        raise Refused(f"mode {mode} is not supported")


def _outside(mode: str, size: int, before: int, total: int) -> list[int]:
    """Source index of every padded one."""
    index = np.arange(total) - before
    if mode == "edge":
        return [int(i) for i in np.clip(index, 0, size - 1)]
    period = max(2 * (size - 1), 1)
    folded = np.abs((index + size - 1) % period - (size - 1))
    return [int(i) for i in folded]


def _check_size(shape: Sequence[int]) -> None:
    """Refuses a result that is empty, or so large that nothing could hold it: before anything of that size is made."""
    if min(shape) < 1:
        raise Refused("its result is empty")
    if math.prod(shape) > MOST_BYTES:
        raise Refused(f"its result of {math.prod(shape)} bytes is larger than any memory: at most {MOST_BYTES} are supported")


def _gathered(reader: Reader, x: Reference, indices: Sequence[Sequence[int]], seen: tuple[int, ...] | None = None) -> None:
    """The result that takes, along each dimension, the elements of these indices; ``seen`` by the model in another shape."""
    emit(reader, [x], Plan(reader.node.op_type, tuple(map(len, indices)), gathering(indices), seen=seen))


@handles("Resize")
def _resize(reader: Reader, node) -> None:
    """Modes nearest, and linear for height and width where its weights return and are exact in 8 bits; any constant scales
    or sizes, every rounding and mode of coordinates but tf_crop_and_resize."""
    a = reader.attributes()
    kind = a.get("mode", b"nearest").decode()
    if kind not in ("nearest", "linear"):
        raise Refused(f"mode {kind} is not supported")
    x = dequantised(reader, 0) if kind == "linear" else operand(reader, 0)
    if a.get("keep_aspect_ratio_policy", b"stretch") != b"stretch" or a.get("antialias", 0):
        raise Refused("keep_aspect_ratio_policy and antialias are not supported")
    axes = [int(v) % len(x.shape) for v in a.get("axes", range(len(x.shape)))]
    place = 1 if len(node.input) == 2 else 2  # Resize of opset 10 has no region
    scales, sizes = reader.value(place), reader.value(3)
    indices = [list(range(e)) for e in x.shape]
    mode = a.get("coordinate_transformation_mode", b"half_pixel" if place == 2 else b"asymmetric").decode()
    rounding = a.get("nearest_mode", b"round_prefer_floor" if place == 2 else b"floor").decode()
    if sizes is not None:
        wanted = _list(reader, 3, "sizes")
        factors = [np.float32(s / x.shape[d]) for s, d in zip(wanted, axes, strict=True)]
    elif isinstance(scales, Constant) and scales.array.size:
        factors = [np.float32(s) for s in scales.real.reshape(-1)]
        wanted = [int(np.floor(np.float32(x.shape[d]) * s)) for s, d in zip(factors, axes, strict=True)]
    else:
        raise Refused("its scales or sizes must be constant")
    _check_size([dict(zip(axes, wanted)).get(d, e) for d, e in enumerate(x.shape)])
    if kind == "linear":
        shape, scale = list(x.shape), [np.float32(1)] * len(x.shape)
        for axis, size, factor in zip(axes, wanted, factors):
            shape[axis], scale[axis] = size, factor
        interpolated(reader, x, shape, scale, mode)
        return
    for axis, size, factor in zip(axes, wanted, factors):
        if size != x.shape[axis]:
            found = source_indices(x.shape[axis], size, factor, mode, rounding)
            if found is None:
                raise Refused(f"coordinates of mode {mode}, {rounding}, are not supported")
            indices[axis] = found
    _gathered(reader, x, indices)


@handles("Gather")
def _gather(reader: Reader, node) -> None:
    """With constant indices, along any axis."""
    x = operand(reader, 0)
    axis = int(reader.attributes().get("axis", 0)) % len(x.shape)
    chosen = reader.constant(1, "indices")
    inside = (*x.shape[:axis], *chosen.shape, *x.shape[axis + 1:])  # what the model sees; here all indices are along one axis
    chosen = chosen.reshape(-1)
    size = x.shape[axis]
    if any(not -size <= i < size for i in chosen):
        raise Refused(f"its indices must be in {-size}..{size - 1}")
    index = [int(i) % size for i in chosen]
    _gathered(reader, x, [index if d == axis else range(e) for d, e in enumerate(x.shape)], inside)


@handles("DepthToSpace", "SpaceToDepth")
def _blocks(reader: Reader, node) -> None:
    """Both orders of DepthToSpace, DCR and CRD."""
    x = operand(reader, 0)
    if len(x.shape) != 4:
        raise Refused(f"its input must have 4 dimensions (NCHW), not {len(x.shape)}")
    a = reader.attributes()
    b, deep = int(a["blocksize"]), node.op_type == "DepthToSpace"
    n, c, h, w = x.shape
    if b < 1 or deep and c % (b * b) or not deep and (h % b or w % b):
        raise Refused(f"{list(x.shape)} is no whole number of blocks of {b}")
    if deep:
        c, h, w = c // (b * b), h * b, w * b  # of the image that is large in space, as below
    small = (n, c * b * b, h // b, w // b)
    column = deep and a.get("mode", b"DCR") == b"CRD"  # an element's channels stand together, not those of a place in a block
    parts = []
    for i, j in itertools.product(range(b), range(b)):
        place = i * b + j
        first, step = (place, b * b) if column else (place * c, 1)
        packed, spread = (0, first, 0, 0), (0, 0, i, j)
        steps = ((n, 0, 1, 1), (c, 1, step, 1), (h // b, 2, 1, b), (w // b, 3, 1, b))  # extent, dimension, step in both
        if deep:
            parts.append(Part(0, packed, spread, tuple((e, d, p, d, s) for e, d, p, s in steps)))
        else:
            parts.append(Part(0, spread, packed, tuple((e, d, s, d, p) for e, d, p, s in steps)))
    emit(reader, [x], Plan(node.op_type, (n, c, h, w) if deep else small, tuple(parts)))


@handles("Expand", "Tile")
def _expand(reader: Reader, node) -> None:
    """By constant shapes or repeats."""
    x = operand(reader, 0)
    given = _list(reader, 1, "shape or repeats")
    if len(given) > len(x.shape):
        x = replace(x, shape=(1,) * (len(given) - len(x.shape)) + x.shape)
    given = [1] * (len(x.shape) - len(given)) + given
    _check_size([max(g, e) if node.op_type == "Expand" else g * e for g, e in zip(given, x.shape)])
    if node.op_type == "Expand":
        if any(g not in (1, e) and e != 1 for g, e in zip(given, x.shape)):
            raise Refused(f"{list(x.shape)} cannot be expanded to {given}")
        indices = [[0] * max(g, e) if e == 1 else range(e) for g, e in zip(given, x.shape)]
    else:
        indices = [list(range(e)) * g for g, e in zip(given, x.shape)]
    _gathered(reader, x, indices)
