"""A model's graph as a list of nodes to be rewritten: who makes and who reads each tensor, and what is constant."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence

import onnx

__all__ = ["Surgery", "needed"]


class Surgery:
    """Nodes of ``model`` in an order in which each comes after what it reads; ``write`` puts them back.

    ``invented`` are names of tensors that the model did not have before, so that nobody looks for them in it.
    """

    def __init__(self, model: onnx.ModelProto):
        graph = model.graph
        self.model = model
        self.nodes: list[onnx.NodeProto] = list(graph.node)
        self.initialisers = {i.name: i for i in graph.initializer}
        self.inputs = [i.name for i in graph.input if i.name not in self.initialisers]
        self.outputs = [o.name for o in graph.output]
        self.invented: set[str] = set()
        self._taken = {n for node in self.nodes for n in (*node.input, *node.output)} | {*self.inputs, *self.initialisers}
        self.index()

    def index(self) -> None:
        """Finds anew who makes and reads what, and what is constant; to be called after a change."""
        self.maker: dict[str, onnx.NodeProto] = {o: node for node in self.nodes for o in node.output if o}
        self.readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        self.constants = set(self.initialisers)
        for node in self.nodes:
            for name in node.input:
                if name:
                    self.readers[name].append(node)
            if node.op_type == "Shape" or not _draws(node) and all(n in self.constants for n in node.input if n) and not _has_body(node):
                self.constants.update(node.output)

    def fresh(self, stem: str) -> str:
        name = next(n for n in (f"{stem}.{i}" for i in itertools.count(1)) if n not in self._taken)
        self._taken.add(name)
        self.invented.add(name)
        return name

    def alone(self, name: str) -> bool:
        """Whether just one node reads a tensor, and no host does."""
        return len(self.readers[name]) == 1 and name not in self.outputs

    def replace(self, old: Iterable[onnx.NodeProto], new: Iterable[onnx.NodeProto]) -> None:
        """Puts ``new`` in the place of the last of ``old``; what they read must stand before it."""
        old = {id(node) for node in old}
        last = max(i for i, node in enumerate(self.nodes) if id(node) in old)
        kept = [(i, node) for i, node in enumerate(self.nodes) if id(node) not in old]
        self.nodes = [node for i, node in kept if i < last] + list(new) + [node for i, node in kept if i > last]
        self.index()

    def write(self) -> onnx.ModelProto:
        graph = self.model.graph
        del graph.node[:]
        graph.node.extend(self.nodes)
        return self.model


def needed(nodes: Sequence[onnx.NodeProto], wanted: Iterable[str]) -> list[onnx.NodeProto]:
    """Those of ``nodes`` that the tensors ``wanted`` depend on, in their order."""
    wanted, kept = set(wanted), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
            for attribute in node.attribute:  # bodies read tensors of the graph around them
                for body in (attribute.g, *attribute.graphs):
                    wanted.update(name for inner in body.node for name in inner.input)
    return kept[::-1]


def _has_body(node: onnx.NodeProto) -> bool:
    return any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute)


def _draws(node: onnx.NodeProto) -> bool:
    return node.op_type.startswith("Random") or node.op_type in ("Bernoulli", "Multinomial")
