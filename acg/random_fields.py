"""Random legal fields, constructed rather than rejected: choices and extents first, strides from what memories leave."""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping

from tenon.acg.expr import Aff, Op, Val, walk
from tenon.acg.mnemonic import Access, Mnemonic, accesses

__all__ = ["random_fields"]

_TRIES = 10_000


def random_fields(mnemonic: Mnemonic, memory_bytes: Mapping[str, int], rng: random.Random, *,
                  work: int = 4096) -> dict[str, object]:
    """Complete fields that keep every chosen access inside its memory (``memory_bytes``, DRAM segments included).

    Extents multiply to ``work`` at most. Bases touch the first word, the last one, or lie between. Writes go to
    distinct addresses: strides of the destination are stacked in a random order of the levels. Guards let everything
    pass, a part, or nothing. Whether a nest reads what it writes is not looked at.

    Raises
    ------
    ValueError
        If no fields were found that are legal.
    """
    for _ in range(_TRIES):
        env: dict[str, object] = {}
        left = work
        extents = [mnemonic.field(name) for name in mnemonic.extents]
        for f in rng.sample(extents, len(extents)):
            steps = 1 if rng.random() < 0.3 else rng.randint(1, max(1, min(f.high, left, rng.choice((3, 9, 33)))))
            env[f.name] = max(f.low, steps)
            left //= max(1, steps)
        for f in mnemonic.fields:
            if f.name not in env:
                env[f.name] = _value(f, rng)
        _guard(mnemonic, env, rng)
        chosen = {}  # by base: what an instruction writes it may also read, by the same fields
        for a in sorted(accesses(mnemonic), key=lambda a: not a.write):
            if a.chosen(env) and a.memory in memory_bytes:
                chosen.setdefault(a.base, a)
        placed = all(_place(mnemonic, a, env, memory_bytes, rng) for a in chosen.values())
        full = mnemonic.complete(env)
        if placed and not mnemonic.violations(full, memory_bytes):
            return full
    raise ValueError(f"{mnemonic.name}: no legal fields in {_TRIES} tries")


def _value(f, rng: random.Random):
    if f.kind == "f32":
        if rng.random() < 0.1:
            return struct.unpack("<f", struct.pack("<I", rng.getrandbits(32)))[0]
        return struct.unpack("<f", struct.pack("<f", rng.choice((1.0, -1.0)) * 2 ** rng.uniform(-14, 4)))[0]
    if f.high - f.low > 1000:
        return max(f.low, 0)  # addresses: placed later
    anywhere = rng.randint(f.low, f.high)
    return anywhere if f.kind == "enum" else rng.choice((f.low, f.high, anywhere))


def _guard(mnemonic: Mnemonic, env: dict[str, object], rng: random.Random) -> None:
    """Coordinates and limits of the effect's guards: near each other, so that both sides of a limit are met."""
    extents = {l.name: l.extent for l in mnemonic.effect.loops}
    for node in walk(mnemonic.effect.expr):
        if not (isinstance(node, Op) and node.name == "within"):
            continue
        low = high = 0
        forms = [v.value for v in walk(node.args[0]) if isinstance(v, Val) and isinstance(v.value, Aff)]
        for name in dict.fromkeys(name for form in forms for (l, name), _ in form.terms if l and name):
            env[name] = rng.choice((0, 1, rng.randint(-9, 9)))
        for form in forms:
            reach = [s * (int(env[extents[l]]) - 1) for l, s in form.bind(env).items() if l]
            low, high = min(low, sum(min(r, 0) for r in reach)), max(high, sum(max(r, 0) for r in reach))
        for name in dict.fromkeys(name for form in forms for (l, name), _ in form.terms if not l and name):
            env[name] = rng.choice((-low, 0, rng.randint(-high, high - low)))
        ((_, limit), _), = node.args[1].value.terms
        f = mnemonic.field(limit)
        env[limit] = max(f.low, min(f.high, rng.choice((f.high, high - low + 1, rng.randint(0, high - low + 1)))))


def _place(mnemonic: Mnemonic, access: Access, env: dict[str, object], memory_bytes: Mapping[str, int], rng: random.Random) -> bool:
    """Strides and base of one access; False if its constant strides alone do not fit."""
    words = (memory_bytes[access.memory] - access.span) // access.unit  # the last word's number
    spread = sum(s * (int(env[n]) - 1) for s, n in access.terms if isinstance(s, int))
    stacked = spread + 1
    low, high = 0, spread
    for s, n in rng.sample(access.terms, len(access.terms)):
        if isinstance(s, int):
            continue
        steps = int(env[n]) - 1
        room = (words - (high - low)) // steps if steps else 40
        room = min(room, mnemonic.field(s).high)
        if access.write and steps:
            if stacked > room:
                return False
            stride = rng.choice((1, -1)) * rng.randint(stacked, max(stacked, min(room, stacked + rng.choice((0, 0, 1, 7)))))
            stacked += abs(stride) * steps
        else:
            stride = rng.randint(-room, room) if rng.random() < 0.2 else rng.randint(-min(room, 5), min(room, 5))
        env[s] = stride
        low, high = low + min(0, stride * steps), high + max(0, stride * steps)
    if high - low > words:
        return False
    env[access.base] = rng.choice((-low, words - high, rng.randint(-low, words - high)))
    return True
