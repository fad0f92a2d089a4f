"""GF(2**m), and binary BCH codes over it (Lin and Costello, Error Control Coding, chapter 6)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from amaranth.hdl import Cat, Const, Mux, Value

from tenon.hw.storage.flash.linear import Linear, add

__all__ = ["Bch", "Field"]

#: Primitive polynomials, by degree: what the powers of x are reduced by.
_PRIMITIVE = {8: 0x11D, 9: 0x211, 10: 0x409, 11: 0x805, 12: 0x1053, 13: 0x201B, 14: 0x4443, 15: 0x8003, 16: 0x1100B}

@dataclass(frozen=True)
class Field:
    """GF(2**bits); elements are integers, bit k of which is the coefficient of x**k."""

    bits: int

    @property
    def order(self) -> int:
        """Of the multiplicative group."""
        return (1 << self.bits) - 1

    @cached_property
    def powers(self) -> list[int]:
        """Of x, the primitive element: as many as there are different ones."""
        found, value = [], 1
        for _ in range(self.order):
            found.append(value)
            value <<= 1
            if value >> self.bits:
                value ^= _PRIMITIVE[self.bits]
        return found

    @cached_property
    def logarithms(self) -> dict[int, int]:
        return {value: exponent for exponent, value in enumerate(self.powers)}

    def power(self, exponent: int) -> int:
        """x**exponent."""
        return self.powers[exponent % self.order]

    def product(self, a: int, b: int) -> int:
        return self.power(self.logarithms[a] + self.logarithms[b]) if a and b else 0

    def times(self, *constants: int) -> Linear:
        """Multiplication by constants: the products behind each other."""
        def products(value: int) -> int:
            return sum(self.product(constant, value) << self.bits * k for k, constant in enumerate(constants))

        return Linear.of(products, self.bits, self.bits * len(constants))

    def multiply(self, a: Value, b: Value) -> Value:
        """The product in gateware: of polynomials, then what its powers from x**bits on are in the field."""
        bits = self.bits
        whole = add(Mux(b[k], Cat(Const(0, k), a, Const(0, bits - 1 - k)), 0) for k in range(bits))
        return whole[:bits] ^ Linear(bits, tuple(map(self.power, range(bits, 2 * bits - 1))))(whole[bits:])

    @cached_property
    def square(self) -> Linear:
        """Squaring is linear."""
        return Linear.of(lambda value: self.product(value, value), self.bits, self.bits)


@dataclass(frozen=True)
class Bch:
    """A binary code that corrects ``t`` errors, shortened to whatever is sent: data first, highest power of x first, parity behind."""

    bits: int
    t: int

    @cached_property
    def field(self) -> Field:
        return Field(self.bits)

    @cached_property
    def generator(self) -> int:
        """The generator polynomial: the product of the minimal polynomials of x, x**3, ... x**(2t - 1)."""
        field, product, seen = self.field, 1, set()
        for exponent in range(1, 2 * self.t, 2):
            conjugates, power = [], exponent
            while power not in conjugates:
                conjugates.append(power)
                power = 2 * power % field.order
            if min(conjugates) in seen:
                continue
            seen.add(min(conjugates))
            minimal = [1]  # coefficients in the field, lowest first; in the end they are 0 and 1
            for root in conjugates:
                shifted = [0, *minimal]
                scaled = [field.product(c, field.power(root)) for c in minimal] + [0]
                minimal = [a ^ b for a, b in zip(shifted, scaled)]
            product = _multiply(product, sum(c << k for k, c in enumerate(minimal)))
        return product

    @property
    def parity_bits(self) -> int:
        return self.generator.bit_length() - 1

    def encode(self, data: bytes) -> int:
        """The parity of ``data``, whose first bit is the highest of its first byte: ``parity_bits`` bits, highest power first."""
        width, low = self.parity_bits, self.generator & (1 << self.parity_bits) - 1
        state = 0
        for byte in data:
            for k in reversed(range(8)):
                feedback = (state >> (width - 1) ^ byte >> k) & 1
                state = (state << 1 & (1 << width) - 1) ^ (low if feedback else 0)
        return state

    def step(self, count: int) -> Linear:
        """What the encoder's highest ``count`` bits of state, to which as many bits of data were added, become in its next state; the
        rest of the state moves up. The first bit is the highest."""
        width = self.parity_bits
        low = self.generator & (1 << width) - 1

        def fed_back(word: int) -> int:
            state = 0
            for k in reversed(range(count)):
                feedback = (state >> (width - 1) ^ word >> k) & 1
                state = (state << 1 & (1 << width) - 1) ^ (low if feedback else 0)
            return state

        return Linear.of(fed_back, count, width)


def _multiply(a: int, b: int) -> int:
    """Of polynomials over GF(2)."""
    product = 0
    while b:
        product ^= a * (b & 1)
        a, b = a << 1, b >> 1
    return product
