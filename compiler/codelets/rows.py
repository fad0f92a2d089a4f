"""Softmax and layer normalisation as passes over a chunk of a matrix: bytes [w, c], numbers in between.

A chunk is ``m`` runs of ``k`` elements. Numbers that each column has one of have the dimension c alone.
"""

from __future__ import annotations

import functools

from tenon.acg.expr import Lookup, Nest, Operand, Reduce, Val, field
from tenon.compiler.codelets.codelet import Codelet, Tensor, integer, loops, op, real

__all__ = ["normalise", "softmax"]

_REAL = "f32"


def _newton(total: Tensor, guess: str, minus: float, three: float) -> dict[str, Nest]:
    """Passes of ``r' = r (three + minus r^p total)``, p 1 for a reciprocal, 2 for an inverse square root."""
    (c,) = loops("c")
    r, again, square, error = (Tensor(name, _REAL, ("c",)) for name in ("r", "again", "square", "error"))
    base = square[c] if guess == "guess_root" else r[c]
    return {
        "guess": Nest((c,), again[c], op(guess, total[c])),
        "square": Nest((c,), square[c], r[c] * r[c]),
        "error": Nest((c,), error[c], op("fma", base * total[c], Val(minus, _REAL), Val(three, _REAL))),
        "refine": Nest((c,), again[c], r[c] * error[c]),
    }


def _dims(*tensors: Tensor) -> dict[str, tuple[str, ...]]:
    return {t.name: t.dims for t in tensors} | {name: ("c",) for name in ("r", "again", "square", "error")} | {"table": ("i",)}


@functools.cache
def softmax(x_type: str) -> Codelet:
    """``x`` as ``x_type``; ``e`` are the exponential's bytes, plane by plane, ``weight`` what each plane counts."""
    w, c, m, k, p = loops("w c m k p")
    x, y = Tensor("x", x_type, ("w", "c")), Tensor("y", "u8", ("w", "c"))
    peak, top, tops = Tensor("peak", "u8", ("c",)), Tensor("top", x_type, ("c",)), Tensor("tops", x_type, ("p", "c"))
    plane, e = Tensor("plane", "u8", ("w", "c")), Tensor("e", "u8", ("p", "w", "c"))
    weight, share = Tensor("weight", _REAL, ("p", "c")), Tensor("share", _REAL, ("p", "c"))
    part, total = Tensor("part", _REAL, ("m", "c")), Tensor("total", _REAL, ("c",))

    def byte(value, zero=None):
        rounded = op("rne", value)
        return op("u8", op("clamp", rounded + integer(zero) if zero else rounded, integer("lo"), integer("hi")))

    below = op("fma", op("f32", top[c]), Val(-1.0, _REAL), op("f32", x[w, c]))
    element = op("f32", e[p, m * field("run") + k, c])
    return Codelet("softmax", _dims(x, y, peak, top, tops, plane, e, weight, share, part, total), {
        "peak": Nest((c,), peak[c], byte(Reduce("max", (w,), op("f32", x[w, c])))),
        "top": Nest((c,), peak[c], byte(Reduce("max", (p,), op("f32", tops[p, c])))),
        "plane": Nest((w, c), plane[w, c], Lookup(Operand("table", "u8", (1,)), field("table"), byte(below, "reach"))),
        "part": Nest((m, c), part[m, c], Reduce("add", (k, p), element * weight[p, c])),
        "total": Nest((c,), total[c], Reduce("add", (m,), part[m, c])),
        **_newton(total, "guess_reciprocal", -1.0, 2.0),
        "share": Nest((p, c), share[p, c], weight[p, c] * Tensor("r", _REAL, ("c",))[c] * real("factor")),
        "finish": Nest((w, c), y[w, c], byte(Reduce("add", (p,), op("f32", e[p, w, c]) * share[p, c]), "zy")),
    })


@functools.cache
def normalise(x_type: str) -> Codelet:
    """``shift`` is the mean's negative; ``pair`` and ``factor`` hold scaled elements beside betas, and gammas beside ones."""
    w, c, m, k, q = loops("w c m k q")
    x, y = Tensor("x", x_type, ("w", "c")), Tensor("y", "u8", ("w", "c"))
    part, shift, total = Tensor("part", _REAL, ("m", "c")), Tensor("shift", _REAL, ("c",)), Tensor("total", _REAL, ("c",))
    centred, scaled = Tensor("centred", _REAL, ("m", "k", "c")), Tensor("scaled", _REAL, ("m", "k", "c"))
    pair, factor = Tensor("pair", _REAL, ("q", "m", "k", "c")), Tensor("factor", _REAL, ("q", "m", "k", "c"))
    r = Tensor("r", _REAL, ("c",))
    at = m * field("run") + k
    element = op("f32", x[at, c] - integer("zx"))
    rounded = op("rne", Reduce("add", (q,), pair[q, m, k, c] * factor[q, m, k, c])) + integer("zy")
    whole = Reduce("add", (m,), part[m, c])
    return Codelet("normalise", _dims(x, y, part, shift, total, centred, scaled, pair, factor), {
        "part": Nest((m, c), part[m, c], Reduce("add", (k,), element)),
        "shift": Nest((c,), shift[c], whole * real("over")),
        "centre": Nest((m, k, c), centred[m, k, c], shift[c] + element),
        "squares": Nest((m, c), part[m, c], Reduce("add", (k,), centred[m, k, c] * centred[m, k, c])),
        "total": Nest((c,), total[c], op("fma", whole, real("over"), real("epsilon"))),
        **_newton(total, "guess_root", -0.5, 1.5),
        "scale": Nest((m, k, c), scaled[m, k, c], centred[m, k, c] * r[c]),
        "finish": Nest((m, k, c), y[at, c], op("u8", op("clamp", rounded, integer("lo"), integer("hi")))),
    })
