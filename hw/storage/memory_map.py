"""What lies where in the device's memory."""

from __future__ import annotations

from dataclasses import dataclass

from tenon.hw.storage.params import TRANSFER_PAGES, UNIT_BYTES, StorageParams

__all__ = ["MOVED_UNITS", "MemoryMap", "Region", "memory_map"]

MOVED_UNITS = 8  # by collection at a time
_ALIGNMENT = 4096


@dataclass(frozen=True)
class Region:
    """``size`` bytes from ``base`` on."""

    name: str
    base: int
    size: int
    doc: str

    @property
    def end(self) -> int:
        return self.base + self.size


@dataclass(frozen=True)
class MemoryMap:
    """Regions in order of their addresses; they do not overlap, and each begins at a multiple of 4 KiB."""

    regions: tuple[Region, ...]

    def __getitem__(self, name: str) -> Region:
        for region in self.regions:
            if region.name == name:
                return region
        raise KeyError(f"the device's memory has no region {name!r}")

    @property
    def size(self) -> int:
        """Of the whole memory in bytes."""
        return self.regions[-1].end


def memory_map(params: StorageParams) -> MemoryMap:
    """The regions of a drive's memory. What the processor reads and writes itself comes first: it reaches the first gigabyte."""
    sizes = {
        "ANSWERS": (params.slots * 2 * UNIT_BYTES, "what firmware answers: 8 KiB for each slot"),
        "PROGRAMS": (params.program_slots * params.program_bytes, "programs that were loaded"),
        "ARENA": (params.arena_bytes, "intermediate tensors of the program that runs, if its range set has no place for them"),
        "SLM": (params.slm_bytes, "the memory namespace"),
        "MAP": (4 * params.units, "of each block, the unit of flash (or of BLOCKS) that has it, and one; 0: none"),
        **({"BLOCKS": (params.units * UNIT_BYTES, "units of the NVM namespace")} if params.ram_blocks else {
            "BUFFERS": (params.slots * TRANSFER_PAGES * UNIT_BYTES, "a command's blocks on their way to flash or from it"),
            "MOVING": (MOVED_UNITS * UNIT_BYTES, "units that collection moves"),
            "OWNERS": (4 * params.raw_units, "of each unit of flash, the block that was written there, and one; 0: none"),
        }),
    }
    regions, base = [], 0
    for name, (size, doc) in sizes.items():
        regions.append(Region(name, base, size, doc))
        base += -(-size // _ALIGNMENT) * _ALIGNMENT
    return MemoryMap(tuple(regions))
