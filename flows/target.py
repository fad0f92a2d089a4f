"""What a network is compiled for: a configuration of our hardware, or a covenant alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tenon.acg.errors import CovenantError
from tenon.acg.graph import Graph as Covenant
from tenon.flows.errors import UserError
from tenon.hw.config import Configuration, read_config
from tenon.hw.params import SystolicParams
from tenon.tb.gateware import graph_of

__all__ = ["Target", "read_covenant", "read_target", "target_of"]


@dataclass(frozen=True)
class Target:
    """``configuration`` is None for a machine of which nothing but its covenant is there: it can be simulated, but not in RTL."""

    covenant: Covenant
    configuration: Configuration | None = None

    @property
    def params(self) -> SystolicParams | None:
        return self.configuration.params if self.configuration else None

    def in_rtl(self) -> SystolicParams:
        """Its parameters.

        Raises
        ------
        UserError
            If there is no RTL of it.
        """
        if self.configuration is None:
            raise UserError(f"there is no RTL of {self.covenant.name}, which is a covenant alone: it can be compiled for, and simulated by "
                            "the functional simulator and the cycle model")
        return self.configuration.params


def target_of(params: SystolicParams) -> Target:
    """Our hardware with these parameters."""
    return Target(graph_of(params), Configuration(params))


def read_target(config: str) -> Target:
    """A preset's name, a TOML file, or a covenant's file (``.json``). Raises as ``read_config`` and ``read_covenant`` do."""
    if Path(config).suffix == ".json":
        return Target(read_covenant(Path(config)))
    configuration = read_config(config)
    return Target(graph_of(configuration.params), configuration)


def read_covenant(path: Path, *, sealed: bool = True) -> Covenant:
    """The covenant in a file; one that is not ``sealed`` need not say its fingerprint.

    Raises
    ------
    CovenantError
        If it is none; the message begins with the file.
    OSError
        If it cannot be read.
    """
    try:
        return Covenant.from_json(path.read_text(encoding="utf-8"), sealed=sealed)
    except (UnicodeDecodeError, CovenantError) as error:
        raise CovenantError(f"{path}: {error}") from None
