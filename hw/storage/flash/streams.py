"""Bit streams beside data, a bus word at a time: the scrambler's key stream, and CRC-32."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Value

from tenon.hw.storage.flash.linear import Linear

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


def key_step(state: Value, width: int) -> tuple[Value, Value]:
    """(the state after a word of the stream, the word)."""
    later = Linear.of(lambda value: _key_steps(value, width)[0], KEY_BITS, KEY_BITS)
    word = Linear.of(lambda value: _key_steps(value, width)[1], KEY_BITS, width)
    return later(state), word(state)


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
    mixed = Linear.of(lambda value: _crc_steps(value, 0, width), width, CRC_BITS)  # words are no wider than the state
    return state[width:] ^ mixed(state[:width] ^ word)
