"""What a model says beside its arithmetic is resolved before it is read: functions of its own, nodes that nothing reads,
shapes that are not written down."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import onnx
import onnx.inliner

from tenon.compiler.errors import CompileError
from tenon.compiler.frontend.commute import commuted
from tenon.compiler.frontend.model import input_shapes
from tenon.compiler.frontend.split import Split, split
from tenon.compiler.frontend.surgery import Surgery, needed

__all__ = ["Prepared", "inferred", "prepared"]


@dataclass(frozen=True)
class Prepared:
    """A model ready to be read: ``parts`` of it for host and accelerator; ``shapes`` of its tensors, as far as ONNX infers
    them; ``invented``: tensors that the user's model does not have; ``floats``: nodes that the reference computes in float
    because of what is around them."""

    parts: Split
    shapes: dict[str, tuple[int, ...]]
    invented: frozenset[str]
    floats: frozenset[str]
    uses: Counter[str]  # how often the whole model reads each tensor


def prepared(model: onnx.ModelProto) -> Prepared:
    """``model``, which stays as it is, with functions inlined, dead nodes dropped, and quantisation beside what computes.

    Raises
    ------
    CompileError
        If its shapes contradict each other.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if copy.functions:
        copy = onnx.inliner.inline_local_functions(copy)
    shapes = input_shapes(copy) | inferred(copy)
    surgery = Surgery(copy)
    surgery.nodes = needed(surgery.nodes, surgery.outputs)
    surgery.index()
    floats = commuted(surgery)
    surgery.nodes = needed(surgery.nodes, surgery.outputs)
    surgery.index()
    uses = Counter(n for node in surgery.nodes for n in node.input) + Counter(surgery.outputs)
    shapes |= inferred(surgery.write()) if surgery.invented else {}
    return Prepared(split(surgery, shapes), shapes, frozenset(surgery.invented), frozenset(floats), uses)


def inferred(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Static shapes of the model's tensors."""
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise CompileError(f"shapes of the model do not fit: {str(error).splitlines()[0]}") from None
    found = {}
    for value in (*graph.value_info, *graph.output, *graph.input):
        kind = value.type.tensor_type
        if kind.HasField("shape") and all(d.HasField("dim_value") for d in kind.shape.dim):
            found[value.name] = tuple(d.dim_value for d in kind.shape.dim)
    return found
