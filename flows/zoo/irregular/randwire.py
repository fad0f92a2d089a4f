"""RandWire: networks whose stages are random graphs."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tenon.compiler.schedule import Operator, Problem
from tenon.flows.zoo.irregular.graphs import random_wiring

__all__ = ["STEMS", "one_stage", "problem", "unequal"]

#: Size of the image, and of what the three random stages give, for data sets of large and of small images.
STEMS = {"imagenet": (224, (28, 14, 7)), "cifar": (32, (16, 8, 4))}


def one_stage(reads: Sequence[Sequence[int]], sizes: Sequence[int], name: str = "stage") -> Problem:
    """A random graph with one operator for each node; ``sizes``: bytes of the input, of each node, and of the output.

    Nodes that read no other read the input; the output is computed from all nodes that no other reads.
    """
    used = {a for sources in reads for a in sources}
    operators = [Operator(f"n{i}", tuple(f"n{a}" for a in sources) or ("input",), (f"n{i}",)) for i, sources in enumerate(reads)]
    operators.append(Operator("mean", tuple(f"n{i}" for i in range(len(reads)) if i not in used), ("output",)))
    names = ("input", *(f"n{i}" for i in range(len(reads))), "output")
    return Problem(name, tuple(operators), dict(zip(names, sizes, strict=True)), ("input",), ("output",))


def unequal(nodes: int, seed: int, kind: str = "ws") -> Problem:
    """A random graph whose tensors have 1 to 100 bytes, for tests of orders."""
    rng = random.Random(f"sizes {nodes} {seed}")
    sizes = [1 + int(rng.random() * 100) for _ in range(nodes + 2)]
    return one_stage(random_wiring(kind, nodes, seed), sizes, f"{kind}_{nodes}_{seed}")


def problem(kind: str = "ws", seed: int = 0, *, stem: str = "imagenet", nodes: int = 32, channels: int = 78) -> Problem:
    """The whole network in the small regime, one byte an element.

    Two convolutions, three stages of ``nodes`` nodes with ``channels``, twice and four times as many, a classifier. A node adds
    what it reads, then convolves depthwise and pointwise; nodes that read the stage's input halve its size.
    """
    image, resolutions = STEMS[stem]
    size = resolutions[0]
    sizes = {"image": 3 * image**2, "stem1": (4 * size)**2 * (channels // 2) if stem == "imagenet" else image**2 * (channels // 2)}
    sizes["stem2"] = (2 * size)**2 * channels
    operators = [Operator("stem1", ("image",), ("stem1",), "conv"), Operator("stem2", ("stem1",), ("stem2",), "conv")]
    at, depth = "stem2", channels
    for stage, size in enumerate(resolutions):
        width = channels << stage
        nodes_of, at = _stage(f"s{stage}", random_wiring(kind, nodes, 3 * seed + stage), at, sizes, size**2, width, (2 * size)**2 * depth)
        operators += nodes_of
        depth = width
    sizes |= {"features": size**2 * 1280, "pooled": 1280, "classes": 1000}
    operators += [Operator("features", (at,), ("features",), "conv"), Operator("pool", ("features",), ("pooled",)),
                  Operator("classifier", ("pooled",), ("classes",))]
    return Problem(f"randwire_{kind}_{seed}_{stem}", tuple(operators), sizes, ("image",))


def _stage(name: str, reads: Sequence[Sequence[int]], source: str, sizes: dict[str, int], pixels: int, width: int,
           source_bytes: int) -> tuple[list[Operator], str]:
    """Operators of a stage and the tensor that it gives; adds to ``sizes``."""
    operators = []
    assert sizes[source] == source_bytes
    used = {a for sources in reads for a in sources}
    for i, sources in enumerate(reads):
        node, at = f"{name}n{i}", source
        if len(sources) > 1:
            at = f"{node}sum"
            operators.append(Operator(at, tuple(f"{name}n{a}" for a in sources), (at,)))
            sizes[at] = pixels * width
        elif sources:
            at = f"{name}n{sources[0]}"
        # At the stage's entry the depthwise convolution has stride 2 and the depth of what it reads.
        sizes[f"{node}dw"] = pixels * width if sources else source_bytes // 4
        sizes[node] = pixels * width
        operators += [Operator(f"{node}dw", (at,), (f"{node}dw",), "depthwise"), Operator(node, (f"{node}dw",), (node,), "conv")]
    last = tuple(f"{name}n{i}" for i in range(len(reads)) if i not in used)
    operators.append(Operator(f"{name}mean", last, (f"{name}mean",)))
    sizes[f"{name}mean"] = pixels * width
    return operators, f"{name}mean"
