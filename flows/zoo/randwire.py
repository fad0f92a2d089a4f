"""RandWire: quantised networks whose stages are random graphs.

Xie, Kirillov, Girshick, He, "Exploring Randomly Wired Neural Networks for Image Recognition", ICCV 2019, section 3: a node adds
what it reads, then convolves depthwise and pointwise; nodes that read no other read the stage's input and halve its size;
the stage's result is the sum of what no node reads.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from tenon.flows.zoo.irregular.graphs import GENERATORS, random_wiring
from tenon.flows.zoo.irregular.randwire import STEMS
from tenon.flows.zoo.network import Network

__all__ = ["GENERATORS", "STEMS", "model"]


def model(kind: str = "ws", seed: int = 0, *, stem: str = "cifar", nodes: int = 32, channels: int = 32) -> onnx.ModelProto:
    """Wirings of generator ``kind`` ("ws", "er", "ba"), three stages of ``nodes`` nodes behind a ``stem`` ("cifar", "imagenet")."""
    image, resolutions = STEMS[stem]
    net = Network(f"randwire_{kind}_{seed}_{stem}", seed + 1)
    at = net.input("image", (1, 3, image, image))
    at = net.conv("stem1", at, channels // 2, (3, 3), 2 if stem == "imagenet" else 1)
    while net.shapes[at][2] > 2 * resolutions[0]:
        at = net.conv("stem2", at, channels, (3, 3), 2)
    for stage in range(len(resolutions)):
        at = _stage(net, f"s{stage}", random_wiring(kind, nodes, 3 * seed + stage), at, channels << stage)
    return net.model([net.dense("classes", net.mean("mean", at), 10)])


def _stage(net: Network, name: str, reads: Sequence[Sequence[int]], source: str, width: int) -> str:
    made: list[str] = []
    used = {a for sources in reads for a in sources}
    for i, sources in enumerate(reads):
        node = f"{name}n{i}"
        at = _sum(net, f"{node}sum", [made[a] for a in sources]) if sources else source
        depth = net.shapes[at][1]
        at = net.conv(f"{node}d", at, depth, (3, 3), 1 if sources else 2, depthwise=True)
        made.append(net.conv(node, at, width))
    return _sum(net, f"{name}mean", [made[i] for i in range(len(reads)) if i not in used])


def _sum(net: Network, name: str, xs: Sequence[str]) -> str:
    total = xs[0]
    for number, x in enumerate(xs[1:]):
        total = net.add(f"{name}{number}", total, x)
    return total
