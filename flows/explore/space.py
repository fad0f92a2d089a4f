"""The space of an exploration: which parameters vary, over what, within which limits. A TOML file says so."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from tenon.flows.area_model import area_model, area_number
from tenon.flows.area_model.sample import KINDS
from tenon.hw.config import MHZ_RANGE
from tenon.hw.params import ParameterError, SystolicParams
from tenon.hw.presets import PRESETS, preset

__all__ = ["Axis", "Choice", "DesignSpace", "Relative", "read_space"]

Choice = tuple[int, ...]  # the number of an option for each axis

_MOST_POINTS = 10**12
_LISTED = 20_000  # points of a space that is small enough to be listed whole
_DRAWS = 20_000  # until a space is taken to have no valid point
_AREA = "area"
_RELATIVE = re.compile(r"\s*([a-z_]+)\s*(?:([*/])\s*(\d{1,4})\s*)?")


@dataclass(frozen=True)
class Relative:
    """``times / parts`` of another parameter: ``"cols / 4"`` in a file."""

    of: str
    times: int = 1
    parts: int = 1

    def __str__(self) -> str:
        return self.of + (f" * {self.times}" if self.times != 1 else "") + (f" / {self.parts}" if self.parts != 1 else "")


Value = int | Relative


@dataclass(frozen=True)
class Axis:
    """A parameter that varies, and what it may be."""

    name: str
    options: tuple[Value, ...]


@dataclass(frozen=True)
class DesignSpace:
    """Configurations: ``base`` with the ``axes``' parameters changed.

    Attributes
    ----------
    fixed : parameters that the file sets, or ties to others.
    limits : the most of each kind of area that a point may take, by its name in the file.
    clock_mhz : of all points, if the file says so.
    """

    base: SystolicParams
    fixed: Mapping[str, Value]
    axes: tuple[Axis, ...]
    limits: Mapping[str, float] = field(default_factory=dict)
    clock_mhz: float | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(axis.options) for axis in self.axes)

    @property
    def size(self) -> int:
        """How many choices there are, valid or not."""
        return math.prod(self.sizes)

    @cached_property
    def signature(self) -> str:
        """A hash of all that says what a choice means."""
        said = [self.base.to_dict() | {"name": ""}, {k: str(v) for k, v in self.fixed.items()},
                [(a.name, [str(o) for o in a.options]) for a in self.axes], dict(self.limits), self.clock_mhz]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]

    def params(self, choice: Choice) -> SystolicParams:
        """The hardware of a choice. Its name is made of its parameters, so that two studies call the same hardware the same.

        Raises
        ------
        ParameterError
            If these values do not fit each other.
        """
        values = self.base.to_dict()
        said = dict(self.fixed) | {axis.name: axis.options[k] for axis, k in zip(self.axes, choice, strict=True)}
        values |= _resolved(values, said)
        del values["name"]
        if "cols" in said and "lanes" not in said:
            del values["lanes"]
        found = SystolicParams.from_dict(values | {"name": "explored"})
        digest = hashlib.sha256(json.dumps(found.to_dict()).encode()).hexdigest()[:8]
        return SystolicParams.from_dict(found.to_dict() | {"name": f"explored_{digest}"})

    def valid(self, choice: Choice) -> bool:
        """Whether the values of a choice fit each other, and the limits by the area model."""
        try:
            params = self.params(choice)
        except ParameterError:
            return False
        if not self.limits:
            return True
        counts = area_model().predict(params).total.counts
        return all(_limited(name, counts) <= most for name, most in self.limits.items())

    def choices(self) -> Iterator[Choice]:
        """All valid choices, in order."""
        return filter(self.valid, itertools.product(*(range(n) for n in self.sizes)))

    @cached_property
    def listed(self) -> tuple[Choice, ...] | None:
        """All valid choices, or None if there are too many choices to list."""
        return tuple(self.choices()) if self.size <= _LISTED else None

    def draw(self, rng: np.random.Generator) -> Choice:
        """A valid choice at random.

        Raises
        ------
        ParameterError
            If none is found.
        """
        for _ in range(_DRAWS):
            choice = tuple(int(rng.integers(n)) for n in self.sizes)
            if self.valid(choice):
                return choice
        raise ParameterError(f"no point of {_DRAWS:,} that were drawn is valid: {self._why()}")

    def near(self, choice: Choice) -> Iterator[Choice]:
        """Valid choices that differ in one axis by one option, or in two axes by one option each."""
        steps = [(k, d) for k in range(len(choice)) for d in (-1, 1) if 0 <= choice[k] + d < self.sizes[k]]
        for moved in itertools.chain(((s,) for s in steps), itertools.combinations(steps, 2)):
            if len({k for k, _ in moved}) < len(moved):
                continue
            there = list(choice)
            for k, d in moved:
                there[k] += d
            if self.valid(tuple(there)):
                yield tuple(there)

    def check(self) -> None:
        """Refuses a space without a single valid point.

        Raises
        ------
        ParameterError
            With the reason of the first choice.
        """
        if self.listed is None:
            self.draw(np.random.default_rng(0))
        elif not self.listed:
            raise ParameterError(f"no point of the space is valid: {self._why()}")

    def _why(self) -> str:
        try:
            self.params(tuple(0 for _ in self.axes))
        except ParameterError as error:
            return str(error)
        return "by the area model, none is within the limits"


def read_space(path: Path) -> DesignSpace:
    """The space that a TOML file describes: a configuration where any parameter may be a list of values, or ``{low = 8, high = 32}``
    (powers of two or all integers in between, as the parameter has them); a value may follow another parameter: ``"rows"``,
    ``"cols / 4"``. ``[limit]`` bounds the area that the area model predicts, as one number or by kind of cells.

    Raises
    ------
    ParameterError
        One line that names the file, the key, and what it may be.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"{path}: is not TOML: {error}") from None
    try:
        space = _space(values)
        space.check()
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from None
    return space


def _space(values: dict[str, object]) -> DesignSpace:
    name = values.pop("preset", None)
    if name is not None and (not isinstance(name, str) or name not in PRESETS):
        raise ParameterError(f"preset must be one of {', '.join(PRESETS)}, not {name!r}")
    base = preset(name) if name is not None else SystolicParams()
    clock = values.pop("clock_mhz", None)
    low, high = MHZ_RANGE
    if clock is not None and (isinstance(clock, bool) or not isinstance(clock, int | float) or not low <= clock <= high):
        raise ParameterError(f"clock_mhz must be a number in {low}..{high}, not {clock!r}")
    bounds = _limits(values.pop("limit", {}))
    fixed: dict[str, Value] = {}
    axes: list[Axis] = []
    domains = SystolicParams.domains()
    for name, value in values.items():
        if name not in domains:
            near = difflib.get_close_matches(name, domains, n=1)
            raise ParameterError(f"{name!r} is not a parameter that can be explored" + (f"; did you mean {near[0]!r}?" if near else ""))
        options = _options(name, value)
        if len(options) == 1:
            fixed[name] = options[0]
        else:
            axes.append(Axis(name, options))
    if not axes:
        raise ParameterError("nothing varies: give a parameter a list of values, such as rows = [8, 16, 32]")
    space = DesignSpace(base, fixed, tuple(axes), bounds, None if clock is None else float(clock))
    if space.size > _MOST_POINTS:
        raise ParameterError(f"has {space.size:.0e} points; {_MOST_POINTS:.0e} are the most")
    _check_relations(space)
    return space


def _limited(name: str, counts: Mapping[str, float]) -> float:
    return area_number(counts) if name == _AREA else counts[name.replace("_", " ")]


def _limits(found: object) -> dict[str, float]:
    known = (_AREA, *(kind.replace(" ", "_") for kind in KINDS))
    if not isinstance(found, dict):
        raise ParameterError("limit must be a table, such as limit.LUT4 = 40000")
    for name, value in found.items():
        if name not in known:
            raise ParameterError(f"limit.{name} is not known; limits are {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise ParameterError(f"limit.{name} must be a number above 0, not {value!r}")
    return dict(found)


def _options(name: str, value: object) -> tuple[Value, ...]:
    """What a parameter may be: one value, a list, or a range."""
    domain = SystolicParams.domains()[name]
    if isinstance(value, dict):
        if sorted(value) != ["high", "low"]:
            raise ParameterError(f"{name}: a range is {{low = {domain.low}, high = {domain.high}}}, not {value}")
        for bound in value.values():
            domain.check(name, bound)
        low, high = value["low"], value["high"]
        if low > high:
            raise ParameterError(f"{name}: low must be at most high, not {low} and {high}")
        step = (lambda n: 2 * n) if domain.power_of_two else (lambda n: n + 1)
        value = []
        while low <= high:
            value.append(low)
            low = step(low)
    found = tuple(_value(name, item) for item in (value if isinstance(value, list) else [value]))
    if not found or len(set(found)) < len(found):
        raise ParameterError(f"{name}: must list different values, not {value}")
    return found


def _value(name: str, item: object) -> Value:
    if isinstance(item, str):
        parts = _RELATIVE.fullmatch(item)
        if parts is None or parts[1] not in SystolicParams.domains() or parts[1] == name or parts[3] == "0":
            raise ParameterError(f"{name}: {item!r} must be another parameter, or a multiple or part of one, such as \"cols / 4\"")
        number = int(parts[3]) if parts[3] else 1
        return Relative(parts[1], *((number, 1) if parts[2] == "*" else (1, number)))
    SystolicParams.domains()[name].check(name, item)
    return item


def _check_relations(space: DesignSpace) -> None:
    """Refuses parameters that follow each other in a circle."""
    said = {axis.name: axis.options for axis in space.axes} | {name: (value,) for name, value in space.fixed.items()}
    for name in said:
        seen, names = set(), {name}
        while names:
            seen |= names
            names = {o.of for n in names for o in said.get(n, ()) if isinstance(o, Relative)}
            if name in names:
                raise ParameterError(f"{name} follows a parameter that follows {name}")
            names -= seen


def _resolved(base: Mapping[str, object], said: Mapping[str, Value]) -> dict[str, int]:
    """Numbers for all that is said, each after those that it follows."""
    found: dict[str, int] = {}

    def number(name: str) -> int:
        value = said.get(name, base[name])
        if isinstance(value, Relative):
            product = number(value.of) * value.times
            if product % value.parts:
                raise ParameterError(f"{name}: {value} is no integer where {value.of} is {number(value.of)}")
            return product // value.parts
        return value

    for name in said:
        found[name] = number(name)
    return found
