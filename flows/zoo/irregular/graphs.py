"""Seeded random graphs as directed wirings: Watts-Strogatz, Erdos-Renyi, Barabasi-Albert."""

from __future__ import annotations

import random
from collections.abc import Sequence

__all__ = ["GENERATORS", "barabasi_albert", "erdos_renyi", "random_wiring", "watts_strogatz"]


def watts_strogatz(nodes: int, neighbours: int, rewired: float, rng: random.Random) -> set[tuple[int, int]]:
    """A ring in which each node is joined to its ``neighbours`` nearest, each edge rewired with a probability."""
    edges = {_edge(i, (i + d) % nodes) for d in range(1, neighbours // 2 + 1) for i in range(nodes)}
    for d in range(1, neighbours // 2 + 1):
        for i in range(nodes):
            if rng.random() < rewired:
                free = [j for j in range(nodes) if j != i and _edge(i, j) not in edges]
                if free:
                    edges.discard(_edge(i, (i + d) % nodes))
                    edges.add(_edge(i, _pick(free, rng)))
    return edges


def erdos_renyi(nodes: int, probability: float, rng: random.Random) -> set[tuple[int, int]]:
    """Every two nodes are joined with a probability."""
    return {(i, j) for i in range(nodes) for j in range(i + 1, nodes) if rng.random() < probability}


def barabasi_albert(nodes: int, joined: int, rng: random.Random) -> set[tuple[int, int]]:
    """Nodes come one by one, and each joins ``joined`` earlier ones, those with more edges more likely."""
    edges = {(i, joined) for i in range(joined)}
    ends = [end for edge in sorted(edges) for end in edge]
    for new in range(joined + 1, nodes):
        chosen: set[int] = set()
        while len(chosen) < joined:
            chosen.add(_pick(ends, rng))
        for old in sorted(chosen):
            edges.add((old, new))
            ends += [old, new]
    return edges


#: Kind to generator (nodes, rng), with the parameters of the RandWire paper's best networks.
GENERATORS = {
    "ws": lambda nodes, rng: watts_strogatz(nodes, 4, 0.75, rng),
    "er": lambda nodes, rng: erdos_renyi(nodes, 0.2, rng),
    "ba": lambda nodes, rng: barabasi_albert(nodes, 5, rng),
}


def random_wiring(kind: str, nodes: int, seed: int) -> list[list[int]]:
    """For each node, the earlier nodes that it reads, of a connected random graph; edges point to the higher number."""
    rng = random.Random(f"{kind} {nodes} {seed}")
    while True:
        edges = GENERATORS[kind](nodes, rng)
        reads: list[list[int]] = [[] for _ in range(nodes)]
        for a, b in sorted(edges):
            reads[b].append(a)
        if _connected(reads):
            return reads


def _connected(reads: Sequence[Sequence[int]]) -> bool:
    group = list(range(len(reads)))
    for b, sources in enumerate(reads):
        for a in sources:
            old, new = group[b], group[a]
            group = [new if g == old else g for g in group]
    return len(set(group)) == 1


def _edge(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)


def _pick(items: Sequence[int], rng: random.Random) -> int:
    # random() alone: it is the only method whose sequence Python promises to keep.
    return items[int(rng.random() * len(items))]
