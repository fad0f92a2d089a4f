"""What of a model runs on the host, by the reference: its float head and tail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from tenon.compiler.frontend import Split
from tenon.compiler.frontend.quantisation import Quantisation
from tenon.compiler.program import Program
from tenon.flows.execution import Tensors
from tenon.flows.source import Feeds
from tenon.tb.reference import Reference

__all__ = ["enter", "leave"]


def enter(parts: Split, feeds: Sequence[Feeds]) -> list[Feeds]:
    """The inputs that the accelerator's part of the model gets: the model's own and what the head makes of them."""
    if parts.head is None:
        return list(feeds)
    head = Reference(parts.head)
    wanted = {i.name for i in parts.head.graph.input}
    return [{**given, **head.run({n: a for n, a in given.items() if n in wanted})} for given in feeds]


def leave(parts: Split, program: Program, entered: Sequence[Feeds], results: Sequence[Tensors],
          outputs: Sequence[str]) -> list[dict[str, np.ndarray]]:
    """The model's ``outputs`` for each run: of the program's tensors, dequantised where the model does, and of the tail."""
    tail = None if parts.tail is None else Reference(parts.tail)
    found = []
    for given, tensors in zip(entered, results, strict=True):
        known = dict(given) | {o.name: _result(program, o, tensors) for o in parts.body.graph.output}
        if tail is not None:
            known |= tail.run({i.name: known[i.name] for i in parts.tail.graph.input})
        found.append({name: known[name] for name in outputs})
    return found


def _result(program: Program, output: onnx.ValueInfoProto, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
    """An output of the body as the model has it: bytes, or dequantised."""
    tensor, view = program.aliases[output.name]
    array = view.to_onnx(tensors[tensor])
    elements = output.type.tensor_type.elem_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    return array if elements else Quantisation(np.float32(view.scale), view.zero_point, view.dtype).dequantise(array)
