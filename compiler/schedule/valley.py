"""The state with the least live memory between two others, by a minimum cut."""

from __future__ import annotations

from collections import deque

from tenon.compiler.schedule.states import States, bits

__all__ = ["lowest_between"]


def lowest_between(states: States, low: int, high: int) -> int:
    """The largest of the states with the fewest live bytes among those that contain ``low`` and lie in ``high``.

    f is a sum of costs ("a writer is in") and gains ("all users are in"), so its minimum over states closed under
    predecessors is a cut: a gain can be had only with all users, a user only with its predecessors, a writer only at cost.
    """
    inside = high & ~low
    if not inside & (inside - 1):
        return high if states.bytes_in(high) <= states.bytes_in(low) else low
    flow = _Flow()
    for v in bits(inside):
        for u in bits(states.predecessors[v] & inside):
            flow.edge(v, u, None)
    label = states.count
    for t in states.tensors:
        users = t.writers | t.readers
        if not users & inside:
            continue
        if not t.early and not t.writers & low:
            label += 1
            flow.edge(label, _SINK, t.size)
            for v in bits(t.writers & inside):
                flow.edge(v, label, None)
        if not t.late and not users & ~high:
            label += 1
            flow.edge(_SOURCE, label, t.size)
            for v in bits(users & inside):
                flow.edge(label, v, None)
    outside = flow.sink_side()
    return high & ~sum(1 << v for v in bits(inside) if v in outside)


_SOURCE, _SINK = -1, -2


class _Flow:
    """Maximum flow by Dinic's algorithm; a capacity of None is unlimited."""

    def __init__(self):
        self._unlimited = 1 << 80
        self._left: dict[int, dict[int, int]] = {_SOURCE: {}, _SINK: {}}

    def edge(self, a: int, b: int, capacity: int | None) -> None:
        left = self._left.setdefault(a, {})
        left[b] = left.get(b, 0) + (self._unlimited if capacity is None else capacity)
        self._left.setdefault(b, {}).setdefault(a, 0)

    def sink_side(self) -> set[int]:
        """Nodes from which the sink can still be reached when no more flows."""
        while True:
            level = self._levels()
            if _SOURCE not in level:
                return set(level)
            self._block(level)

    def _levels(self) -> dict[int, int]:
        """Distance to the sink over edges that have capacity left."""
        level = {_SINK: 0}
        queue = deque([_SINK])
        while queue:
            at = queue.popleft()
            for other in self._left[at]:
                if other not in level and self._left[other][at]:
                    level[other] = level[at] + 1
                    queue.append(other)
        return level

    def _block(self, level: dict[int, int]) -> None:
        """Sends what shortest paths can carry."""
        pending = {node: list(edges) for node, edges in self._left.items()}
        path = [_SOURCE]
        while path:
            at = path[-1]
            if at == _SINK:
                amount = min(self._left[a][b] for a, b in zip(path, path[1:]))
                for a, b in zip(path, path[1:]):
                    self._left[a][b] -= amount
                    self._left[b][a] += amount
                path = [_SOURCE]
                continue
            edges = pending[at]
            while edges and not (self._left[at][edges[-1]] and level.get(edges[-1], -1) == level.get(at, 0) - 1):
                edges.pop()
            if edges:
                path.append(edges[-1])
            else:
                path.pop()
                if path:
                    pending[path[-1]].pop()
