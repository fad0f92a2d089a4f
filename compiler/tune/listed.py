"""Points in the order of what their layers are estimated to take together."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from tenon.compiler.tune.space import NetworkSpace, Point

__all__ = ["estimated_order"]


def estimated_order(space: NetworkSpace, start: Point) -> Iterator[Point]:
    """Combinations of each layer's most promising mappings, those with the least sum of estimates first; everything else as ``start`` has
    it."""
    there = space.laid_out(start)
    tables: list[list[tuple[float, Point]]] = []
    for number in range(len(space.network.layers)):
        table = sorted((space.layer_estimate(there, number, part), part) for part in space.promising(number))
        tables.append(table or [(0.0, start[space.slices[number]])])
    first = (0,) * len(tables)
    heap, seen = [(sum(table[0][0] for table in tables), first)], {first}
    while heap:
        total, at = heapq.heappop(heap)
        point = list(start)
        for part, table, k in zip(space.slices, tables, at):
            point[part] = table[k][1]
        yield tuple(point)
        for number, (table, k) in enumerate(zip(tables, at)):
            new = (*at[:number], k + 1, *at[number + 1:])
            if k + 1 < len(table) and new not in seen:
                seen.add(new)
                heapq.heappush(heap, (total - table[k][0] + table[k + 1][0], new))
