"""What LOAD and STORE do, byte by byte, and random instructions of both kinds."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

__all__ = ["dram_bytes", "load", "random_load", "random_store", "runs", "store", "valid_bytes"]

_SPACE = 1 << 20  # bytes that an on-chip address can name
_LEVELS = range(4)

Fields = Mapping[str, int]


def dram_bytes(address: int, count: int) -> np.ndarray:
    """A DRAM whose bytes are a hash of their addresses: (count,) uint8."""
    addresses = (np.arange(count, dtype=np.uint64) + np.uint64(address % 2**32)) % np.uint64(2**32)
    return (addresses * np.uint64(2654435761) >> np.uint64(15) & np.uint64(255)).astype(np.uint8)


def runs(fields: Fields, names: Sequence[str]) -> Iterator[tuple[int, ...]]:
    """The coordinates ``names`` of each iteration, level 3 outermost."""
    for index in itertools.product(*(range(fields[f"n_l{l}"]) for l in reversed(_LEVELS))):
        at = dict(zip(reversed(_LEVELS), index, strict=True))
        yield tuple(fields[name] + sum(fields[f"{name}_l{l}"] * at[l] for l in _LEVELS) for name in names)


def valid_bytes(fields: Fields, y: int, x: int) -> np.ndarray:
    """Which bytes of a run lie inside the guard: (n,) bool."""
    column = x + (np.arange(fields["n"]) if fields["x_run"] else np.zeros(fields["n"], int))
    return (0 <= y < fields["y_lim"]) & (column >= 0) & (column < fields["x_lim"])


def load(fields: Fields, base: int, memories: Sequence[np.ndarray]) -> None:
    """Executes a LOAD whose segment begins at ``base``, out of ``dram_bytes``."""
    memory, n = memories[fields["mem"]], fields["n"]
    for s, d, y, x in runs(fields, ("s", "d", "y", "x")):
        memory[d:d + n] = np.where(valid_bytes(fields, y, x), dram_bytes(base + s, n), fields["fill"])


def store(fields: Fields, base: int, vector: np.ndarray, image: dict[int, int]) -> None:
    """Executes a STORE whose segment begins at ``base`` into ``image``, address to byte."""
    n = fields["n"]
    for s, d in runs(fields, ("s", "d")):
        image.update(zip(((base + d + b) % 2**32 for b in range(n)), vector[s:s + n].tolist(), strict=True))


def random_load(rng: random.Random, width: int) -> dict[str, int]:
    """Fields of a LOAD of at most some hundred words of ``width`` bytes; every kind of run and guard occurs."""
    fields = {"mem": rng.randrange(5), "seg": rng.randrange(4), "fill": rng.randrange(256), **_shape(rng, width)}
    n = fields["n"]
    fields |= _on_chip(rng, "d", fields, width) | _in_dram(rng, "s", fields, width)
    guard = rng.choice(["none", "run", "run", "window", "huge"])
    fields["x_run"] = int(guard == "run" or rng.random() < 0.3)
    if guard == "none":
        bounds = {"y": (0, 0), "x": (0, 0), "stride": 0, "y_lim": (1, 1), "x_lim": (n, n)}
    elif guard == "run":  # a row of a padded image: the edges cut runs
        bounds = {"y": (0, 1), "x": (-n - 2, n + 2), "stride": n, "y_lim": (1, 3), "x_lim": (0, 2 * n)}
    elif guard == "window":
        bounds = {"y": (-3, 3), "x": (-3, 3), "stride": 2, "y_lim": (1, 6), "x_lim": (1, 6)}
    else:
        bounds = {"y": (-2**15, 2**15 - 1), "x": (-2**23, 2**23 - 1), "stride": 2**15 - 1,
                  "y_lim": (0, 2**16 - 1), "x_lim": (0, 2**24 - 1)}
    for name in ("y", "x"):
        fields[name] = rng.randint(*bounds[name])
        fields[f"{name}_lim"] = rng.randint(*bounds[f"{name}_lim"])
        for l in _LEVELS:
            reach = bounds["stride"] if name == "x" or guard == "huge" else min(bounds["stride"], 1)
            fields[f"{name}_l{l}"] = rng.randint(-reach, reach)
    return fields


def random_store(rng: random.Random, width: int) -> dict[str, int]:
    """Fields of a STORE of at most some hundred words of ``width`` bytes; no byte is written twice."""
    fields = {"seg": rng.randrange(4), **_shape(rng, width)}
    fields |= _on_chip(rng, "s", fields, width)
    # Strides stacked in a random order of the levels, forwards or backwards, keep the runs apart.
    step = fields["n"] + rng.choice([0, 0, 1, width, rng.randrange(3 * width)])
    for l in rng.sample(_LEVELS, 4):
        fields[f"d_l{l}"] = rng.choice([-1, 1]) * step
        step = step * fields[f"n_l{l}"] + rng.choice([0, 1, width, rng.randrange(5000)])
    fields["d"] = rng.choice([rng.randint(-2**31, 2**31 - 1), -1, 0, rng.randrange(2**16)])
    return fields


def _shape(rng: random.Random, width: int) -> dict[str, int]:
    n = rng.choice([1, rng.randint(1, width), rng.randint(1, 4 * width), width, 2 * width, 4 * width,
                    rng.randint(1, 20 * width), rng.randint(1, 20 * width)])
    room = max(1, 120 // (n // width + 2))
    fields = {"n": n}
    for l in _LEVELS:
        fields[f"n_l{l}"] = extent = rng.choice([1, 1, 2, 3, rng.randint(1, 12)])
        if extent > room:
            fields[f"n_l{l}"] = extent = room
        room //= extent
    return fields


def _on_chip(rng: random.Random, name: str, fields: Fields, width: int) -> dict[str, int]:
    reach = rng.choice([width, 4 * width, 3000])
    aligned = rng.choice([1, 1, width])
    strides = {f"{name}_l{l}": rng.randint(-reach, reach) // aligned * aligned for l in _LEVELS}
    spans = [strides[f"{name}_l{l}"] * (fields[f"n_l{l}"] - 1) for l in _LEVELS]
    low, high = -sum(min(0, span) for span in spans), _SPACE - fields["n"] - sum(max(0, span) for span in spans)
    return {name: rng.choice([low, high, rng.randint(low, high)]), **strides}


def _in_dram(rng: random.Random, name: str, fields: Fields, width: int) -> dict[str, int]:
    reach = rng.choice([width, 4 * width, 5000, 2**31 - 1])
    aligned = rng.choice([1, 1, width])
    strides = {f"{name}_l{l}": rng.randint(-reach, reach) // aligned * aligned for l in _LEVELS}
    return {name: rng.choice([rng.randint(-2**31, 2**31 - 1), -1, 0, rng.randrange(0xE00, 0x1000)]), **strides}
