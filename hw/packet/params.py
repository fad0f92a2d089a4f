"""The parameters of the packet family."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from tenon.hw.domain import Domain, ParameterError, check_domains, check_names, domains_of, parameter

__all__ = ["VectorParams"]


@dataclass(frozen=True, kw_only=True)
class VectorParams:
    """One vector machine of the packet family. An instance that exists is valid.

    Raises
    ------
    ParameterError
        For a value outside its domain, or values that do not fit each other.
    """

    name: str = "custom"
    lanes: int = parameter(32, 16, 128, "lanes of four multipliers each", power_of_two=True)
    float_lanes: int = parameter(16, 4, 128, "binary32 lanes: lanes, a half or a quarter of them", power_of_two=True)
    spm_bytes: int = parameter(256 * 1024, 8 * 1024, 2**20, "scratchpad", power_of_two=True)
    registers: int = parameter(32, 8, 32, "vector registers, of four bytes a lane", power_of_two=True)
    quads: int = parameter(16, 4, 16, "scalar registers of 16 bytes", power_of_two=True)
    tables: int = parameter(2, 1, 4, "byte tables of 256 entries", power_of_two=True)
    bus_bits: int = parameter(128, 32, 512, "data width of the AXI4 port", power_of_two=True)
    address_bits: int = parameter(32, 32, 40, "address width of the AXI4 port")
    streams: int = parameter(16, 8, 32, "address streams", power_of_two=True)
    loops: int = parameter(8, 4, 8, "nested loops", power_of_two=True)
    program_packets: int = parameter(1024, 256, 4096, "packets that the program buffer keeps", power_of_two=True)
    max_outstanding: int = parameter(32, 16, 64, "bursts in flight of LOAD, and of STORE", power_of_two=True)
    burst_beats: int = parameter(64, 4, 256, "longest burst, in beats", power_of_two=True)
    dma_depth: int = parameter(8, 2, 32, "transfers of LOAD, and of STORE, that are started and have not ended", power_of_two=True)
    markers: int = parameter(256, 16, 4096, "time stamps", power_of_two=True)

    def __post_init__(self) -> None:
        check_domains(self)
        if self.float_lanes not in (self.lanes, self.lanes // 2, self.lanes // 4):
            choices = f"{self.lanes}, {self.lanes // 2} or {self.lanes // 4}"
            raise ParameterError(f"float_lanes must be lanes, a half or a quarter of them ({choices}), not {self.float_lanes}")
        if self.spm_bytes < 64 * self.lanes * 4:
            held = self.spm_bytes // (4 * self.lanes)
            raise ParameterError(f"spm_bytes must hold at least 64 vectors of {4 * self.lanes} bytes, not {held}")

    @classmethod
    def domains(cls) -> dict[str, Domain]:
        """Every integer parameter with its domain, in order of declaration."""
        return domains_of(cls)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> VectorParams:
        """Builds parameters from a mapping; an unknown key is refused with the nearest name. ``float_lanes`` are half of ``lanes`` unless
        given."""
        check_names(cls, values)
        values = dict(values)
        if "float_lanes" not in values and isinstance(values.get("lanes"), int):
            values["float_lanes"] = max(values["lanes"] // 2, 4)
        return cls(**values)

    def to_dict(self) -> dict[str, object]:
        return dataclasses.asdict(self)

    @property
    def bus_bytes(self) -> int:
        return self.bus_bits // 8

    @property
    def peak_macs_per_cycle(self) -> int:
        return 4 * self.lanes
