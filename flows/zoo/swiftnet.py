"""SwiftNet, the network that SERENITY's authors published: its structure from their file, weights seeded."""

from __future__ import annotations

import json
from pathlib import Path

import onnx

from tenon.flows.zoo.network import Network

__all__ = ["CELLS", "model", "structure"]

#: Operators of each cell, first and last, as the file counts them.
CELLS = {"a": (5, 32), "b": (34, 56), "c": (58, 81)}


def structure() -> dict:
    """``ops`` in file order and shapes of ``tensors``, NHWC."""
    return json.loads((Path(__file__).parent / "data" / "swiftnet.json").read_text())


def model(cell: str = "", *, seed: int = 1) -> onnx.ModelProto:
    """The whole network up to its two results before softmax, or one of its ``CELLS``."""
    data = structure()
    ops, shapes = data["ops"], data["tensors"]
    first, last = CELLS[cell] if cell else (1, 83)
    net = Network(f"swiftnet_cell_{cell}" if cell else "swiftnet", seed)
    names: dict[int, str] = {}

    def tensor(number: int) -> str:
        if number not in names:
            n, h, w, c = shapes[str(number)]
            names[number] = net.input(f"x{number}", (n, c, h, w))
        return names[number]

    used: set[int] = set()
    for op in ops[first:last + 1]:
        y = op["outputs"][0]
        xs = [tensor(i) for i in op["inputs"]]
        used.update(op["inputs"])
        names[y] = _node(net, op, f"t{y}", xs)
    results = [op["outputs"][0] for op in ops[first:last + 1] if op["outputs"][0] not in used]
    return net.model([names[y] for y in results])


def _node(net: Network, op: dict, name: str, xs: list[str]) -> str:
    kind = op["op"]
    if kind == "CONV_2D":
        channels, kh, kw, _ = op["weight_shapes"][0]
        return net.conv(name, xs[0], channels, (kh, kw), op["stride"][0])
    if kind == "DEPTHWISE_CONV_2D":
        _, kh, kw, channels = op["weight_shapes"][0]
        return net.conv(name, xs[0], channels, (kh, kw), op["stride"][0], depthwise=True)
    if kind == "CONCATENATION":
        return net.concat(name, xs)
    if kind == "ADD":
        return net.add(name, *xs)
    if kind == "MAX_POOL_2D":
        return net.pool(name, xs[0], op["kernel"][0], op["stride"][0])
    if kind == "AVERAGE_POOL_2D":
        return net.mean(name, xs[0])
    if kind == "FULLY_CONNECTED":
        return net.dense(name, xs[0], op["weight_shapes"][0][0])
    raise ValueError(f"operator {kind} of the structure file is not known")
