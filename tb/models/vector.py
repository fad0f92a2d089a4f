"""What a VECTOR instruction does, element by element in exact integers.

Fields are a dictionary of the mnemonic's field names; enumerations are their names, binary32 constants their bits.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from tenon.acg.ops import RECIPROCAL_MAGIC, ROOT_MAGIC
from tenon.tb.models import binary32 as f32

__all__ = ["Fields", "LEVELS", "apply", "before_reduction", "after_reduction", "reduce", "words"]

Fields = Mapping[str, int | str]
LEVELS = ("o2", "o1", "o0", "q1", "q0", "i")  # outermost first


def before_reduction(f: Fields, x: int, scale: int) -> int:
    """Convert, scale, round and clamp; ``x`` is an int32, a byte already signed as ``x_sel`` says, or a number's bits."""
    guess = {"par": lambda: x, "reciprocal": lambda: RECIPROCAL_MAGIC - x, "root": lambda: ROOT_MAGIC - (x >> 1)}.get(f["x_sel"])
    value = f32.multiply(guess() & 0xFFFFFFFF if guess else f32.from_integer(x, f["zx"]), scale)
    return f32.round_clamp(value, f["rc_off"], f["rc_lo"], f["rc_hi"]) if f["rc"] else value


def reduce(f: Fields, partial: int | None, x: int) -> int:
    """One step of the reduction; None before the first."""
    if partial is None:
        return x
    return f32.add(partial, x) if f["reduce"] == "add" else f32.maximum(partial, x)


def after_reduction(f: Fields, x: int, y: int, table: bytes) -> int:
    """From the swap to the output byte, or number; ``y`` is a byte already signed."""
    y = 0 if f["y_sel"] == "none" else f32.from_integer(y, f["zy"])
    if f["swap"]:
        x, y = y, x
    p, q = f["f1_p"], f["f1_q"]
    x = {"bypass": lambda: x, "affine": lambda: f32.fma(x, p, q), "add": lambda: f32.add(x, y),
         "mul": lambda: f32.multiply(x, y)}[f["f1"]]()
    p2, q2 = f["f2_p"], f["f2_q"]
    x = {"bypass": lambda: x, "affine": lambda: f32.fma(x, p2, q2), "cross": lambda: f32.fma(y, p2, x),
         "mul": lambda: f32.multiply(x, y)}[f["f2"]]()
    x = {"bypass": lambda: x, "max": lambda: f32.maximum(x, f["mm_p"]), "min": lambda: f32.minimum(x, f["mm_p"]),
         "maxy": lambda: f32.maximum(x, y)}[f["mm"]]()
    if f["d_sel"] == "par":
        return x
    byte = f32.quantise(x, f["post"], f["lo"], f["hi"]) & 0xFF
    return table[256 * f["t"] + byte] if f["table"] else byte


def words(f: Fields) -> Iterator[tuple[dict[str, int], bool, bool]]:
    """(index of each level, first of its reduction, last of its reduction) for every word, in order."""
    extents = [f[f"n_{level}"] for level in LEVELS]
    for index in np.ndindex(*extents):
        at = dict(zip(LEVELS, index))
        first = not at["q1"] and not at["q0"]
        last = at["q1"] == f["n_q1"] - 1 and at["q0"] == f["n_q0"] - 1
        yield at, first, last


def apply(f: Fields, *, acc: np.ndarray, vec: np.ndarray, par: np.ndarray, tab: bytes) -> list[tuple[int, list[int]]]:
    """The words that the instruction writes, (address, bytes or numbers' bits) in order.

    ``acc`` int32 (word, lane), ``vec`` uint8 (word, lane), ``par`` uint32 (word, lane). Reads see the memories as they
    are given: an instruction must not read what it writes.
    """
    written, partials = [], {}
    for at, first, last in words(f):
        x_at, y_at, s_at, d_at = (f[stream] + sum(f.get(f"{stream}_{level}", 0) * at[level] for level in LEVELS)
                                  for stream in "xysd")
        results = []
        for lane in range(acc.shape[1]):
            x = _element(f["x_sel"], x_at, lane, acc, vec, par)
            scale = f["s_value"] if f["s_sel"] == "scalar" else int(par[s_at, lane])
            key = at["i"], lane
            partials[key] = reduce(f, None if first else partials[key], before_reduction(f, x, scale))
            if last:
                y = 0 if f["y_sel"] == "none" else _typed(f["y_sel"], vec[y_at, lane])
                results.append(after_reduction(f, partials[key], y, tab))
        if last:
            written.append((d_at, results))
    return written


def _element(kind: str, word: int, lane: int, acc: np.ndarray, vec: np.ndarray, par: np.ndarray) -> int:
    if kind == "acc":
        return int(acc[word, lane])
    return _typed(kind, vec[word, lane]) if kind in ("i8", "u8") else int(par[word, lane])


def _typed(kind: str, byte: np.uint8) -> int:
    return int(byte.astype(np.int8) if kind == "i8" else byte)
