"""Quantising commutes with moving elements, and with their maximum: QuantizeLinear and DequantizeLinear come to stand where
the operators that compute are.

Exporters and quantisers put them anywhere along a chain of reshapes and transpositions. Here a QuantizeLinear goes up
through such a chain to the operator before it, a DequantizeLinear down to the one after it. Every tensor that keeps its
name keeps its values.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from tenon.compiler.frontend.quantisation import Quantisation
from tenon.compiler.frontend.surgery import Surgery

__all__ = ["EXTREMES", "MOVING", "SHAPING", "commuted"]

#: Operators that hand elements on as they are; the first input has them, or all of Concat's.
MOVING = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Slice", "Split", "Gather", "Expand", "Tile",
           "DepthToSpace", "SpaceToDepth", "Concat", "Pad", "Dropout"}
SHAPING = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"}  # the reader looks through them
EXTREMES = {"MaxPool", "GlobalMaxPool"}
#: Those through which the reference itself carries quantisation, so that what is around them stays an integer kernel there.
_CARRIED = {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "MaxPool", "Identity"}
_MONOTONE = {"Relu", "Clip"}
_FUNCTIONS = _MONOTONE | {"Sigmoid", "Tanh", "Erf", "Exp", "Log", "Sqrt", "Softplus", "Softsign", "Gelu", "Elu", "Selu", "Celu",
                          "LeakyRelu", "HardSigmoid", "HardSwish", "Neg", "Abs", "ThresholdedRelu", "Mish", "Floor", "Ceil", "Round"}


def commuted(surgery: Surgery) -> set[str]:
    """Rewrites the nodes until nothing moves any more; the names of nodes that the reference computes in float because of
    what stands between them and their quantisation."""
    floats: set[str] = set()
    while any(_step(surgery, node, floats) for node in list(surgery.nodes)):
        pass
    return floats


def _step(s: Surgery, node: onnx.NodeProto, floats: set[str]) -> bool:
    if node.op_type in _FUNCTIONS:
        return _function_first(s, node)
    if node.op_type == "QuantizeLinear":
        return _quantise_first(s, node, floats)
    if node.op_type in MOVING | EXTREMES:
        return _dequantise_last(s, node, floats)
    return False


def _data(node: onnx.NodeProto) -> list[str]:
    return list(node.input) if node.op_type == "Concat" else [node.input[0]]


def _moves(s: Surgery, name: str) -> onnx.NodeProto | None:
    """The node that makes a tensor, if it moves activations."""
    node = s.maker.get(name)
    if node is None or node.op_type not in MOVING | EXTREMES or name in s.constants:
        return None
    return None if node.op_type == "MaxPool" and len([o for o in node.output if o]) > 1 else node


def _activation(s: Surgery, name: str, through: bool = True) -> onnx.NodeProto | None:
    """The DequantizeLinear of an activation that makes a tensor, ``through`` changes of its shape."""
    node = s.maker.get(name)
    while through and node is not None and node.op_type in SHAPING:
        name = node.input[0]
        node = s.maker.get(name)
    return node if node is not None and node.op_type == "DequantizeLinear" and name not in s.constants else None


def _renamed(node: onnx.NodeProto, inputs: list[str], outputs: list[str]) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.input[:], copy.output[:]
    copy.input.extend(inputs)
    copy.output.extend(outputs)
    return copy


def _function_first(s: Surgery, node: onnx.NodeProto) -> bool:
    """A function of each element goes before the movement that it reads: there it is part of what computes."""
    moving = _moves(s, node.input[0])
    if moving is None or len(_data(moving)) > 1 or len(moving.output) > 1 or moving.op_type == "Pad" or not s.alone(node.input[0]):
        return False
    if moving.op_type in EXTREMES and node.op_type not in _MONOTONE or _activation(s, moving.input[0]):
        return False
    between = s.fresh(moving.input[0])
    s.replace([moving, node], [_renamed(node, [moving.input[0], *node.input[1:]], [between]),
                               _renamed(moving, [between, *moving.input[1:]], list(node.output))])
    return True


def _quantise_first(s: Surgery, node: onnx.NodeProto, floats: set[str]) -> bool:
    """QuantizeLinear goes before the movement that it reads, unless that reads activations quantised already."""
    moving = _moves(s, node.input[0])
    if moving is None or moving.op_type == "Split" or any(a.name == "block_size" and a.i for a in node.attribute):
        return False
    data = _data(moving)
    if any(_activation(s, name) is not None or name in s.constants for name in data) or not _per_tensor(s, node):
        return False
    rest = list(moving.input[len(data):])
    if moving.op_type == "Pad":
        rest = _quantised_fill(s, node, rest)
        if rest is None:
            return False
    between = [s.fresh(name) for name in data]
    quantised = [_renamed(node, [name, *node.input[1:]], [q]) for name, q in zip(data, between, strict=True)]
    for number, copy in enumerate(quantised):
        copy.name = node.name or node.output[0] if number == 0 else f"{node.name or node.output[0]}.{number}"
        if moving.op_type not in _CARRIED:
            floats.add(copy.name)
    moved = _renamed(moving, [*between, *rest], [node.output[0]])
    gone = [node, moving] if s.alone(node.input[0]) else [node]
    s.replace(gone, [*quantised, moved])
    return True


def _dequantise_last(s: Surgery, node: onnx.NodeProto, floats: set[str]) -> bool:
    """DequantizeLinear goes behind the movement that reads it, where that is not quantised at once again."""
    if node.op_type in ("Concat", "Pad") or len(node.input) > 0 and node.input[0] in s.constants:
        return False
    dequantise = _activation(s, node.input[0], through=False)
    results = [o for o in node.output if o]
    if dequantise is None or any(a.name == "block_size" and a.i for a in dequantise.attribute) or not _per_tensor(s, dequantise):
        return False
    readers = [r for o in results for r in s.readers[o]]
    if readers and all(r.op_type == "QuantizeLinear" for r in readers) and not any(o in s.outputs for o in results):
        return False
    if node.op_type in SHAPING and not any(r.op_type in (MOVING | EXTREMES) - SHAPING for r in readers):
        return False
    between = [s.fresh(o) if o else "" for o in node.output]
    moved = _renamed(node, [dequantise.input[0], *node.input[1:]], between)
    after = [_renamed(dequantise, [b, *dequantise.input[1:]], [o]) for b, o in zip(between, node.output) if o]
    for copy, name in zip(after, results, strict=True):
        copy.name = f"{dequantise.name or dequantise.output[0]}.{name}"
    if node.op_type not in _CARRIED:
        floats.update(r.name or r.output[0] for r in readers)
    s.replace([node], [moved, *after])
    return True


def _per_tensor(s: Surgery, node: onnx.NodeProto) -> bool:
    scale = s.initialisers.get(node.input[1])
    return scale is None or int(np.prod(scale.dims)) == 1


def _quantised_fill(s: Surgery, node: onnx.NodeProto, rest: list[str]) -> list[str] | None:
    """Pad's inputs behind the data, with the element that stands for its value; None if it is not known."""
    names = [n for n in (*node.input[1:], *rest[1:2]) if n]
    if not all(n in s.initialisers for n in names) or len(node.input) < 3 or not node.input[2]:
        return None
    scale, zero = (numpy_helper.to_array(s.initialisers[n]).reshape(()) for n in node.input[1:3])
    value = numpy_helper.to_array(s.initialisers[rest[1]]).reshape(()) if len(rest) > 1 and rest[1] else np.float32(0)
    element = Quantisation(np.float32(scale), int(zero), str(zero.dtype)).quantise(value)
    name = s.fresh(node.output[0])
    s.initialisers[name] = numpy_helper.from_array(np.asarray(element), name)
    s.model.graph.initializer.append(s.initialisers[name])
    return [*(rest or [""])[:1], name, *rest[2:]]

