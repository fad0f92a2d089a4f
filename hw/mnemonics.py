"""The instructions of the systolic family: fields in the order of their bits, effect, rules and cost.

Every number comes from the parameters or from the engine whose latency it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from tenon.acg.expr import Aff, Choose, Expr, Load, Lookup, Loop, Nest, Op, Operand, Reduce, Val, field
from tenon.acg.mnemonic import Field, Mnemonic, Timing, extent, integer, option, real, stride
from tenon.hw.packet.params import VectorParams
from tenon.hw.params import SystolicParams

__all__ = ["WINDOW_ROWS", "load", "matrix", "store", "vector", "window", "window_words"]

WINDOW_ROWS = 8  # kernel rows whose weights WINDOW can hold

_BASE = (0, 2**16 - 1)
_BYTE_ADDRESS = (0, 2**20 - 1)
_DRAM = (-(2**31), 2**31 - 1)
_SEGMENTS = ("constants", "arena", "inputs", "outputs")
_LEVELS = ("l0", "l1", "l2", "l3")


def _flag(name: str) -> Field:
    return option(name, "off", "on")


def _levels(*names: str) -> dict[str, Loop]:
    return {name: Loop(name, f"n_{name}") for name in names}


def _walk(base: str, loops: dict[str, Loop], *names: str) -> Aff:
    """``base + base_k * k + ...``: an address that steps along the named levels."""
    total = field(base)
    for name in names:
        total = total + field(f"{base}_{name}") * loops[name]
    return total


def _typed(name: str, unsigned: Expr, signed: Expr) -> Expr:
    return Choose(name, (unsigned, signed))


def matrix(p: SystolicParams, *, latency: int = 0, transposable: bool = False) -> Mnemonic:
    """A tile of products: accumulators (+)= activations x weights, weight-stationary.

    Nest: for n, k3 .. k0: a tile of weights; for m2 .. m0: a vector streams through it. ``transposable``: a word of
    weights may be a column of the tile instead of a row.
    """
    ks, ms = ("k0", "k1", "k2", "k3"), ("m0", "m1", "m2")
    loops = _levels("n", *ks, *ms)
    r, c = Loop("r", p.rows), Loop("c", p.cols)

    def activations(element):
        return Load(Operand("ACT", element, (p.rows, 1)), (_walk("a", loops, *ks, *ms), Aff.of(r)))

    def weights(element, word=r, lane=c):
        return Load(Operand("WGT", element, (p.cols, 1)), (_walk("w", loops, "n", *ks) + word, Aff.of(lane)))

    def either(element):
        return Choose("transposed", (weights(element), weights(element, c, r))) if transposable else weights(element)

    parameters = Operand("PAR", "i32", (4 * p.cols, 4))
    sums = Load(Operand("ACC", "i32", (4 * p.cols, 4)), (_walk("d", loops, "n", *ms), Aff.of(c)))
    bias = Load(parameters, (_walk("b", loops, "n"), Aff.of(c)))
    zero = Choose("zero_per_column", (Val(field("zw")), Load(parameters, (_walk("z", loops, "n"), Aff.of(c)))))
    x = _typed("act_signed", activations("u8"), activations("i8")) - Val(field("za"))
    w = _typed("wgt_signed", either("u8"), either("i8")) - zero
    start = Choose("init", (Val(0), sums, bias))
    effect = Nest((loops["n"], *(loops[k] for k in reversed(ms)), c), sums,
                  start + Reduce("add", (*(loops[k] for k in reversed(ks)), r), x * w))
    fields = (
        _flag("act_signed"), _flag("wgt_signed"), option("init", "zero", "keep", "bias"), _flag("zero_per_column"),
        *((_flag("transposed"),) if transposable else ()), integer("za", -128, 255), integer("zw", -128, 255),
        *(extent(f"n_{n}") for n in ("n", *ks, *ms)),
        integer("a", *_BASE), *(stride(f"a_{n}") for n in (*ks, *ms)),
        integer("w", *_BASE), *(stride(f"w_{n}") for n in ("n", *ks)),
        integer("d", *_BASE), *(stride(f"d_{n}") for n in ("n", *ms)),
        integer("b", *_BASE), stride("b_n"), integer("z", *_BASE), stride("z_n"),
    )
    steps = "n_n * n_k0 * n_k1 * n_k2 * n_k3"
    fill = f"{p.rows} + {p.cols - p.rows} * transposed" if transposable and p.cols > p.rows else f"{p.rows}"
    return Mnemonic("MATRIX", 2, "MATRIX", fields, effect, Timing(
        occupancy=f"{steps} * max(n_m0 * n_m1 * n_m2, {fill})", visible=str(latency),
        fill=fill,  # from idle, a tile of weights comes first
    ), rules=(*(("transposed == 0 or zero_per_column == 0",) if transposable else ()),  # a column's weights have one zero-point
        # The array's operands have nine bits.
        "act_signed == 1 and za <= 127 or act_signed == 0 and za >= 0",
        "zero_per_column == 1 or wgt_signed == 1 and zw <= 127 or wgt_signed == 0 and zw >= 0",
    ))


def vector(p: SystolicParams, *, latency: int = 0, round_cycles: int = 1, partials: int = 16) -> Mnemonic:
    """A pass through the binary32 chain: accumulators, bytes or binary32 words in, bytes or binary32 words out.

    Nest: for o2, o1, o0: for q1, q0 (reduced): for i. ``round_cycles``: least cycles between two rounds of a
    reduction; ``partials``: outputs that it can interleave.
    """
    outer, reduced = ("o2", "o1", "o0"), ("q1", "q0")
    loops = _levels(*outer, *reduced, "i")
    c = Loop("c", p.cols)
    written = (*outer, "i")

    def words(memory, base, element, levels):
        size = 4 if element in ("i32", "f32") else 1
        return Load(Operand(memory, element, (size * p.cols, size)), (_walk(base, loops, *levels), Aff.of(c)))

    def stream(load_, zero):
        return Op("f32", (load_ - Val(field(zero)),))

    def scalar(name):
        return Val(field(name), "f32")

    def op(name, *args):
        return Op(name, args)

    every = (*outer, *reduced, "i")
    number = words("PAR", "x", "f32", every)
    x = Choose("x_sel", tuple(stream(words(memory, "x", element, every), "zx")
                              for memory, element in (("ACC", "i32"), ("VEC", "i8"), ("VEC", "u8")))
               + (number, op("guess_reciprocal", number), op("guess_root", number)))
    y = Choose("y_sel", (Val(0.0, "f32"), *(stream(words("VEC", "y", e, written), "zy") for e in ("i8", "u8"))))
    x = x * Choose("s_sel", (scalar("s_value"), words("PAR", "s", "f32", every)))
    rounded = op("clamp", op("rne", x) + Val(field("rc_off")), Val(field("rc_lo")), Val(field("rc_hi")))
    x = Choose("rc", (x, op("f32", rounded)))
    qs = tuple(loops[q] for q in reduced)
    x = Choose("reduce", (Reduce("add", qs, x), Reduce("max", qs, x)))
    x, y = Choose("swap", (x, y)), Choose("swap", (y, x))
    zero = Val(-0.0, "f32")
    x = Choose("f1", (x, op("fma", x, scalar("f1_p"), scalar("f1_q")), x + y, op("fma", x, y, zero)))
    x = Choose("f2", (x, op("fma", x, scalar("f2_p"), scalar("f2_q")), op("fma", y, scalar("f2_p"), x), op("fma", x, y, zero)))
    x = Choose("mm", (x, op("max", x, scalar("mm_p")), op("min", x, scalar("mm_p")), op("max", x, y)))
    byte = op("u8", op("clamp", op("rne", x) + Val(field("post")), Val(field("lo")), Val(field("hi"))))
    table = Operand("TAB", "u8", (1,))
    byte = Choose("table", (byte, Lookup(table, 256 * field("t"), byte)))
    destination = Choose("d_sel", tuple(words(memory, "d", element, written)
                                        for memory, element in (("VEC", "u8"), ("ACT", "u8"), ("PAR", "f32"))))
    effect = Nest((*(loops[o] for o in outer), loops["i"], c), destination, Choose("d_sel", (byte, byte, x)))

    small = (-256, 255)
    fields = (
        option("x_sel", "acc", "i8", "u8", "par", "reciprocal", "root"), integer("zx", -128, 255), option("y_sel", "none", "i8", "u8"),
        integer("zy", -128, 255), *(extent(f"n_{n}") for n in every),
        integer("x", *_BASE), *(stride(f"x_{n}") for n in every),
        integer("y", *_BASE), *(stride(f"y_{n}") for n in written),
        option("s_sel", "scalar", "lanes"), real("s_value"),
        integer("s", *_BASE), *(stride(f"s_{n}") for n in every),
        _flag("rc"), integer("rc_off", *small), integer("rc_lo", *small), integer("rc_hi", *small),
        option("reduce", "add", "max"), _flag("swap"),
        option("f1", "bypass", "affine", "add", "mul"), real("f1_p"), real("f1_q"),
        option("f2", "bypass", "affine", "cross", "mul"), real("f2_p"), real("f2_q"),
        option("mm", "bypass", "max", "min", "maxy"), real("mm_p"),
        integer("post", *small), integer("lo", *small), integer("hi", *small),
        _flag("table"), integer("t", 0, 255),
        option("d_sel", "vec", "act", "par"), integer("d", *_BASE), *(stride(f"d_{n}") for n in written),
    )
    issues = p.cols // p.lanes
    outputs, rounds = "n_o2 * n_o1 * n_o0", "n_q1 * n_q0"
    occupancy = f"{outputs} * (({rounds} - 1) * max(n_i * {issues}, {round_cycles}) + n_i * {issues})"
    return Mnemonic("VECTOR", 3, "VECTOR", fields, effect, Timing(occupancy=occupancy, visible=str(latency)),
                    rules=(f"n_q1 == 1 and n_q0 == 1 or n_i <= {partials}",))


def window(p: SystolicParams, *, latency: int = 0, release: int = 0, drain: int = 0, refill: int = 0) -> Mnemonic:
    """Windows over activations, each channel for itself: sums of products, the largest elements, or plain sums.

    Nest: for n, k0: a pass, with weights of its own; for o1, o0, x: windows; k1 rows of t columns in each. Every memory is
    seen in words of ``window_lanes`` elements, the lanes of one word side by side. ``drain``: cycles between two passes
    of which the latter continues sums. ``refill``: cycles from a pass's first word to the next one's first weights.
    """
    lanes, ks = p.window_lanes, ("k0", "k1", "t")
    loops = _levels("n", "o1", "o0", "x", *ks)
    c = Loop("c", lanes)

    def words(memory, base, element, *levels):
        size = 4 if element == "i32" else 1
        return Load(Operand(memory, element, (size * lanes, size)), (_walk(base, loops, *levels), Aff.of(c)))

    reduced = tuple(loops[k] for k in ks)
    x = _typed("act_signed", *(words("ACT", "a", e, "n", "o1", "o0", "x", *ks) for e in ("u8", "i8"))) - Val(field("za"))
    sums, bias = words("ACC", "d", "i32", "n", "o1", "o0", "x"), words("PAR", "b", "i32", "n")
    zero = Choose("zero_per_column", (Val(field("zw")), words("PAR", "z", "i32", "n")))
    start = Choose("init", (Val(0), sums, bias))
    products = (start + Reduce("add", reduced, x * (words("WGT", "w", e, "n", *ks) - zero)) for e in ("u8", "i8"))
    largest = Reduce("max", reduced, x)
    largest = Choose("init", (largest, Op("max", (sums, largest)), Op("max", (bias, largest))))
    effect = Nest((loops["n"], loops["o1"], loops["o0"], loops["x"], c), sums,
                  Choose("kind", (*products, largest, start + Reduce("add", reduced, x))))
    fields = (
        option("kind", "weights_u8", "weights_i8", "max", "sum"), _flag("act_signed"), option("init", "zero", "keep", "bias"),
        _flag("zero_per_column"), integer("za", -128, 255), integer("zw", -128, 255),
        *(extent(f"n_{n}") for n in ("n", "o1", "o0")), integer("n_x", 1, 2**14), extent("n_k0"), extent("n_k1"),
        integer("n_t", 1, p.window_taps),
        integer("a", *_BASE), *(stride(f"a_{n}") for n in ("n", "o1", "o0", "x", *ks)),
        integer("w", *_BASE), *(stride(f"w_{n}") for n in ("n", *ks)),
        integer("d", *_BASE), *(stride(f"d_{n}") for n in ("n", "o1", "o0", "x")),
        integer("b", *_BASE), stride("b_n"), integer("z", *_BASE), stride("z_n"),
    )
    words_read = window_words(p)
    weights = "(kind <= 1) * (n_k1 * n_t + zero_per_column{}) + (kind >= 2)"
    fill, period = weights.format(""), weights.format(f" + {refill}")
    # A pass that continues sums hides the next one's weights: those take a cycle more than words at most, and ``drain`` is longer.
    # It waits the less, the longer it had to wait for its own.
    waits = f"({drain} - (n_k0 == 2) * (init != 1) * max({period} - {words_read}, 0)) * (1 - (n_k0 == 1) * (init != 1))"
    return Mnemonic("WINDOW", 5, "WINDOW", fields, effect, Timing(
        occupancy=f"n_n * max(n_k0 * {words_read} + {drain} * (n_k0 - (init != 1)), {period})",
        visible=str(latency), reads=str(release), fill=fill,
        step=f"max({words_read} + {waits}, {period}) - {refill}",
    ), rules=(  # operands have nine bits
        f"kind >= 2 or n_k1 <= {WINDOW_ROWS}", "act_signed == 1 and za <= 127 or act_signed == 0 and za >= 0",
        "kind >= 2 or zero_per_column == 1 or kind == 1 and zw <= 127 or kind == 0 and zw >= 0",
    ))


def window_words(p: SystolicParams) -> str:
    """Words of activations that a pass of WINDOW reads, as a formula: columns that windows share are read once."""
    fresh = "n_t" if p.window_taps == 1 else "min(n_t, 1 + n_t * (a_x != a_t)" + "".join(
        f", {hop} + n_t * (a_x != {hop} * a_t)" for hop in range(2, p.window_taps)) + ")"
    return f"n_o1 * n_o0 * (n_t + (n_x - 1) * {fresh}) * n_k1"


def _dma(base: str, loops: dict[str, Loop], b: Loop) -> Aff:
    return _walk(base, loops, *reversed(_LEVELS)) + b


def load(p: SystolicParams | VectorParams, *, memories: Sequence[str] = ("ACT", "WGT", "VEC", "PAR", "TAB"), latency: int = 0) -> Mnemonic:
    """Runs of ``n`` bytes from DRAM into one of ``memories``; bytes outside the guard are filled.

    The guard is two coordinates, Y and X, affine in all levels; X may also step along the run.
    """
    loops, b = _levels(*_LEVELS), Loop("b", "n")
    y = _walk("y", loops, *_LEVELS)
    x = _walk("x", loops, *_LEVELS)
    inside = Op("and", (Op("within", (Val(y), Val(field("y_lim")))),
                        Op("within", (Choose("x_run", (Val(x), Val(x + b))), Val(field("x_lim"))))))
    source = Choose("seg", tuple(Load(Operand(s.upper(), "u8", (1,)), (_dma("s", loops, b),)) for s in _SEGMENTS))
    destination = Choose("mem", tuple(Load(Operand(m, "u8", (1,)), (_dma("d", loops, b),)) for m in memories))
    effect = Nest((*(loops[n] for n in reversed(_LEVELS)), b), destination,
                  Op("select", (inside, source, Val(field("fill")))))
    fields = (
        option("mem", *(m.lower() for m in memories)), option("seg", *_SEGMENTS), integer("fill", 0, 255),
        _flag("x_run"), extent("n"), *(extent(f"n_{n}") for n in _LEVELS),
        integer("s", *_DRAM), *(stride(f"s_{n}", 32) for n in _LEVELS),
        integer("d", *_BYTE_ADDRESS), *(stride(f"d_{n}", 24) for n in _LEVELS),
        integer("y", -(2**15), 2**15 - 1), *(stride(f"y_{n}") for n in _LEVELS), integer("y_lim", 0, 2**16 - 1),
        integer("x", -(2**23), 2**23 - 1), *(stride(f"x_{n}", 24) for n in _LEVELS), integer("x_lim", 0, 2**24 - 1),
    )
    return Mnemonic("LOAD", 1, "LOAD", fields, effect, _dma_timing(p, latency))


def store(p: SystolicParams | VectorParams, *, memory: str = "VEC", latency: int = 0) -> Mnemonic:
    """Runs of ``n`` bytes from ``memory`` into DRAM."""
    loops, b = _levels(*_LEVELS), Loop("b", "n")
    destination = Choose("seg", tuple(Load(Operand(s.upper(), "u8", (1,)), (_dma("d", loops, b),)) for s in _SEGMENTS))
    effect = Nest((*(loops[n] for n in reversed(_LEVELS)), b), destination,
                  Load(Operand(memory, "u8", (1,)), (_dma("s", loops, b),)))
    fields = (
        option("seg", *_SEGMENTS), extent("n"), *(extent(f"n_{n}") for n in _LEVELS),
        integer("s", *_BYTE_ADDRESS), *(stride(f"s_{n}", 24) for n in _LEVELS),
        integer("d", *_DRAM), *(stride(f"d_{n}", 32) for n in _LEVELS),
    )
    return Mnemonic("STORE", 4, "STORE", fields, effect, _dma_timing(p, latency))


def _dma_timing(p: SystolicParams | VectorParams, latency: int) -> Timing:
    # A run takes a cycle per word of the bus that it touches on chip; aligned runs are assumed.
    runs, beats = "n_l0 * n_l1 * n_l2 * n_l3", f"((n + {p.bus_bytes - 1}) // {p.bus_bytes})"
    return Timing(occupancy=f"{runs} * {beats}", visible=str(latency))
