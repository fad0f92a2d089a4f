"""The space of a whole network: every choice of every layer, and of tensors between them, that has more than one option."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tenon.compiler.errors import CompileError
from tenon.compiler.estimate import UNESTIMATED, estimated, ranked
from tenon.compiler.mapping import Mapping, NetworkMapping
from tenon.compiler.network import Network
from tenon.compiler.search import DEFAULT_EFFORT
from tenon.compiler.space import Choice
from tenon.compiler.twins import twin_of

__all__ = ["TENSORS", "Knob", "LaidOut", "NetworkSpace", "Point"]

Point = tuple[int, ...]  # the number of an option for each knob

TENSORS = -1  # instead of a layer's number: of tensors between layers
_MOST_CHANGED = 3  # knobs that one mutation may change
_DRAWS = 1000
_REPLACED = 0.15  # of mutations, those that take one of a layer's most promising mappings
_PROMISING = 64
_NEAR = 0.5  # how often a changed knob moves by one option, rather than to any


@dataclass(frozen=True)
class Knob:
    """A choice of a layer, known by its number, or of where a tensor stays."""

    layer: int
    choice: Choice


@dataclass(frozen=True)
class LaidOut:
    """The network with tensors in some of their places. ``numbers``: of each layer its number in the space, None for one without
    knobs. ``kinds``, ``places``: numbers for ``Network.shape`` and ``Network.place`` of each layer."""

    network: Network
    numbers: Sequence[int | None]
    kinds: Sequence[int]
    places: Sequence[int]
    count: int  # of layers that are there by default

    def mapping(self, number: int) -> Mapping:
        """Of a layer without knobs."""
        return self.network.searched(number, DEFAULT_EFFORT)


class NetworkSpace:
    """Points of ``network``.

    Attributes
    ----------
    knobs : of tensors, then in the order of layers, behind which copies come; those of one layer are ``slices[layer]``, ``groups`` are
        all slices with knobs.
    sizes : how many options each has.
    signature : a hash of all knobs, and of the layers that they belong to: points of spaces that agree in it mean the same.
    """

    def __init__(self, network: Network):
        self.network = network
        numbers = range(len(network.layers))
        self.names = [layer.name for layer in network.layers]
        self.spaces = [network.space(number) for number in numbers]
        self._default = [functools.partial(network.searched, number, DEFAULT_EFFORT) for number in numbers]
        for tensor in (c.name for c in network.places if "both" in c.options):
            there = network.placed({tensor: "both"})
            for number in (n for n, layer in enumerate(there.layers) if layer.name == twin_of(tensor)):
                self.names.append(twin_of(tensor))
                self.spaces.append(there.space(number))
                self._default.append(functools.partial(there.searched, number, DEFAULT_EFFORT))
        self.knobs = [Knob(TENSORS, choice) for choice in network.places]
        self.tensors = slice(0, len(self.knobs))
        self.slices: list[slice] = []
        for number, space in enumerate(self.spaces):
            first = len(self.knobs)
            self.knobs += [Knob(number, c) for c in space.choices if len(c.options) > 1]
            self.slices.append(slice(first, len(self.knobs)))
        self.groups = [part for part in (self.tensors, *self.slices) if part.stop > part.start]
        owners = [self.names[k.layer] if k.layer != TENSORS else "" for k in self.knobs]
        names = [(owner, k.choice.name, k.choice.options) for owner, k in zip(owners, self.knobs)]
        shapes = [repr(network.shape(number)) for number in numbers]
        self.signature = hashlib.sha256(json.dumps([names, shapes]).encode()).hexdigest()[:16]
        self.sizes = [len(k.choice.options) for k in self.knobs]
        self._by_name = {name: number for number, name in enumerate(self.names)}
        self._kinds: dict[tuple, int] = {}
        self._places: dict[tuple, int] = {}
        self._laid_out: dict[Point, LaidOut] = {}
        self._estimates: dict[tuple[int, Point], float] = {}
        self._promising: dict[int, list[Point]] = {}

    @property
    def size(self) -> int:
        return math.prod(self.sizes)

    def laid_out(self, point: Point) -> LaidOut:
        """The network with tensors where ``point`` has them."""
        key = point[self.tensors]
        if key not in self._laid_out:
            places = {c.name: c.options[option] for c, option in zip(self.network.places, key)}
            network = self.network.placed(places) if key else self.network
            numbers = range(len(network.layers))
            self._laid_out[key] = LaidOut(network, [self._by_name.get(layer.name) for layer in network.layers],
                                          [self._kinds.setdefault(network.shape(n), len(self._kinds)) for n in numbers],
                                          [self._places.setdefault(network.place(n), len(self._places)) for n in numbers],
                                          len(self.network.layers))
        return self._laid_out[key]

    def reader(self, copy: int) -> int:
        """The first layer that reads a tensor of which layer ``copy`` makes a copy."""
        return next(n for n, layer in enumerate(self.network.layers) for name in layer.inputs if twin_of(name) == self.names[copy])

    def layer_mapping(self, number: int, part: Point) -> Mapping:
        """The mapping of a layer by its own part of a point."""
        picked = iter(part)
        return Mapping({c.name: c.options[next(picked) if len(c.options) > 1 else 0] for c in self.spaces[number].choices})

    def mapping(self, point: Point) -> NetworkMapping:
        """The mapping of each layer, and where tensors are that are elsewhere than by default."""
        there = self.laid_out(point)
        layers = {layer.name: there.mapping(n) if number is None else self.layer_mapping(number, point[self.slices[number]])
                  for n, (layer, number) in enumerate(zip(there.network.layers, there.numbers))}
        return NetworkMapping(layers, {c.name: c.options[option] for c, option in zip(self.network.places, point) if option})

    def point(self, mapping: NetworkMapping) -> Point:
        """The point of a mapping.

        Raises
        ------
        CompileError
            If it is not in the space.
        """
        self.network.placed(mapping.places)  # refuses what is no place
        found = [c.options.index(mapping.places.get(c.name, c.options[0])) for c in self.network.places]
        for number, (name, space) in enumerate(zip(self.names, self.spaces)):
            if name not in mapping.layers and number < len(self.network.layers):
                raise CompileError(f"there is no mapping of layer {name}")
            layer = mapping.layers[name] if name in mapping.layers else self._default[number]()
            space.point(layer)  # refuses what is not in the space
            found += self._part(number, layer)
        return tuple(found)

    def _part(self, number: int, mapping: Mapping) -> Point:
        """A layer's own part of a point, by its mapping."""
        return tuple(c.options.index(mapping.choices[c.name]) for c in self.spaces[number].choices if len(c.options) > 1)

    def start(self) -> Point:
        """What the compiler chooses by itself."""
        return self.point(NetworkMapping({name: default() for name, default in zip(self.names, self._default)}))

    def estimates(self, points: Sequence[Point]) -> np.ndarray:
        """What each layer is estimated to take by itself (points, layers), 0 if it is not there; infinity if it does not fit."""
        self._estimate(points)
        found = np.zeros((len(points), len(self.slices)))
        for row, point in zip(found, points):
            there = self.laid_out(point)
            for kind, number in zip(there.kinds, there.numbers):
                if number is not None:
                    row[number] = self._estimates[kind, point[self.slices[number]]]
        return found

    def layer_estimate(self, there: LaidOut, n: int, part: Point) -> float:
        """Of layer ``n`` of a network that is laid out so."""
        if (there.kinds[n], part) not in self._estimates:
            self._estimate_layer(there, n, [part])
        return self._estimates[there.kinds[n], part]

    def fits(self, point: Point) -> bool:
        """Whether every layer should find room."""
        return self.fitting([point])[0]

    def fitting(self, points: Sequence[Point]) -> list[bool]:
        """Of each point, whether every layer should find room."""
        return np.isfinite(self.estimates(points)).all(axis=1).tolist()

    def _estimate(self, points: Sequence[Point]) -> None:
        """Keeps the estimates of all layers of ``points``: those of one layer at once."""
        wanted: dict[int, tuple[LaidOut, int, dict[Point, None]]] = {}
        for point in points:
            there = self.laid_out(point)
            for n, (kind, number) in enumerate(zip(there.kinds, there.numbers)):
                if number is not None and (kind, part := point[self.slices[number]]) not in self._estimates:
                    wanted.setdefault(kind, (there, n, {}))[2][part] = None
        for there, n, parts in wanted.values():
            self._estimate_layer(there, n, list(parts))

    def _estimate_layer(self, there: LaidOut, n: int, parts: Sequence[Point]) -> None:
        network, kind = there.network, there.kinds[n]
        choices = self.spaces[there.numbers[n]].choices
        allowed = {c.name: c.options for c in network.space(n).choices}
        digits = iter(np.array(parts, int).reshape(len(parts), -1).T)
        columns = {c.name: np.array(c.options)[next(digits) if len(c.options) > 1 else np.zeros(len(parts), int)] for c in choices}
        found = estimated(network.machines[n], network.graph, network.layers[n], network.homes, columns)
        found = np.broadcast_to(found, (len(parts),)).astype(float)  # what can be chosen depends on where the operands are
        for choice in choices:
            if allowed[choice.name] != choice.options:
                found = np.where(np.isin(columns[choice.name], allowed[choice.name]), found, np.inf)
        for part, cycles in zip(parts, found.tolist()):
            self._estimates[kind, part] = cycles

    def promising(self, number: int) -> list[Point]:
        """The parts of a layer's most promising mappings, as far as they are estimated; what is not is as the compiler has it first."""
        if number not in self._promising:
            there, space = self.network, self.spaces[number]
            found = itertools.islice(ranked(there.machines[number], there.graph, there.layers[number], there.homes, space), _PROMISING)
            self._promising[number] = list(dict.fromkeys(self._part(number, mapping) for mapping in found))
        return self._promising[number]

    def near(self, rng: np.random.Generator) -> list[slice]:
        """A layer's knobs, or those of two that follow each other; those of tensors count as one layer."""
        at = int(rng.integers(len(self.groups)))
        return self.groups[at:at + 1 + int(rng.integers(2))]

    def mutated(self, point: Point, rng: np.random.Generator) -> Point:
        """``point`` with one to three knobs changed, of one layer or of two that follow each other; or with all estimated choices of a
        layer as one of its most promising mappings has them."""
        if rng.random() < _REPLACED:
            number = int(rng.integers(len(self.network.layers)))
            if parts := self.promising(number):
                picked = parts[int(rng.integers(len(parts)))]
                changed = list(point)
                for k, option in zip(range(self.slices[number].start, self.slices[number].stop), picked):
                    if self.knobs[k].choice.name not in UNESTIMATED:
                        changed[k] = option
                if tuple(changed) != point:
                    return tuple(changed)
        knobs = [k for part in self.near(rng) for k in range(part.start, part.stop)]
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

    def random_fitting(self, rng: np.random.Generator) -> Point:
        """A random point of which each layer was drawn again until it should find room, or hardly ever does."""
        point = list(self.random(rng))
        there = self.laid_out(tuple(point))
        for n, number in enumerate(there.numbers):
            if number is None:
                continue
            part = self.slices[number]
            for _ in range(_DRAWS):
                if self.layer_estimate(there, n, tuple(point[part])) < math.inf:
                    break
                point[part] = [int(rng.integers(size)) for size in self.sizes[part]]
        return tuple(point)

    def features(self, points: Sequence[Point], *, estimates: bool = True) -> np.ndarray:
        """A row for each point: of each knob the logarithm of its option's value, or which of its names it is; and with ``estimates`` of
        each layer the logarithm of what it is estimated to take (a layer that does not fit: twice as long as anything that does)."""
        columns = []
        digits = np.array(points)
        for k, knob in enumerate(self.knobs):
            if knob.choice.ordered:
                columns.append(np.log2(1 + np.array(knob.choice.options, float))[digits[:, k]])
            else:
                columns += [(digits[:, k] == option).astype(float) for option in range(len(knob.choice.options))]
        if not estimates:
            return np.column_stack(columns)
        found = self.estimates(points)
        bounded = np.where(np.isfinite(found), found, 2 * found[np.isfinite(found)].max(initial=1.0))
        return np.column_stack([*columns, np.log2(1 + bounded)])
