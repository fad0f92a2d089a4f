"""The host's memory as its software has it: arenas of pages, and what the drive may do with each byte."""

from __future__ import annotations

import mmap
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tenon.hw.storage.prp import PAGE_BYTES

__all__ = ["MESSAGES", "READ", "WRITE", "Arena", "HostMemory", "lay_out"]

READ, WRITE = 1, 2  # what the drive may do

#: The page that interrupts are written to: a vector's message goes to four bytes of it.
MESSAGES = 0xFEE0_0000


@dataclass(frozen=True)
class Arena:
    """``pages`` pages of memory from ``base`` on."""

    base: int
    pages: int

    @property
    def size(self) -> int:
        return self.pages * PAGE_BYTES


def lay_out(folder: Path, arenas: Sequence[Arena]) -> list[str]:
    """Makes the files that both sides map; returns what the simulator has to be told."""
    total = sum(arena.size for arena in arenas)
    for name in ("memory", "rights"):
        with (folder / f"host_{name}.bin").open("wb") as file:
            file.truncate(total)
    told = ":".join(f"{arena.base:x},{arena.size:x}" for arena in arenas)
    return [f"+host_memory={folder / 'host_memory.bin'}", f"+host_rights={folder / 'host_rights.bin'}", f"+host_arenas={told}",
            f"+host_messages={MESSAGES:x}"]


class HostMemory:
    """Bytes by address. Pages are given out at random, so that no drive can rely on their order.

    Parameters
    ----------
    folder : Path
        Where ``lay_out`` made the files.
    """

    def __init__(self, folder: Path, arenas: Sequence[Arena], seed: int = 1):
        self.arenas, self.random = tuple(arenas), random.Random(seed)
        self._bytes, self._rights = (self._mapped(folder / f"host_{name}.bin") for name in ("memory", "rights"))
        pages = [a.base + PAGE_BYTES * k for a in self.arenas for k in range(a.pages)]
        self._free = [page for page in pages if page != MESSAGES]
        self.random.shuffle(self._free)

    @staticmethod
    def _mapped(path: Path) -> np.ndarray:
        with path.open("r+b") as file:
            return np.frombuffer(mmap.mmap(file.fileno(), 0), np.uint8)

    def page(self) -> int:
        """A page's address; it is nobody else's until it is given back."""
        return self._free.pop()

    def pages(self, count: int) -> int:
        """The first of ``count`` pages in a row."""
        free = set(self._free)
        for page in self._free:
            wanted = [page + PAGE_BYTES * k for k in range(count)]
            if all(p in free for p in wanted):
                self._free = [p for p in self._free if p not in wanted]
                return page
        raise MemoryError(f"{count} pages in a row are not free")

    def give_back(self, page: int) -> None:
        self._free.insert(self.random.randrange(len(self._free) + 1), page)

    def _at(self, address: int, size: int) -> slice:
        start = 0
        for arena in self.arenas:
            if 0 <= address - arena.base and address + size <= arena.base + arena.size:
                begin = start + address - arena.base
                return slice(begin, begin + size)
            start += arena.size
        raise IndexError(f"the host has no memory at {address:#x} (+{size})")

    def read(self, address: int, size: int) -> bytes:
        return self._bytes[self._at(address, size)].tobytes()

    def write(self, address: int, data: bytes) -> None:
        self._bytes[self._at(address, len(data))] = np.frombuffer(data, np.uint8)

    def allow(self, address: int, size: int, rights: int) -> None:
        """The drive may do this with these bytes now, and nothing else; 0: nothing."""
        self._rights[self._at(address, size)] = rights
