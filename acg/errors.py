"""What may be wrong with a covenant."""

__all__ = ["CovenantError"]


class CovenantError(ValueError):
    """A file that is not a covenant, or a graph that describes no machine; one line."""
