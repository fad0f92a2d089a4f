"""GF(2**m), its linear maps as sums of bits, and binary BCH codes over it (Lin and Costello, Error Control Coding, chapter 6)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from amaranth.hdl import Cat, Const, Value

__all__ = ["Bch", "Field", "Matrix", "apply"]

#: Primitive polynomials, by degree: what the powers of x are reduced by.
_PRIMITIVE = {8: 0x11D, 9: 0x211, 10: 0x409, 11: 0x805, 12: 0x1053, 13: 0x201B, 14: 0x4443, 15: 0x8003, 16: 0x1100B}

#: A linear map over GF(2): for each output bit the mask of input bits whose sum it is.
Matrix = tuple[int, ...]


def apply(matrix: Matrix, value: Value) -> Value:
    """The map in gateware."""
    return Cat((value & Const(mask, len(value))).xor() if mask else Const(0, 1) for mask in matrix)


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

    def times(self, constant: int) -> Matrix:
        """Multiplication by a constant."""
        columns = [self.product(constant, 1 << k) for k in range(self.bits)]
        return tuple(sum((column >> row & 1) << k for k, column in enumerate(columns)) for row in range(self.bits))

    def multiply(self, a: Value, b: Value) -> Value:
        """The product in gateware."""
        # The sum of a's multiples by x**k for which b has a bit.
        total = Const(0, self.bits)
        for k in range(self.bits):
            total = total ^ (apply(self.times(self.power(k)), a) & b[k].replicate(self.bits))
        return total

    def square(self) -> Matrix:
        """Squaring is linear."""
        columns = [self.product(1 << k, 1 << k) for k in range(self.bits)]
        return tuple(sum((column >> row & 1) << k for k, column in enumerate(columns)) for row in range(self.bits))


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

    def step(self, count: int) -> tuple[Matrix, Matrix]:
        """The encoder's next state after ``count`` bits, the first of which is the highest: of the state, and of the bits."""
        width = self.parity_bits

        def advanced(state: int, word: int) -> int:
            low = self.generator & (1 << width) - 1
            for k in reversed(range(count)):
                feedback = (state >> (width - 1) ^ word >> k) & 1
                state = (state << 1 & (1 << width) - 1) ^ (low if feedback else 0)
            return state

        def matrix(columns: list[int]) -> Matrix:
            return tuple(sum((column >> row & 1) << k for k, column in enumerate(columns)) for row in range(width))

        return matrix([advanced(1 << k, 0) for k in range(width)]), matrix([advanced(0, 1 << k) for k in range(count)])


def _multiply(a: int, b: int) -> int:
    """Of polynomials over GF(2)."""
    product = 0
    while b:
        product ^= a * (b & 1)
        a, b = a << 1, b >> 1
    return product
