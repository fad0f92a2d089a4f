"""What a parameter may be, and the errors of those that are something else."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["Domain", "ParameterError", "check_domains", "check_names", "domains_of", "parameter"]


class ParameterError(ValueError):
    """A parameter outside its domain; the message names it, the rule and the value."""


@dataclass(frozen=True)
class Domain:
    """What a parameter may be: an integer in ``low..high``, a power of two if ``power_of_two``.

    Exploration draws from it, validation and the documentation quote it.
    """

    low: int
    high: int
    power_of_two: bool = False
    doc: str = ""

    def __str__(self) -> str:
        kind = "a power of two" if self.power_of_two else "an integer"
        return f"{kind} in {self.low}..{self.high}"

    def check(self, name: str, value: object) -> None:
        """Raises ParameterError unless ``value`` lies in the domain."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise ParameterError(f"{name} must be {self}, not {value!r}")
        if not self.low <= value <= self.high or (self.power_of_two and value & (value - 1)):
            raise ParameterError(f"{name} must be {self}, not {value}")


def parameter(default: int, low: int, high: int, doc: str, *, power_of_two: bool = False) -> int:
    """A dataclass's field with its domain."""
    return field(default=default, metadata={"domain": Domain(low, high, power_of_two, doc)})


def domains_of(kind: type) -> dict[str, Domain]:
    """Every integer parameter of a dataclass with its domain, in order of declaration."""
    return {f.name: f.metadata["domain"] for f in dataclasses.fields(kind) if "domain" in f.metadata}


def check_domains(parameters: object) -> None:
    """Raises ParameterError unless ``name`` is an identifier and every parameter lies in its domain."""
    if not isinstance(parameters.name, str) or not parameters.name.isidentifier():
        raise ParameterError(f"name must be an identifier, not {parameters.name!r}")
    for name, domain in domains_of(type(parameters)).items():
        domain.check(name, getattr(parameters, name))


def check_names(kind: type, names: Iterable[str]) -> None:
    """Raises ParameterError for a name that is none of a dataclass's fields, with the nearest one."""
    known = [f.name for f in dataclasses.fields(kind)]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            raise ParameterError(f"{name!r} is not a parameter of {kind.__name__}{hint}")
