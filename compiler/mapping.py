"""Mappings: what was decided about each layer and about tensors between them, as plain values that can be stored and replayed."""

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
    """A mapping for each layer, by the layer's name, and where tensors are to be between layers, by theirs (``Network.places``)."""

    layers: Mapped[str, Mapping] = field(default_factory=dict)
    places: Mapped[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        layers = {name: dict(m.choices) for name, m in self.layers.items()}
        return json.dumps({"layers": layers} | ({"tensors": dict(self.places)} if self.places else {}), indent=1)

    @classmethod
    def from_json(cls, text: str) -> NetworkMapping:
        """The mapping that ``to_json`` wrote.

        Raises
        ------
        CompileError
            If the text is no mapping.
        """
        try:
            found = json.loads(text)
            return cls({str(name): Mapping(dict(choices)) for name, choices in found["layers"].items()},
                       {str(name): str(place) for name, place in found.get("tensors", {}).items()})
        except KeyError:
            raise CompileError("not a mapping: it has no layers") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise CompileError(f"not a mapping: {error}") from None
