"""The constant segment. Constants are known by a digest; the bytes themselves are made when a program is written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Constants", "Digest", "digest_of"]


class Digest(NamedTuple):
    """What bytes are known by, and how many they are."""

    digest: bytes
    size: int


def digest_of(data: bytes) -> Digest:
    return Digest(hashlib.blake2b(data, digest_size=16).digest(), len(data))


class Constants:
    """The bytes of the constant segment."""

    def __init__(self, alignment: int = 64):
        self.alignment, self.size = alignment, 0
        self._parts: list[tuple[int, Callable[[], bytes]]] = []
        self._known: dict[Digest, int] = {}
        self._next = 1

    def put(self, data: bytes) -> int:
        """Offset of ``data`` in the segment; equal data are stored once."""
        return self.place(digest_of(data), lambda: data)

    def place(self, known_by: Digest, make: Callable[[], bytes]) -> int:
        """``put``, of what ``make`` gives."""
        if known_by not in self._known:
            self.size += -self.size % self._next
            self._next = 1
            self._known[known_by] = self.size
            self._parts.append((self.size, make))
            self.size += known_by.size + -known_by.size % self.alignment
        return self._known[known_by]

    def align(self, to: int) -> None:
        """What comes next, and is not there yet, begins at a multiple of ``to``."""
        self._next = to

    def bytes(self) -> bytes:
        whole = bytearray(self.size)
        for offset, make in self._parts:
            data = make()
            whole[offset:offset + len(data)] = data
        return bytes(whole)
