"""Mappings: what was decided about each layer, as plain values that can be stored and replayed."""

from __future__ import annotations

import json
from collections.abc import Mapping as Mapped
from dataclasses import dataclass, field

from tenon.compiler.errors import CompileError

__all__ = ["Mapping", "NetworkMapping"]


@dataclass(frozen=True)
class Mapping:
    """One option of each choice that a layer's ``Space`` offers, by the choice's name."""

    choices: Mapped[str, int | str]

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.choices.items())))


@dataclass(frozen=True)
class NetworkMapping:
    """A mapping for each layer, by the layer's name."""

    layers: Mapped[str, Mapping] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps({name: dict(m.choices) for name, m in self.layers.items()}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> NetworkMapping:
        """The mapping that ``to_json`` wrote.

        Raises
        ------
        CompileError
            If the text is no mapping.
        """
        try:
            return cls({str(name): Mapping(dict(choices)) for name, choices in json.loads(text).items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise CompileError(f"not a mapping: {error}") from None
