"""What is built in: names, where they come from, and sizes, computed without making weights that take long."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import onnx

from tenon.flows.zoo import digits, published, training
from tenon.flows.zoo.resolve import resolve

__all__ = ["Entry", "entries", "names"]


@dataclass(frozen=True)
class Entry:
    """A built-in, or a family of them whose names say their sizes. ``inputs``: shapes; ``macs``: multiplications of one run;
    ``parameters``: weights, biases, and scales and shifts of normalisations, folded ones too."""

    name: str
    what: str
    inputs: str
    macs: int | None = None
    parameters: int | None = None


_FAMILIES = (
    Entry("zoo:gemm_MxKxN", "a product with a matrix", "MxK"),
    Entry("zoo:conv_KHxKW_CIN_COUT_SIZE", "a convolution; _sN behind it: of stride N", "1xCINxSIZExSIZE"),
    Entry("zoo:conv_KHxKW_C_C_SIZE_dw", "a depthwise convolution", "1xCxSIZExSIZE"),
)

_STRUCTURES = {
    "zoo:swiftnet": "SwiftNet (Cheng et al., 2019)",
    **{f"zoo:swiftnet_cell_{cell}": f"cell {cell} of SwiftNet" for cell in "abc"},
    "zoo:darts": "cells of DARTS (Liu et al., ICLR 2019)",
    "zoo:nasnet": "cells of NASNet-A (Zoph et al., CVPR 2018)",
    "zoo:amoebanet": "cells of AmoebaNet-A (Real et al., AAAI 2019)",
    **{f"zoo:randwire_{kind}_SEED": f"{name} wiring (Xie et al., ICCV 2019); _imagenet behind it: of 224x224"
       for kind, name in (("ws", "Watts-Strogatz"), ("er", "Erdős-Rényi"), ("ba", "Barabási-Albert"))},
}


def names() -> list[str]:
    """Of all built-ins and families, and other names that mean the same."""
    plain = ["digits", *published.NETWORKS, *published.ALIASES]
    return [*(f"zoo:{name}" for name in plain), *_STRUCTURES, *(family.name for family in _FAMILIES)]


def entries() -> list[Entry]:
    """All built-ins; sizes of random wirings are those of seed 0."""
    untrained = digits.float_model(training.start(np.random.default_rng(1)))
    found = [_measured("zoo:digits", "handwritten digits, trained; with labels", untrained)]
    for name, network in published.NETWORKS.items():
        grown = published.grown(name)
        shapes = ", ".join(_shape(grown.shapes[i]) for i in grown.smooth)
        found.append(Entry(f"zoo:{name}", network.what, shapes, grown.macs, grown.parameters))
    nowhere = Path()  # of these, nothing is kept
    found += [_measured(name, what, resolve(name.replace("SEED", "0"), nowhere).model) for name, what in _STRUCTURES.items()]
    return [*found, *_FAMILIES]


def _shape(sizes) -> str:
    return "x".join(map(str, sizes))


def _measured(name: str, what: str, model: onnx.ModelProto) -> Entry:
    """The entry of a model of convolutions and Gemm, in float or quantised."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in (*graph.value_info, *graph.input, *graph.output)}
    shapes |= {i.name: list(i.dims) for i in graph.initializer}
    macs = parameters = 0
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            weight = prod(shapes[node.input[1]])
            macs += weight * prod(shapes[node.output[0]][2:])
            parameters += weight + shapes[node.input[2]][0]
    return Entry(name, what, ", ".join(_shape(shapes[i.name]) for i in graph.input), macs, parameters)
