"""All properties, by name."""

from tenon.tb.formal import token_properties
from tenon.tb.formal.prop import Property

__all__ = ["PROPERTIES"]

_SUBJECTS = (token_properties,)

PROPERTIES: dict[str, Property] = {prop.name: prop for subject in _SUBJECTS for prop in subject.PROPERTIES}
