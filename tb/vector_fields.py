"""Random settings of the VECTOR chain that exercise it, rather than saturate it."""

import random
import struct

__all__ = ["binary32", "random_chain"]

_ODD_CONSTANTS = (0x00000000, 0x80000000, 0x00000001, 0x807FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFFFFFFF,
                  0x7F7FFFFF, 0x00800000)


def binary32(value: float) -> int:
    """The bits of ``value`` rounded to binary32."""
    return struct.unpack("<I", struct.pack("<f", value))[0]


def random_chain(rng: random.Random, *, tables: int) -> dict[str, int | str]:
    """Every field of a VECTOR instruction but those of its loop nest and addresses."""

    def constant(size: float) -> int:
        if rng.random() < 0.03:
            return rng.choice(_ODD_CONSTANTS)
        return binary32(rng.choice((-1, 1)) * size * rng.choice((0.25, 0.5, 1.0, rng.random() + 0.5)))

    def bounds() -> tuple[int, int]:
        low, high = rng.choice([(-128, 127), (0, 255), (0, 127), (-256, 255),
                                (rng.randint(-200, 0), rng.randint(0, 200))])
        return (high, low) if rng.random() < 0.03 else (low, high)

    x_sel = rng.choice(("acc", "acc", "i8", "u8", "par", "reciprocal", "root"))
    rc_lo, rc_hi = bounds()
    lo, hi = bounds()
    return {
        "x_sel": x_sel, "zx": rng.choice((0, rng.randint(-128, 255))),
        "y_sel": rng.choice(("none", "i8", "u8")), "zy": rng.choice((0, rng.randint(-128, 255))),
        "s_sel": rng.choice(("scalar", "lanes")), "s_value": constant({"acc": 2.0**-7, "par": 2.0**7}.get(x_sel, 1.0)),
        "rc": rng.randint(0, 1), "rc_off": rng.randint(-256, 255), "rc_lo": rc_lo, "rc_hi": rc_hi,
        "reduce": rng.choice(("add", "max")), "swap": rng.randint(0, 1),
        "f1": rng.choice(("bypass", "affine", "add", "mul")), "f1_p": constant(1.0), "f1_q": constant(20.0),
        "f2": rng.choice(("bypass", "affine", "cross", "mul")), "f2_p": constant(1.0), "f2_q": constant(20.0),
        "mm": rng.choice(("bypass", "max", "min", "maxy")), "mm_p": constant(10.0),
        "post": rng.choice((0, rng.randint(-256, 255))), "lo": lo, "hi": hi,
        "table": rng.choice((0, 0, 1)), "t": rng.randrange(tables), "d_sel": rng.choice(("vec", "vec", "act", "par")),
    }
