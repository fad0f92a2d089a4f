"""SwiftNet, a network for "visual wake words" found by architecture search, from its published structure."""

from __future__ import annotations

import functools
import json
import math
from importlib import resources

from tenon.compiler.schedule import Operator, Problem

__all__ = ["CELLS", "problem", "structure"]

#: First and last operator of each cell, and of the whole network, in the published order.
CELLS = {"a": (5, 32), "b": (34, 56), "c": (58, 81), "whole": (1, 84)}

_KINDS = {"CONV_2D": "conv", "DEPTHWISE_CONV_2D": "depthwise", "CONCATENATION": "concat"}


@functools.cache
def structure() -> dict:
    """The published structure: "ops" with their attributes and weight shapes, "tensors" with NHWC shapes of uint8."""
    return json.loads(resources.files("tenon.flows.zoo").joinpath("data/swiftnet.json").read_text(encoding="utf-8"))


def problem(cell: str = "whole") -> Problem:
    """A cell, or the whole network, with explicit concatenations; what it reads from before is its input."""
    first, last = CELLS[cell]
    data = structure()
    operators = []
    for i, op in enumerate(data["ops"][first:last + 1], first):
        names = [tuple(f"t{t}" for t in op[side]) for side in ("inputs", "outputs")]
        operators.append(Operator(f"{op['op'].lower()}_{i}", *names, _KINDS.get(op["op"], "")))
    written = {t for op in operators for t in op.outputs}
    inputs = dict.fromkeys(t for op in operators for t in op.inputs if t not in written)
    sizes = {f"t{t}": math.prod(shape) for t, shape in data["tensors"].items()}
    return Problem(f"swiftnet_{cell}", tuple(operators), sizes, tuple(inputs))
