"""Buffers of commands: pages anywhere, described by entries and lists of entries (NVM Express Base Specification 2.2, section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from tenon.hw.storage.nvme.entries import PRP_ENTRY_BYTES
from tenon.hw.storage.prp import PAGE_BYTES
from tenon.tb.drive.memory import HostMemory

__all__ = ["Buffer"]

_LIST_ENTRIES = PAGE_BYTES // PRP_ENTRY_BYTES


@dataclass
class Buffer:
    """``size`` bytes in the host's memory that one command moves.

    Parameters
    ----------
    offset : int, optional
        Of the first byte in its page; at random, a multiple of four, if not given.
    """

    memory: HostMemory
    size: int
    offset: int | None = None
    prp1: int = 0
    prp2: int = 0
    pieces: list[tuple[int, int]] = field(default_factory=list)  # (address, bytes)
    lists: list[tuple[int, int]] = field(default_factory=list)
    _pages: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = self.memory.random
        if self.offset is None:
            self.offset = rng.choice([0, 0, 4 * rng.randrange(PAGE_BYTES // 4)])
        at, left = self._page() + self.offset, self.size
        while left:
            here = min(left, PAGE_BYTES - at % PAGE_BYTES)
            self.pieces.append((at, here))
            left -= here
            at = self._page() if left else 0
        self.prp1 = self.pieces[0][0]
        rest = [address for address, _ in self.pieces[1:]]
        if len(rest) == 1:
            self.prp2 = rest[0]
        elif rest:
            self.prp2 = self._listed(rest)

    def _page(self) -> int:
        self._pages.append(self.memory.page())
        return self._pages[-1]

    def _listed(self, entries: list[int]) -> int:
        """Writes the list, from somewhere in a page on; where the page ends, its last entry is the next one's address."""
        first = self.memory.random.choice([0, 0, _LIST_ENTRIES - 1 - self.memory.random.randrange(4),
                                           self.memory.random.randrange(_LIST_ENTRIES)])
        begin = at = self._page() + PRP_ENTRY_BYTES * first
        while entries:
            room = (PAGE_BYTES - at % PAGE_BYTES) // PRP_ENTRY_BYTES
            here = entries if len(entries) <= room else entries[:room - 1]
            entries = entries[len(here):]
            following = [self._page()] if entries else []
            text = b"".join(address.to_bytes(PRP_ENTRY_BYTES, "little") for address in (*here, *following))
            self.memory.write(at, text)
            self.lists.append((at, len(text)))
            at = following[0] if following else 0
        return begin

    def fill(self, data: bytes) -> Buffer:
        """The host writes its data into it."""
        for address, size in self.pieces:
            self.memory.write(address, data[:size])
            data = data[size:]
        return self

    def data(self) -> bytes:
        return b"".join(self.memory.read(address, size) for address, size in self.pieces)

    def allow(self, data: int, lists: int) -> None:
        """What the drive may do with the data, and with the lists."""
        for where, rights in ((self.pieces, data), (self.lists, lists)):
            for address, size in where:
                self.memory.allow(address, size, rights)

    def release(self) -> None:
        """Gives the pages back; the drive may not touch them any more."""
        self.allow(0, 0)
        for page in self._pages:
            self.memory.give_back(page)
        self._pages.clear()
