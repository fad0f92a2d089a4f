"""The space of a whole network: every choice of every layer that has more than one option."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping as Mapped
from dataclasses import dataclass

import numpy as np

from tenon.compiler.errors import CompileError
from tenon.compiler.estimate import estimated
from tenon.compiler.mapping import Mapping
from tenon.compiler.network import Network
from tenon.compiler.search import DEFAULT_EFFORT
from tenon.compiler.space import Choice

__all__ = ["Knob", "NetworkSpace", "Point"]

Point = tuple[int, ...]  # the number of an option for each knob

_MOST_CHANGED = 3  # knobs that one mutation may change
_NEAR = 0.5  # how often a changed knob moves by one option, rather than to any


@dataclass(frozen=True)
class Knob:
    """A choice of a layer, known by its number among the layers with choices."""

    layer: int
    choice: Choice


class NetworkSpace:
    """Points of ``network``.

    Attributes
    ----------
    knobs : in the order of layers; those of one layer are ``slices[layer]``.
    sizes : how many options each has.
    signature : a hash of all knobs, and of the layers that they belong to: points of spaces that agree in it mean the same.
    """

    def __init__(self, network: Network):
        self.network = network
        self.spaces = [network.space(number) for number in range(len(network.layers))]
        self.knobs: list[Knob] = []
        self.slices: list[slice] = []
        for number, space in enumerate(self.spaces):
            first = len(self.knobs)
            self.knobs += [Knob(number, c) for c in space.choices if len(c.options) > 1]
            self.slices.append(slice(first, len(self.knobs)))
        names = [(network.layers[k.layer].name, k.choice.name, k.choice.options) for k in self.knobs]
        shapes = [repr(network.shape(number)) for number in range(len(network.layers))]
        self.signature = hashlib.sha256(json.dumps([names, shapes]).encode()).hexdigest()[:16]
        self.sizes = [len(k.choice.options) for k in self.knobs]
        self._layers = [number for number, part in enumerate(self.slices) if part.stop > part.start]
        self._estimates: dict[tuple[int, Point], float] = {}

    @property
    def size(self) -> int:
        return math.prod(self.sizes)

    def layer_mapping(self, number: int, part: Point) -> Mapping:
        """The mapping of a layer by its own part of a point."""
        picked = iter(part)
        return Mapping({c.name: c.options[next(picked) if len(c.options) > 1 else 0] for c in self.spaces[number].choices})

    def mappings(self, point: Point) -> dict[str, Mapping]:
        """The mapping of each layer, by its name."""
        return {layer.name: self.layer_mapping(number, point[self.slices[number]])
                for number, layer in enumerate(self.network.layers)}

    def point(self, mappings: Mapped[str, Mapping]) -> Point:
        """The point of a mapping for each layer.

        Raises
        ------
        CompileError
            If they are not in the space.
        """
        found: list[int] = []
        for layer, space in zip(self.network.layers, self.spaces):
            if layer.name not in mappings:
                raise CompileError(f"there is no mapping of layer {layer.name}")
            space.point(mappings[layer.name])  # refuses what is not in the space
            found += [c.options.index(mappings[layer.name].choices[c.name]) for c in space.choices if len(c.options) > 1]
        return tuple(found)

    def start(self) -> Point:
        """What the compiler chooses by itself."""
        network = self.network
        return self.point({layer.name: network.searched(number, DEFAULT_EFFORT) for number, layer in enumerate(network.layers)})

    def estimate(self, point: Point) -> np.ndarray:
        """What each layer is estimated to take by itself; infinity if it does not fit."""
        return np.array([self.layer_estimate(number, point[part]) for number, part in enumerate(self.slices)])

    def layer_estimate(self, number: int, part: Point) -> float:
        key = number, part
        if key not in self._estimates:
            n = self.network
            mapping = self.layer_mapping(number, part)
            self._estimates[key] = float(estimated(n.machines[number], n.graph, n.layers[number], n.homes, [mapping]).ravel()[0])
        return self._estimates[key]

    def fits(self, point: Point) -> bool:
        """Whether every layer should find room."""
        return bool(np.isfinite(self.estimate(point)).all())

    def near(self, rng: np.random.Generator) -> list[int]:
        """A layer that has choices, or two that follow each other."""
        at = int(rng.integers(len(self._layers)))
        return self._layers[at:at + 1 + int(rng.integers(2))]

    def mutated(self, point: Point, rng: np.random.Generator) -> Point:
        """``point`` with one to three knobs changed, of one layer or of two that follow each other."""
        knobs = [k for number in self.near(rng) for k in range(self.slices[number].start, self.slices[number].stop)]
        changed = list(point)
        for k in rng.choice(knobs, size=min(len(knobs), 1 + int(rng.integers(_MOST_CHANGED))), replace=False):
            count, here = self.sizes[k], point[k]
            steps = [there for there in (here - 1, here + 1) if 0 <= there < count]
            if self.knobs[k].choice.ordered and rng.random() < _NEAR:
                changed[k] = int(rng.choice(steps))
            else:
                changed[k] = int((here + 1 + rng.integers(count - 1)) % count)
        return tuple(changed)

    def random(self, rng: np.random.Generator) -> Point:
        return tuple(int(rng.integers(size)) for size in self.sizes)

    def features(self, points: list[Point]) -> np.ndarray:
        """A row for each point: of each knob the logarithm of its option's value, or which of its names it is; and of each layer the
        logarithm of what it is estimated to take (a layer that does not fit: twice as long as anything that does)."""
        columns = []
        digits = np.array(points)
        for k, knob in enumerate(self.knobs):
            if knob.choice.ordered:
                columns.append(np.log2(1 + np.array(knob.choice.options, float))[digits[:, k]])
            else:
                columns += [(digits[:, k] == option).astype(float) for option in range(len(knob.choice.options))]
        estimates = np.array([self.estimate(point) for point in points])
        known = estimates[np.isfinite(estimates)]
        bounded = np.where(np.isfinite(estimates), estimates, 2 * known.max(initial=1.0))
        return np.column_stack([*columns, np.log2(1 + bounded)])
