"""Damage to inputs: to the bytes of any file, and to the parts of models, configurations and archives."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

__all__ = ["damaged_archive", "damaged_bytes", "damaged_model", "damaged_toml"]

_NUMBERS = (0, -1, 1, 2, 3, 7, 255, 256, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))


def damaged_bytes(rng: np.random.Generator, data: bytes) -> bytes:
    """``data`` with flipped bits, cut off, with a piece of it doubled, overwritten, or empty."""
    kind = rng.integers(6)
    at = int(rng.integers(len(data) + 1)) if data else 0
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + rng.bytes(int(rng.integers(1, 9))) + data[at:]
    if kind == 2:
        end = min(len(data), at + int(rng.integers(1, 64)))
        return data[:end] + data[at:end] + data[end:]
    if kind == 3 and rng.random() < 0.2:
        return b""
    changed = bytearray(data)
    for place in rng.integers(0, max(len(data), 1), int(rng.integers(1, 6))):
        if changed:
            changed[place] = changed[place] ^ (1 << int(rng.integers(8))) if kind != 4 else int(rng.integers(256))
    return bytes(changed)


def damaged_model(rng: np.random.Generator, model: onnx.ModelProto) -> onnx.ModelProto:
    """A model that still parses, with one to three odd parts."""
    for _ in range(int(rng.integers(1, 4))):
        _CHANGES[int(rng.integers(len(_CHANGES)))](rng, model.graph, model)
    return model


def _some(rng, items):
    items = list(items)
    return items[int(rng.integers(len(items)))] if items else None


def _number(rng) -> int:
    return int(_NUMBERS[int(rng.integers(len(_NUMBERS)))])


def _attribute(rng, graph, model) -> None:
    """An attribute's value, type or name changes, or one appears."""
    node = _some(rng, graph.node)
    known = ("kernel_shape", "strides", "pads", "dilations", "group", "axis", "auto_pad", "alpha", "transB", "mode", "perm", "axes",
             "ceil_mode", "keepdims", "block_size", "nearest_mode", "count_include_pad")
    name = node.attribute[0].name if node.attribute and rng.random() < 0.6 else str(_some(rng, known))
    kept = [a for a in node.attribute if a.name != name]
    numbers = [_number(rng) for _ in range(int(rng.integers(0, 5)))]
    value = _some(rng, (_number(rng), numbers, float(_number(rng)), float("nan"), "SAME_UPPER", "nonsense", [1.5, -2.0],
                        np.zeros((2, 2), np.float32)))
    del node.attribute[:]
    node.attribute.extend(kept)
    if isinstance(value, list) and not value:
        node.attribute.append(helper.make_attribute(name, value, attr_type=onnx.AttributeProto.INTS))
    elif isinstance(value, np.ndarray):
        node.attribute.append(helper.make_attribute(name, onnx.numpy_helper.from_array(value)))
    else:
        node.attribute.append(helper.make_attribute(name, value))


def _shape(rng, graph, model) -> None:
    """A declared dimension changes, disappears or becomes dynamic."""
    value = _some(rng, [*graph.input, *graph.output])
    dims = value.type.tensor_type.shape.dim
    if dims and rng.random() < 0.7:
        d = _some(rng, dims)
        if rng.random() < 0.3:
            d.dim_param = "n"
        else:
            d.dim_value = max(min(_number(rng), 2**62), -(2**62))
    elif dims:
        del dims[-1]
    else:
        dims.add().dim_value = 3


def _constant(rng, graph, model) -> None:
    """A constant's shape, type or elements change."""
    tensor = _some(rng, graph.initializer)
    if tensor is None:
        return
    array = onnx.numpy_helper.to_array(tensor)
    kind = rng.integers(4)
    if kind == 0:
        array = array.reshape(-1)
    elif kind == 1:
        array = array.astype(_some(rng, (np.float32, np.int8, np.uint8, np.int32, np.int64, np.float64, np.uint16, np.bool_)))
    elif kind == 2:
        array = array.reshape(-1)[:int(rng.integers(array.size + 1))]
    elif array.dtype.kind == "f":
        array = np.full_like(array, _some(rng, (0.0, -1.0, np.nan, np.inf, 1e-45, 3e38)))
    else:
        array = np.full_like(array, np.iinfo(array.dtype).min if array.dtype.kind in "iu" else 0)
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def _wiring(rng, graph, model) -> None:
    """A node reads something else, nothing, or is missing, doubled or moved."""
    node = _some(rng, graph.node)
    names = [n for other in graph.node for n in (*other.input, *other.output)] + ["nowhere", ""]
    kind = rng.integers(5)
    if kind == 0 and node.input:
        node.input[int(rng.integers(len(node.input)))] = str(_some(rng, names))
    elif kind == 1 and node.input:
        del node.input[-1]
    elif kind == 2:
        node.input.append(str(_some(rng, names)))
    elif kind == 3:
        graph.node.remove(node)
    else:
        graph.node.add().CopyFrom(node)


def _operator(rng, graph, model) -> None:
    """A node becomes another operator, or of another domain or version."""
    node = _some(rng, graph.node)
    if rng.random() < 0.7:
        kinds = ("Conv", "Add", "MatMul", "Gemm", "MaxPool", "Concat", "Split", "Slice", "Pad", "Resize", "Transpose", "Reshape",
                 "Squeeze", "Relu", "Clip", "Sigmoid", "QuantizeLinear", "DequantizeLinear", "Nonsense", "")
        node.op_type = str(_some(rng, kinds))
    elif rng.random() < 0.5:
        node.domain = str(_some(rng, ("com.microsoft", "elsewhere", "ai.onnx")))
    else:
        model.opset_import[0].version = max(_number(rng), 0)


def _types(rng, graph, model) -> None:
    """An input or output has another type."""
    _some(rng, [*graph.input, *graph.output]).type.tensor_type.elem_type = int(_some(rng, (0, 1, 2, 3, 6, 7, 9, 10, 11, 99)))


_CHANGES = (_attribute, _attribute, _shape, _constant, _wiring, _operator, _types)


def damaged_toml(rng: np.random.Generator, values: dict[str, object]) -> bytes:
    """A configuration with some odd lines, sometimes damaged as text."""
    lines = [f'{k} = "{v}"' if isinstance(v, str) else f"{k} = {v}" for k, v in values.items()]
    odd = (*(str(n) for n in _NUMBERS), "1e3", "nan", "true", '"16"', "[16]", "{a = 1}", "16.0", "1979-05-27", "0x10", "'", "")
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(lines)))
        name = lines[at].split(" = ")[0]
        kind = rng.integers(4)
        if kind == 0:
            name = str(_some(rng, (name + "s", name.upper(), "row", "", "a.b", "[table]", "[[rows]]", "\u00e4")))
        lines[at] = name if kind == 1 else f"{name} = {_some(rng, odd)}"
        if kind == 2:
            lines.append(lines[int(rng.integers(len(lines)))])
    text = "\n".join(lines).encode()
    return damaged_bytes(rng, text) if rng.random() < 0.3 else text


def damaged_archive(rng: np.random.Generator, good: Path) -> bytes:
    """An .npz file with damaged bytes, or with arrays that do not fit."""
    if rng.random() < 0.5:
        return damaged_bytes(rng, good.read_bytes())
    with np.load(good) as archive:
        arrays = {name: archive[name] for name in archive.files}
    name = str(_some(rng, arrays))
    array = arrays.pop(name)
    choice = rng.integers(6)
    if choice == 0:
        arrays[name + "2"] = array
    elif choice == 1:
        arrays[name] = array.astype(_some(rng, (np.float64, np.int8, np.complex64, np.bool_)))
    elif choice == 2:
        arrays[name] = array.reshape(-1)
    elif choice == 3:
        arrays[name] = np.full_like(array, _some(rng, (np.nan, np.inf, -np.inf, 3e38, 1e-45)))
    elif choice == 4:
        arrays[name] = np.array([{"a": 1}], object)
    held = io.BytesIO()
    np.savez(held, **arrays)
    return held.getvalue()
