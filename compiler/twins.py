"""Twins: of a tensor that convolutions read out of one memory and others out of another, a copy for the convolutions, so that both can
stay on chip."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tenon.compiler.ir import Conv, Graph, Kernel, Pool

__all__ = ["twin_of", "twinned", "twins_of"]


def twin_of(name: str) -> str:
    """What the copy of a tensor is called."""
    return f"{name}.twin"


def twins_of(graph: Graph, parts: Collection[str]) -> list[str]:
    """Results that convolutions read, and others too, without those in ``parts`` and without outputs."""
    found = []
    for kernel in graph.kernels:
        readers = [k for k in graph.kernels if kernel.y in k.inputs]
        convolutions = sum(isinstance(k, Conv) for k in readers)
        if 0 < convolutions < len(readers) and kernel.y not in graph.outputs and kernel.y not in parts:
            found.append(kernel.y)
    return found


def twinned(graph: Graph, names: Collection[str]) -> Graph:
    """``graph`` in which convolutions read copies of the tensors in ``names``: their maxima over windows of one element."""
    kernels: list[Kernel] = []
    tensors = dict(graph.tensors)
    for kernel in graph.kernels:
        kernels.append(replace(kernel, x=twin_of(kernel.x)) if isinstance(kernel, Conv) and kernel.x in names else kernel)
        if kernel.y in names:
            tensor, twin = tensors[kernel.y], twin_of(kernel.y)
            tensors[twin] = replace(tensor, name=twin, onnx_name="")
            lo, hi = tensor.bounds
            kernels.append(Pool(twin, kernel.nodes, "Copy", True, "max", kernel.y, twin, (1, 1), lo=lo, hi=hi))
    return replace(graph, tensors=tensors, kernels=tuple(kernels))
