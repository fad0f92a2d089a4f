"""Layers: kernels that one pass over the machine executes together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from tenon.compiler.ir import Add, Conv, Graph, Kernel, Lookup

__all__ = ["Layer", "layers_of"]


@dataclass(frozen=True)
class Layer:
    """``main`` with what follows it in the same pass: an addition whose other operand is ``residual`` (on ``side``
    "a" or "b"), then a table.

    ``sums``: a name for sums that several layers add to, each for a part of the reduction; the first ``begins`` them, the
    last ``finishes``, and may have no ``products`` of its own.

    ``before``: layers that are executed with it, tile by tile (``compiler.chaining``): each reads what the one before makes, the first
    what the whole reads, and this one is the last.
    """

    main: Kernel
    add: Add | None = None
    side: str = ""
    lookup: Lookup | None = None
    sums: str = ""
    begins: bool = True
    finishes: bool = True
    products: bool = True
    before: tuple[Layer, ...] = ()

    @property
    def chain(self) -> tuple[Layer, ...]:
        """All layers that it consists of."""
        return (*self.before, replace(self, before=()))

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        mine = (k for k in (self.main, self.add, self.lookup) if k is not None)
        return (*(k for layer in self.before for k in layer.kernels), *mine)

    @property
    def name(self) -> str:
        return self.main.name

    @property
    def op(self) -> str:
        return "+".join(k.op for k in self.kernels)

    @property
    def y(self) -> str:
        return self.kernels[-1].y

    @property
    def writes(self) -> str:
        """The result, or the sums that it is to be made of."""
        return self.y if self.finishes else self.sums

    @property
    def residual(self) -> str:
        """The addition's operand that this layer does not compute itself."""
        return getattr(self.add, self.side) if self.add else ""

    @property
    def inputs(self) -> tuple[str, ...]:
        main = self.before[0].main if self.before else self.main
        return (*(main.inputs if self.products else ()), *((self.residual,) if self.add else ()))


def layers_of(graph: Graph, pieces: Collection[str] = ()) -> list[Layer]:
    """The graph's kernels, each convolution joined with the addition and the table that alone read its result.

    A joined layer stands where its last kernel stood, so that its residual operand is there. ``pieces``: tensors that others
    consist of (``compiler.fold``), which are read as well.
    """
    readers: dict[str, list[Kernel]] = {}
    for kernel in graph.kernels:
        for name in kernel.inputs:
            readers.setdefault(name, []).append(kernel)
    producer = {k.y: k for k in graph.kernels}
    position = {k.name: i for i, k in enumerate(graph.kernels)}
    taken: dict[str, Layer] = {}  # by the name of the last kernel
    joined: set[str] = set()

    def only_reader(kernel: Kernel) -> Kernel | None:
        found = readers.get(kernel.y, [])
        return found[0] if len(found) == 1 and kernel.y not in graph.outputs and kernel.y not in pieces else None

    for kernel in graph.kernels:
        if not isinstance(kernel, Conv):
            continue
        add = lookup = None
        side = ""
        last: Kernel = kernel
        follower = only_reader(kernel)
        if isinstance(follower, Add) and follower.a != follower.b and follower.name not in joined:
            other = "b" if follower.a == kernel.y else "a"
            source = producer.get(getattr(follower, other))
            same = graph.tensors[follower.a].shape == graph.tensors[follower.b].shape
            # Of two convolutions that are added, the later one takes the addition.
            if same and (source is None or position[source.name] < position[kernel.name]):
                add, side, last = follower, other, follower
                follower = only_reader(follower)
        if isinstance(follower, Lookup):
            lookup, last = follower, follower
        layer = Layer(kernel, add, side, lookup)
        taken[last.name] = layer
        joined |= {k.name for k in layer.kernels}
    return [taken[k.name] if k.name in taken else Layer(k) for k in graph.kernels if k.name in taken or k.name not in joined]


