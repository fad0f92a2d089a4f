"""What ``program.json`` has to look like: the type of every value, and that values fit each other."""

from __future__ import annotations

import math

from tenon.compiler.layout import row_major

__all__ = ["check_record"]

_ANY = "*"  # in place of names: any name, each with a value of this form
_TENSOR = {"name": str, "shape": [int], "dtype": str, "scale": float, "zero_point": int, "onnx_name": str, "onnx_shape": [int],
           "onnx_order": str}
_EITHER = (int, str)
_FORM = {
    "program": int, "name": str, "architecture": str, "fingerprint": str, "instructions": int, "segments": {_ANY: int},
    "inputs": [str], "outputs": [str],
    "tensors": [{**_TENSOR, "segment": str, "offset": int, "bytes": int, "block": int, "layout": [(str, int, int, int)]}],
    "aliases": {_ANY: {"stored": str, **_TENSOR}},
    "layers": [{"name": str, "op": str, "engine": str, "nodes": [str], "exact": bool, "macs": int, "first": int, "last": int,
                "mark": int, "bound_cycles": int, "outputs": [str]}],
    "mapping": {_ANY: {_ANY: _EITHER}},
}
_MOST = 1 << 53  # what a number of JSON holds exactly


def check_record(record: object, units: frozenset[str], segments: frozenset[str]) -> None:
    """Holds the contents of ``program.json`` against what a program writes.

    Parameters
    ----------
    units, segments :
        Names of the engines and DRAM segments of the hardware.

    Raises
    ------
    ValueError
        Naming the first value that is missing, of another type, or at odds with others.
    """
    _formed(record, _FORM, "")
    _must(record["segments"].keys() == segments, f"segments must be {', '.join(sorted(segments))}")
    _must(all(0 <= size < 1 << 32 for size in record["segments"].values()), "segments must be smaller than 4 GiB")
    for t in record["tensors"]:
        where = f"tensor {t['name']!r}"
        _tensor(t, where)
        room = record["segments"].get(t["segment"], -1)
        _must(0 <= t["offset"] and 0 < t["bytes"] and t["offset"] + t["bytes"] <= room, f"{where} lies outside of its segment")
        for number, dim in enumerate("nhwc"):
            reach = sum((extent - 1) * weight for d, extent, _, weight in t["layout"] if d == dim)
            _must(reach + 1 >= t["shape"][number], f"{where} has a layout without room for its shape")
        _must(all(d in "nhwc" and extent > 0 and stride >= 0 and weight > 0 for d, extent, stride, weight in t["layout"]),
              f"{where} has a layout of no shape")
    names = {t["name"]: t for t in record["tensors"]}
    _must(len(names) == len(record["tensors"]), "two tensors have the same name")
    for name, alias in record["aliases"].items():
        _tensor(alias, f"alias {name!r}")
        stored = names.get(alias["stored"])
        _must(stored is not None and math.prod(stored["shape"]) == math.prod(alias["shape"]), f"alias {name!r} is of no stored tensor")
    for kind in ("inputs", "outputs"):
        unknown = [name for name in record[kind] if name not in names]
        _must(not unknown, f"{kind} name {unknown[:1]}, which is no tensor")
        for t in (names[name] for name in record[kind]):
            dense = row_major(t["shape"])
            _must((t["bytes"], [tuple(a) for a in t["layout"]]) == (dense.bytes, [tuple(a) for a in dense.to_json()]),
                  f"tensor {t['name']!r} is the host's, which has no gaps")
    for layer in record["layers"]:
        where = f"layer {layer['name']!r}"
        _must(0 <= layer["first"] <= layer["last"] < record["instructions"], f"{where} has instructions that are not there")
        _must(layer["engine"] in units, f"{where} runs on {layer['engine']!r}, which is no engine")
        _must(min(layer["macs"], layer["mark"], layer["bound_cycles"]) >= 0, f"{where} has a count below 0")


def _tensor(t: dict, where: str) -> None:
    _must(len(t["shape"]) == 4 and min(t["shape"]) > 0, f"{where} must have a shape of four extents")
    _must(t["dtype"] in ("int8", "uint8"), f"{where} must be int8 or uint8")
    _must(t["scale"] > 0 and math.isfinite(t["scale"]), f"{where} must have a positive scale")
    _must(-128 <= t["zero_point"] <= 255, f"{where} must have a zero-point of a byte")
    _must(math.prod(t["onnx_shape"]) == math.prod(t["shape"]), f"{where} has another shape in its model, of other size")
    _must(t["onnx_order"] == "same" or t["onnx_order"] == "NCHW" and len(t["onnx_shape"]) >= 4, f"{where} has no known order")


def _formed(value: object, form: object, where: str) -> None:
    """``form``: a type; a list's element; a tuple of a row's values, or of the types that a value may have; names of a mapping."""
    if isinstance(form, dict):
        _must(isinstance(value, dict), f"{where or 'it'} must be an object")
        missing = [name for name in form if name != _ANY and name not in value]
        _must(not missing, f"{where or 'it'} lacks {missing[:1]}")
        for name, inner in value.items():
            expected = form.get(name, form.get(_ANY))
            _must(expected is not None, f"{where or 'it'} has {name!r}, which means nothing")
            _formed(inner, expected, f"{where}.{name}" if where else name)
    elif isinstance(form, list):
        _must(isinstance(value, list), f"{where} must be a list")
        for number, inner in enumerate(value):
            _formed(inner, form[0], f"{where}[{number}]")
    elif form == _EITHER:
        _must(type(value) in _EITHER, f"{where} must be a number or a word")
    elif isinstance(form, tuple):
        _must(isinstance(value, list) and len(value) == len(form), f"{where} must have {len(form)} values")
        for inner, expected in zip(value, form):
            _formed(inner, expected, where)
    else:
        kinds = (int, float) if form is float else (form,)
        _must(type(value) in kinds, f"{where} must be {_KINDS[form]}, not {str(value)[:40]!r}")
        _must(form is not int or abs(value) <= _MOST, f"{where} is too large")


_KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _must(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)
