"""Bit streams beside data, a bus word at a time: the scrambler's key stream, and CRC-32."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Value

from tenon.hw.storage.flash.field import Matrix, apply

__all__ = ["CRC_BITS", "KEY_BITS", "crc_of", "crc_step", "key_of", "key_step", "seeded"]

KEY_BITS = 32
CRC_BITS = 32

_TAPS = 0x8020_0003  # x**32 + x**22 + x**2 + x + 1, primitive (Ward and Molteno, Table of Linear Feedback Shift Registers)
_CRC = 0xEDB8_8320  # of IEEE 802.3, least significant bit first
_SPREAD = 0x9E37_79B1  # odd: different pages have different seeds


def _key_steps(state: int, count: int) -> tuple[int, int]:
    """(the state later, bits of the stream: the first one lowest)."""
    stream = 0
    for k in range(count):
        stream |= (state & 1) << k
        state = state >> 1 ^ (_TAPS if state & 1 else 0)
    return state, stream


def key_of(seed: int, size: int) -> bytes:
    """``size`` bytes of the stream."""
    return _key_steps(seed, 8 * size)[1].to_bytes(size, "little")


def seeded(place):
    """The stream's first state for a unit at this place, a number or a value of gateware; never zero."""
    if isinstance(place, int):
        return (place * _SPREAD & (1 << KEY_BITS - 1) - 1) << 1 | 1
    return Cat(Const(1, 1), (place * _SPREAD)[:KEY_BITS - 1])


def _matrix(columns: list[int], rows: int) -> Matrix:
    return tuple(sum((column >> row & 1) << k for k, column in enumerate(columns)) for row in range(rows))


def key_step(width: int) -> tuple[Matrix, Matrix]:
    """The state after a word, and the word: of the state."""
    steps = [_key_steps(1 << k, width) for k in range(KEY_BITS)]
    return _matrix([s for s, _ in steps], KEY_BITS), _matrix([w for _, w in steps], width)


def _crc_steps(state: int, word: int, count: int) -> int:
    for k in range(count):
        state = state >> 1 ^ (_CRC if (state ^ word >> k) & 1 else 0)
    return state


def crc_of(data: bytes) -> int:
    """As ``zlib.crc32``, without its inversion at the end."""
    state = (1 << CRC_BITS) - 1
    for byte in data:
        state = _crc_steps(state, byte, 8)
    return state


def crc_step(state: Value, word: Value) -> Value:
    """The state after a word."""
    width = len(word)
    of_state = _matrix([_crc_steps(1 << k, 0, width) for k in range(CRC_BITS)], CRC_BITS)
    of_word = _matrix([_crc_steps(0, 1 << k, width) for k in range(width)], CRC_BITS)
    return apply(of_state, state) ^ apply(of_word, word)
