"""The parameters of the systolic family: one frozen, validated object that every component takes whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from tenon.hw.domain import Domain, ParameterError, check_domains, check_names, domains_of, parameter

__all__ = ["Domain", "ParameterError", "SystolicParams"]


@dataclass(frozen=True, kw_only=True)
class SystolicParams:
    """One accelerator of the systolic family. An instance that exists is valid.

    Raises
    ------
    ParameterError
        For a value outside its domain, or values that do not fit each other.
    """

    name: str = "custom"
    rows: int = parameter(16, 4, 128, "processing elements along the reduction", power_of_two=True)
    cols: int = parameter(16, 4, 128, "processing elements along output channels", power_of_two=True)
    lanes: int = parameter(16, 1, 128, "binary32 lanes of VECTOR: cols, a half or a quarter of it", power_of_two=True)
    bus_bits: int = parameter(128, 32, 512, "data width of the AXI4 port", power_of_two=True)
    address_bits: int = parameter(32, 32, 40, "address width of the AXI4 port")
    axi_prot: int = parameter(0, 0, 7, "AxPROT of every request: 1 privileged, 2 non-secure, 4 instruction")
    axi_cache: int = parameter(3, 0, 15, "AxCACHE of every request: 3 lets the interconnect buffer, merge and split")
    axi_qos: int = parameter(0, 0, 15, "AxQOS of every request")
    activation_bytes: int = parameter(128 * 1024, 1024, 2**20, "activation buffer", power_of_two=True)
    weight_bytes: int = parameter(128 * 1024, 1024, 2**20, "weight buffer", power_of_two=True)
    weight_ports: int = parameter(2, 1, 2, "ports of the weight buffer's memory: 2 read and write in a cycle; with 1 LOAD waits for reads")
    accumulator_bytes: int = parameter(64 * 1024, 1024, 2**22, "accumulators (int32), all banks", power_of_two=True)
    accumulator_banks: int = parameter(2, 2, 4, "banks of the accumulators; with 4 every engine can have one of its own",
                                       power_of_two=True)
    vector_bytes: int = parameter(64 * 1024, 1024, 2**20, "vector buffer, all four banks", power_of_two=True)
    parameter_bytes: int = parameter(16 * 1024, 1024, 2**20, "per-channel constants", power_of_two=True)
    window_taps: int = parameter(3, 0, 4, "multipliers in each lane of WINDOW; 0: no WINDOW")
    tables: int = parameter(4, 1, 64, "byte tables of 256 entries", power_of_two=True)
    queue_depth: int = parameter(8, 4, 32, "instructions that wait for each engine, beside the next one", power_of_two=True)
    max_outstanding: int = parameter(32, 16, 64, "bursts in flight of LOAD, and of STORE", power_of_two=True)
    burst_beats: int = parameter(64, 4, 256, "longest burst, in beats", power_of_two=True)
    markers: int = parameter(256, 16, 4096, "time stamps", power_of_two=True)
    product_register: int = parameter(0, 0, 1, "1: a register between a cell's multiplier and its adder, as multipliers of FPGAs have it")
    accumulator_register: int = parameter(0, 0, 1, "1: what MATRIX's sums start from comes out of a register, as slow block RAM wants it")
    clock_gating: int = parameter(1, 0, 1, "1: an idle engine's clock stands still; 0: clocks are wires, as FPGAs want them")

    def __post_init__(self) -> None:
        check_domains(self)
        if self.lanes not in (self.cols, self.cols // 2, self.cols // 4):
            choices = f"{self.cols}, {self.cols // 2} or {self.cols // 4}"
            raise ParameterError(f"lanes must be cols, a half or a quarter of it ({choices}), not {self.lanes}")
        narrow = self.window_lanes if self.window_taps else self.block  # lanes of the narrowest word
        for memory, words in (("activation_bytes", self.activation_bytes // min(self.rows, self.cols)),
                              ("weight_bytes", self.weight_bytes // min(self.cols, narrow)),
                              ("accumulator_bytes", self.accumulator_bytes // (4 * min(self.cols, narrow))),
                              ("vector_bytes", self.vec_words)):
            if words > 2**16:
                raise ParameterError(f"{memory} must give at most 65536 words, not {words}: "
                                     f"an instruction addresses words by 16 bits")
        for memory, words, least in (("activation_bytes", self.act_words, 4 * self.block),
                                     ("weight_bytes", self.wgt_words, 4 * self.rows),
                                     ("accumulator_bytes", self.acc_words, 2 * self.rows),
                                     ("vector_bytes", self.vec_words, 16),
                                     ("parameter_bytes", self.par_words, 16)):
            if words < least:
                raise ParameterError(f"{memory} must hold at least {least} words for this array, not {words}")

    @classmethod
    def domains(cls) -> dict[str, Domain]:
        """Every integer parameter with its domain, in order of declaration."""
        return domains_of(cls)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> SystolicParams:
        """Builds parameters from a mapping; an unknown key is refused with the nearest name.

        ``lanes`` follows ``cols`` unless given.
        """
        check_names(cls, values)
        values = dict(values)
        if "lanes" not in values and isinstance(values.get("cols"), int):
            values["lanes"] = values["cols"]
        return cls(**values)

    def to_dict(self) -> dict[str, object]:
        return dataclasses.asdict(self)

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        rows = "".join(f"<tr><td>{name}</td><td>{getattr(self, name):,}</td><td>{domain.doc}</td></tr>"
                       for name, domain in self.domains().items())
        return f"<table><caption>{self.name}</caption>{rows}</table>"

    tokens = 16  # counting tokens; the instruction header has one mask bit for each

    @property
    def bus_bytes(self) -> int:
        return self.bus_bits // 8

    @property
    def line_bytes(self) -> int:
        """Physical line of the byte memories: every port's word is a part of it."""
        return max(self.rows, self.cols, self.bus_bytes)

    @property
    def block(self) -> int:
        """Channels per block of a tensor's private layout: whole words of both ``rows`` and ``cols``."""
        return max(self.rows, self.cols)

    @property
    def window_lanes(self) -> int:
        """Lanes of WINDOW, which sees every memory in words of as many elements: a part of its words."""
        return min(self.rows, self.cols)

    @property
    def peak_macs_per_cycle(self) -> int:
        return self.rows * self.cols

    @property
    def act_words(self) -> int:
        """Words of ``rows`` bytes in the activation buffer."""
        return self.activation_bytes // self.rows

    @property
    def wgt_words(self) -> int:
        """Words of ``cols`` bytes in the weight buffer."""
        return self.weight_bytes // self.cols

    @property
    def acc_words(self) -> int:
        """Words of ``cols`` int32 in the accumulators."""
        return self.accumulator_bytes // (4 * self.cols)

    @property
    def vec_words(self) -> int:
        """Words of ``cols`` bytes in the vector buffer."""
        return self.vector_bytes // self.cols

    @property
    def par_words(self) -> int:
        """Words of ``cols`` 32-bit constants."""
        return self.parameter_bytes // (4 * self.cols)
