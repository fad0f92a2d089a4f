"""Networks found by architecture search: DARTS, NASNet-A and AmoebaNet-A, stacked from cells that tables describe.

Structure is what these are for: activations between operators are left to the clamp of quantisation, and channels and cells
are few. In a cell each block adds two operators' results; the cell's result are blocks side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from tenon.flows.zoo.network import Network

__all__ = ["NETWORKS", "Cell", "Searched", "model"]


@dataclass(frozen=True)
class Cell:
    """``blocks``: (operator, state, operator, state). States 0 and 1 are the cell's inputs, others the blocks' results in order.

    Operators: ``sep``, ``dil`` (depthwise and pointwise, ``sep`` twice; kernel behind it), ``avg``, ``max`` (3x3), ``id``,
    ``line`` (1x7 and 7x1 between two 1x1 convolutions). ``every``: all blocks are results, else the states that none reads.
    """

    blocks: tuple[tuple[str, int, str, int], ...]
    every: bool = False

    @property
    def results(self) -> list[int]:
        """States that make up the cell's result."""
        if self.every:
            return list(range(2, 2 + len(self.blocks)))
        read = {state for block in self.blocks for state in (block[1], block[3])}
        return [s for s in range(2 + len(self.blocks)) if s not in read]


@dataclass(frozen=True)
class Searched:
    """A normal cell, and one that halves rows and columns. ``latest``: which state is the result of the cell before; the other
    is that of the one before it."""

    normal: Cell
    reduction: Cell
    latest: int


NETWORKS = {
    # Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search", ICLR 2019: genotype DARTS_V2, figures 4 and 5.
    "darts": Searched(
        Cell((("sep3", 0, "sep3", 1), ("sep3", 0, "sep3", 1), ("sep3", 1, "id", 0), ("id", 0, "dil3", 2)), every=True),
        Cell((("max", 0, "max", 1), ("id", 2, "max", 1), ("max", 0, "id", 2), ("id", 2, "max", 1)), every=True), latest=1),
    # Zoph, Vasudevan, Shlens, Le, "Learning Transferable Architectures for Scalable Image Recognition", CVPR 2018, figure 4.
    "nasnet": Searched(
        Cell((("sep5", 0, "sep3", 1), ("sep5", 1, "sep3", 1), ("avg", 0, "id", 1), ("avg", 1, "avg", 1), ("sep3", 0, "id", 0))),
        Cell((("sep5", 0, "sep7", 1), ("max", 0, "sep7", 1), ("avg", 0, "sep5", 1), ("id", 3, "avg", 2), ("sep3", 2, "max", 0))), latest=0),
    # Real, Aggarwal, Huang, Le, "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019, figure 5.
    "amoebanet": Searched(
        Cell((("avg", 0, "max", 0), ("sep3", 1, "id", 1), ("id", 0, "avg", 1), ("sep3", 0, "sep5", 2), ("avg", 5, "sep3", 0))),
        Cell((("sep3", 1, "avg", 0), ("max", 0, "sep7", 2), ("max", 1, "max", 0), ("sep3", 4, "line", 0), ("avg", 1, "sep7", 0))),
        latest=0),
}


def model(name: str, *, size: int = 32, channels: int = 16, repeats: int = 2, seed: int = 1) -> onnx.ModelProto:
    """One of ``NETWORKS`` for images of ``size``: thrice ``repeats`` normal cells, a reduction between; channels double there."""
    kind = NETWORKS[name]
    net = Network(name, seed)
    before = after = net.conv("stem", net.input("image", (1, 3, size, size)), channels, (3, 3))
    width, number = channels, 0
    for stage in range(3):
        for cell in [kind.reduction] * (stage > 0) + [kind.normal] * repeats:
            if cell is kind.reduction:
                width *= 2
            before, after = after, _cell(net, f"c{number}", cell, kind.latest, before, after, width, 2 if cell is kind.reduction else 1)
            number += 1
    return net.model([net.dense("classes", net.mean("mean", after), 10)])


def _cell(net: Network, name: str, cell: Cell, latest: int, before: str, after: str, width: int, stride: int) -> str:
    """A cell on the results of the two before it, which are brought to ``width`` channels and one size first."""
    size = net.shapes[after][2]
    near = net.conv(f"{name}_near", after, width)
    far = net.conv(f"{name}_far", before, width) if net.shapes[before][2] == size else _halved(net, f"{name}_far", before, width)
    states = [near, far] if latest == 0 else [far, near]
    for number, (one, a, other, b) in enumerate(cell.blocks):
        made = [_operator(net, f"{name}_b{number}{side}", kind, states[state], width, stride if state < 2 else 1)
                for side, kind, state in (("l", one, a), ("r", other, b))]
        states.append(net.add(f"{name}_b{number}", *made))
    results = [states[s] for s in cell.results]
    out = net.shapes[states[-1]][2]
    results = [r if net.shapes[r][2] == out else _halved(net, f"{name}_result{i}", r, width) for i, r in enumerate(results)]
    return net.concat(name, results) if len(results) > 1 else results[0]


def _halved(net: Network, name: str, x: str, width: int) -> str:
    """A factorised reduction: two convolutions of stride 2, one of them on what lies a pixel further, side by side."""
    return net.concat(name, [net.conv(f"{name}_even", x, width // 2, (1, 1), 2), net.conv(f"{name}_odd", x, width // 2, (2, 2), 2)])


def _operator(net: Network, name: str, kind: str, x: str, width: int, stride: int) -> str:
    if kind.startswith("sep"):
        k = int(kind[3:])
        x = net.conv(f"{name}_1", net.conv(f"{name}_1d", x, width, (k, k), stride, depthwise=True), width)
        return net.conv(f"{name}_2", net.conv(f"{name}_2d", x, width, (k, k), depthwise=True), width)
    if kind == "dil3":
        return net.conv(name, net.conv(f"{name}_d", x, width, (3, 3), stride, depthwise=True, dilation=2), width)
    if kind in ("avg", "max"):
        return net.pool(name, x, 3, stride, {"avg": "AveragePool", "max": "MaxPool"}[kind])
    if kind == "line":
        inner = net.conv(f"{name}_in", x, max(width // 4, 1))
        for part, kernel, by in (("row", (1, 7), stride), ("column", (7, 1), 1)):
            inner = net.conv(f"{name}_{part}", inner, max(width // 4, 1), kernel, by)
        return net.conv(f"{name}_out", inner, width)
    return x if stride == 1 else _halved(net, name, x, width)
