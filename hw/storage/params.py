"""The parameters of a drive: one frozen, validated object that every component takes whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenon.hw.domain import Domain, ParameterError, check_domains, check_names, domains_of, parameter
from tenon.hw.params import SystolicParams

__all__ = ["METADATA_BYTES", "TRANSFER_PAGES", "UNIT_BYTES", "StorageParams"]

_KIB, _MIB = 1024, 1024 * 1024

UNIT_BYTES = 4096  # what the map maps, and a block of the NVM namespace is

TRANSFER_PAGES = 32  # of the host's memory, that the longest command moves: a power of two

#: Of each unit in its page's spare, under its code: block (6 bytes), sequence (6), CRC-32 (4).
METADATA_BYTES = 16

_FACTORY_MARK = 2  # bytes of the spare that stay as they are: a bad block is marked there
_RESERVED = 4  # blocks of each die: two that the newest checkpoint's place is kept in, one open for host data, one for what is moved
_LEAST_SPARE = 4  # superblocks beyond what the host sees and those that are open, for collection to go on


@dataclass(frozen=True, kw_only=True)
class StorageParams:
    """One drive. An instance that exists is valid.

    Raises
    ------
    ParameterError
        For a value outside its domain, or a geometry with no room for codes, metadata or spare blocks.
    """

    name: str = "custom"
    accelerator: SystolicParams = field(default_factory=lambda: SystolicParams(name="edge16"))
    host_bits: int = parameter(128, 32, 512, "data width of the AXI4 port to the host", power_of_two=True)
    queues: int = parameter(8, 1, 64, "pairs of I/O queues, beside the admin queue's")
    queue_entries: int = parameter(128, 16, 1024, "entries of a queue at most", power_of_two=True)
    slots: int = parameter(64, 16, 256, "commands in the drive at a time", power_of_two=True)
    channels: int = parameter(2, 1, 16, "flash buses", power_of_two=True)
    dies: int = parameter(2, 1, 16, "dies on each of them", power_of_two=True)
    planes: int = parameter(2, 1, 4, "planes of a die", power_of_two=True)
    page_bytes: int = parameter(8192, 4096, 16384, "data of a page", power_of_two=True)
    spare_bytes: int = parameter(448, 64, 2240, "bytes of a page beside its data")
    pages: int = parameter(64, 8, 4096, "pages of a block")
    blocks: int = parameter(64, 16, 4096, "blocks of a plane")
    flash_bytes_per_cycle: int = parameter(2, 1, 4, "what a flash bus moves in a cycle", power_of_two=True)
    read_ns: int = parameter(25_000, 100, 10**7, "from a page to its register: tR")
    program_ns: int = parameter(200_000, 100, 10**8, "from the register to the page: tPROG")
    erase_ns: int = parameter(1_600_000, 100, 10**9, "a block: tBERS")
    bch_bytes: int = parameter(512, 512, 1024, "data of a codeword", power_of_two=True)
    bch_t: int = parameter(8, 2, 40, "bits that a codeword corrects")
    spare_percent: int = parameter(14, 5, 50, "of the flash, that the host does not see")
    ram_blocks: int = parameter(0, 0, 1, "1: blocks lie in DRAM, and flash is not used")
    write_buffer_units: int = parameter(64, 8, 4096, "units in DRAM on their way to flash", power_of_two=True)
    slm_bytes: int = parameter(16 * _MIB, 64 * _KIB, 1024 * _MIB, "the memory namespace", power_of_two=True)
    program_slots: int = parameter(4, 1, 16, "programs loaded at a time")
    program_bytes: int = parameter(_MIB, 64 * _KIB, 64 * _MIB, "of a program at most", power_of_two=True)
    arena_bytes: int = parameter(_MIB, 64 * _KIB, 64 * _MIB, "memory for intermediate tensors, for range sets without", power_of_two=True)
    range_sets: int = parameter(8, 1, 64, "memory range sets")
    share: int = parameter(8, 2, 64, "one of so many grants of DRAM is the accelerator's, whoever else asks")
    burst_bytes: int = parameter(256, 64, 4096, "longest burst in DRAM: what a read waits for", power_of_two=True)
    holdup_ns: int = parameter(0, 0, 20_000_000, "how long power lasts once it fails")

    def __post_init__(self) -> None:
        check_domains(self)
        if not isinstance(self.accelerator, SystolicParams):
            raise ParameterError(f"accelerator must be the parameters of one, not {self.accelerator!r}")
        if self.accelerator.address_bits != 32:
            raise ParameterError(f"accelerator must have 32 address bits, not {self.accelerator.address_bits}")
        if self.parity_bytes + self.metadata_bytes + _FACTORY_MARK > self.spare_bytes:
            raise ParameterError(
                f"spare_bytes must hold {self.parity_bytes} bytes of parity ({self.codewords} codewords), {self.metadata_bytes} of "
                f"metadata and {_FACTORY_MARK} that stay free, not {self.spare_bytes}")
        spare = self.blocks * self.planes - self.visible_blocks - _RESERVED * self.planes
        if spare < _LEAST_SPARE * self.planes:
            raise ParameterError(
                f"blocks must leave {_LEAST_SPARE} of each plane beside {_RESERVED} that are in use and those that the host sees: "
                f"more than {self.blocks}, or a larger spare_percent than {self.spare_percent}")

    @classmethod
    def domains(cls) -> dict[str, Domain]:
        """Every integer parameter with its domain, in order of declaration."""
        return domains_of(cls)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> StorageParams:
        """Builds parameters from a mapping, ``accelerator`` from one in it; an unknown key is refused with the nearest name."""
        check_names(cls, values)
        values = dict(values)
        if isinstance(values.get("accelerator"), Mapping):
            values["accelerator"] = SystolicParams.from_dict(values["accelerator"])
        return cls(**values)

    def to_dict(self) -> dict[str, object]:
        return {**{name: getattr(self, name) for name in ("name", *self.domains())}, "accelerator": self.accelerator.to_dict()}

    @property
    def memory_bits(self) -> int:
        """Data width of the device's DRAM: the accelerator's."""
        return self.accelerator.bus_bits

    @property
    def pairs(self) -> int:
        """Of queues, the admin queue's among them."""
        return self.queues + 1

    @property
    def vectors(self) -> int:
        """Interrupts: one for each completion queue."""
        return self.pairs

    # The code: over GF(2**m), shortened.

    @property
    def unit_parts(self) -> int:
        """Codewords of a unit."""
        return UNIT_BYTES // self.bch_bytes

    @property
    def codewords(self) -> int:
        """Of a page."""
        return self.page_bytes // self.bch_bytes

    @property
    def protected_bytes(self) -> int:
        """Of the longest codeword, a unit's last: data, and the unit's metadata."""
        return self.bch_bytes + METADATA_BYTES

    @property
    def field_bits(self) -> int:
        """m: the least whose codewords are long enough."""
        return next(m for m in range(8, 17) if 8 * (self.protected_bytes + _whole(m * self.bch_t, self.flash_bytes_per_cycle)) < 1 << m)

    @property
    def codeword_parity_bytes(self) -> int:
        """Whole words of the flash bus."""
        return _whole(self.field_bits * self.bch_t, self.flash_bytes_per_cycle)

    @property
    def parity_bytes(self) -> int:
        """Of a page."""
        return self.codewords * self.codeword_parity_bytes

    @property
    def metadata_bytes(self) -> int:
        """Of a page."""
        return self.page_bytes // UNIT_BYTES * METADATA_BYTES

    @property
    def address_bits(self) -> int:
        """Of the device's memory."""
        return 36

    # Geometry. A superblock is the same block of all planes of all dies.

    @property
    def all_dies(self) -> int:
        return self.channels * self.dies

    @property
    def page_units(self) -> int:
        """Units of a page."""
        return self.page_bytes // UNIT_BYTES

    @property
    def block_units(self) -> int:
        """Units of a block."""
        return self.pages * self.page_units

    @property
    def raw_units(self) -> int:
        """Units of all flash."""
        return self.all_dies * self.planes * self.blocks * self.block_units

    @property
    def units(self) -> int:
        """Units that the host sees: blocks of the NVM namespace."""
        return self.raw_units * (100 - self.spare_percent) // 100

    @property
    def visible_blocks(self) -> int:
        """Blocks of a die that hold as much as the host sees of it."""
        return math.ceil(self.units / (self.all_dies * self.block_units))

    @property
    def map_bytes(self) -> int:
        """Of the map in DRAM: an entry of four bytes for each unit."""
        return 4 * self.units


def _whole(bits: int, word_bytes: int) -> int:
    """Bytes of so many bits, in whole words."""
    return -(-bits // (8 * word_bytes)) * word_bytes
