# amaranth: UnusedElaboratable=no
"""The binary32 units in simulation against exact integers."""

import itertools

import numpy as np
import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.binary32 import Add, FromInteger, FusedMultiplyAdd, MinMax, Multiply, Quantise, RoundClamp
from tenon.hw.delay import delay
from tenon.tb.binary32_operands import CORNERS, as_bits, as_float, numbers_to_round, pairs, triples
from tenon.tb.models import binary32 as exact
from tenon.tb.stream import Stream

pytestmark = pytest.mark.rtl

class Units(wiring.Component):
    """Every unit on one set of operands; offset, bounds and enable are as late as rounding wants them."""

    def __init__(self):
        self.units = {"fma": FusedMultiplyAdd(), "add": Add(), "multiply": Multiply(), "extreme": MinMax(),
                      "convert": FromInteger(), "convert_byte": FromInteger(10), "quantise": Quantise(),
                      "round_clamp": RoundClamp()}
        super().__init__({
            "a": In(32), "b": In(32), "c": In(32), "minimum": In(1), "maximum": In(1), "offset": In(signed(10)), "post": In(signed(9)),
            "low": In(signed(9)), "high": In(signed(9)), "enable": In(1), **{name: Out(32) for name in self.units}})

    def elaborate(self, platform):
        m = Module()
        for name, unit in self.units.items():
            m.submodules[name] = unit
            m.d.comb += getattr(self, name).eq(unit.o)
        fma, add, multiply, extreme, convert, convert_byte, quantise, round_clamp = self.units.values()
        m.d.comb += [
            fma.a.eq(self.a), fma.b.eq(self.b), fma.c.eq(self.c), add.a.eq(self.a), add.b.eq(self.b),
            add.maximum.eq(self.maximum), round_clamp.unrounded.eq(delay(m, self.a, RoundClamp.rounding)),
            multiply.a.eq(self.a), multiply.b.eq(self.b),
            extreme.a.eq(self.a), extreme.b.eq(self.b), extreme.minimum.eq(self.minimum),
            convert.i.eq(self.a), convert.offset.eq(self.offset),
            convert_byte.i.eq(self.a[:10]), convert_byte.offset.eq(self.offset),
            quantise.x.eq(self.a), round_clamp.x.eq(self.a), round_clamp.enable.eq(delay(m, self.enable, RoundClamp.rounding)),
        ]
        for unit in (quantise, round_clamp):
            m.d.comb += [unit.offset.eq(delay(m, self.post, 1)),
                         unit.low.eq(delay(m, self.low, 2)), unit.high.eq(delay(m, self.high, 2))]
        return m


@pytest.fixture(scope="module")
def units():
    top = Units()
    latencies = {name: unit.latency for name, unit in top.units.items()}
    stream = Stream(top)

    def run(unit, **operands):
        length = len(operands["a"])
        return stream.run(operands)[unit][latencies[unit]:][:length]

    return run


def check(got, expected, *operands):
    """Equal, or the first differing operands in the message."""
    expected = np.asarray(expected, np.int64) & 0xFFFFFFFF
    wrong = np.flatnonzero(got != expected)
    first = [hex(int(o[wrong[0]]) & 0xFFFFFFFF) for o in operands] if len(wrong) else None
    assert not len(wrong), (f"{len(wrong)} of {len(got)} differ; {first} gives {int(got[wrong[0]]):#010x}, "
                            f"not {int(expected[wrong[0]]):#010x}")


def reached(results):
    """How often each kind of result occurs among binary32 results."""
    exponent, magnitude = results >> 23 & 255, results & 0x7FFFFFFF
    kinds = {"zero": magnitude == 0, "infinite": magnitude == 0x7F800000, "nan": results == exact.NAN,
             "smallest": exponent == 1, "largest": exponent == 254}
    return {kind: int(which.sum()) for kind, which in kinds.items()}


def test_fma(units):
    rng = np.random.default_rng(1)
    corners = np.array(list(itertools.product(CORNERS, repeat=3)), np.uint32).T
    a, b, c = operands = np.concatenate([corners, triples(rng, 1_000_000)], axis=1)
    expected = [exact.fma(*abc) for abc in zip(*operands.tolist())]
    got = units("fma", a=a, b=b, c=c)
    check(got, expected, a, b, c)
    assert min(reached(got[len(corners.T):]).values()) > 1000
    normal = np.isfinite(as_float(got)) & (got & 0x7FFFFFFF != 0)
    with np.errstate(all="ignore"):
        double = (as_float(a).astype(np.float64) * as_float(b) + as_float(c)).astype(np.float32)
        separate = as_float(a) * as_float(b) + as_float(c)
    assert (normal & (as_bits(double) != got)).sum() > 100, "no operand tells one rounding from binary64's two"
    assert (normal & (as_bits(separate) != got)).sum() > 100_000, "no operand tells fused from separate"


def test_fma_forms_that_replace_bypasses(units):
    """``fma(x, 1, -0)`` is x, ``fma(x, y, -0)`` the product, ``fma(x, 1, y)`` the sum."""
    x, y = np.array(list(itertools.product(CORNERS, repeat=2)), np.uint32).T
    one, minus_zero = np.full_like(x, 0x3F800000), np.full_like(x, 0x80000000)
    same = units("fma", a=x, b=one, c=minus_zero)
    plain = np.where(x >> 23 & 255, x, x & 0x80000000)
    check(same, np.where(x & 0x7FFFFFFF > 0x7F800000, exact.NAN, plain), x)
    assert np.array_equal(units("fma", a=x, b=y, c=minus_zero), units("multiply", a=x, b=y))
    assert np.array_equal(units("fma", a=x, b=one, c=y), units("add", a=x, b=y))


@pytest.mark.parametrize(("unit", "model"), [("add", exact.add), ("multiply", exact.multiply)])
def test_sum_and_product(units, unit, model):
    rng = np.random.default_rng(2)
    corners = np.array(list(itertools.product(CORNERS, repeat=2)), np.uint32).T
    a, b = operands = np.concatenate([corners, pairs(rng, 300_000)], axis=1)
    got = units(unit, a=a, b=b)
    check(got, [model(*ab) for ab in zip(*operands.tolist())], a, b)
    assert min(reached(got).values()) > 100
    with np.errstate(all="ignore"):
        native = as_float(a) + as_float(b) if unit == "add" else as_float(a) * as_float(b)
    both_normal = (a >> 23 & 255 > 0) & (b >> 23 & 255 > 0) & ~np.isnan(native) & (abs(native) >= 2.0**-126)
    assert np.array_equal(as_bits(native)[both_normal], got[both_normal]), "the host's own arithmetic differs"


@pytest.mark.parametrize(("unit", "choice", "model"), [
    ("extreme", {"minimum": 0}, exact.maximum), ("extreme", {"minimum": 1}, exact.minimum), ("add", {"maximum": 1}, exact.maximum)])
def test_extreme(units, unit, choice, model):
    rng = np.random.default_rng(3)
    corners = np.array(list(itertools.product(CORNERS, repeat=2)), np.uint32).T
    a, b = operands = np.concatenate([corners, pairs(rng, 150_000)], axis=1)
    got = units(unit, a=a, b=b, **{name: np.full(len(a), value) for name, value in choice.items()})
    check(got, [model(*ab) for ab in zip(*operands.tolist())], a, b)


@pytest.mark.parametrize(("unit", "width"), [("convert", 32), ("convert_byte", 10)])
def test_convert(units, unit, width):
    rng = np.random.default_rng(4)
    powers = [s * (1 << k) + d for k in range(width - 1) for d in range(-3, 4) for s in (1, -1)]
    ends = [-(1 << width - 1) + d for d in range(4)] + [(1 << width - 1) - 1 - d for d in range(4)]
    random = rng.integers(-1 << width - 1, 1 << width - 1, 300_000) >> rng.integers(0, width, 300_000)
    ties = rng.integers(0, 1 << 24, 50_000) * 2 + 1 << rng.integers(0, 7, 50_000)  # 25 bits, the last one set
    values = np.concatenate([np.array(powers + ends), random, ties])
    values = np.array([exact.wrap(v, width) for v in values.tolist()])
    offset = np.where(rng.integers(0, 2, len(values)), 0, rng.integers(-383, 384, len(values)))
    got = units(unit, a=values, offset=offset)
    check(got, [exact.from_integer(v, o, width) for v, o in zip(values.tolist(), offset.tolist())], values, offset)


@pytest.mark.parametrize("unit", ["quantise", "round_clamp"])
def test_round_offset_clamp(units, unit):
    rng = np.random.default_rng(5)
    x = numbers_to_round(rng, 300_000)
    offset, low, high = rng.integers(-256, 256, (3, len(x)))
    usual = rng.integers(0, 4, len(x)) > 0  # bounds in order; else hi wins over lo
    low, high = np.where(usual, np.minimum(low, high), low), np.where(usual, np.maximum(low, high), high)
    model = exact.quantise if unit == "quantise" else exact.round_clamp
    got = units(unit, a=x, post=offset, low=low, high=high, enable=np.ones(len(x)))
    expected = np.array([model(*o) for o in zip(x.tolist(), offset.tolist(), low.tolist(), high.tolist())])
    if unit == "quantise":
        got, expected = got & 0x1FF, expected & 0x1FF
    check(got, expected, x, offset, low, high)
    whole = np.array([exact.rne(v) for v in x.tolist()])
    assert (whole + offset < low).sum() > 10_000 and (whole + offset > high).sum() > 10_000
    assert ((whole + offset > low) & (whole + offset < high)).sum() > 10_000
    assert {0, 2**31 - 1, -2**31} <= set(whole.tolist())


def test_round_clamp_can_be_passed_by(units):
    rng = np.random.default_rng(6)
    x = np.array([exact.multiply(v, 0x3F800000) for v in numbers_to_round(rng, 4000).tolist()])
    enable = rng.integers(0, 2, len(x))  # each element has its own
    rounded = np.array([exact.round_clamp(v, 0, -200, 200) for v in x.tolist()])
    got = units("round_clamp", a=x, post=0 * x, low=0 * x - 200, high=0 * x + 200, enable=enable)
    check(got, np.where(enable, rounded, x), x, enable)


def test_model_agrees_with_binary64_where_that_is_exact():
    """The oracle itself: products of binary32 numbers are exact in binary64, and rounding them is the host's."""
    rng = np.random.default_rng(7)
    a, b = pairs(rng, 40_000)
    with np.errstate(all="ignore"):
        host = (as_float(a).astype(np.float64) * as_float(b)).astype(np.float32)
    normal = (a >> 23 & 255 > 0) & (b >> 23 & 255 > 0) & (abs(host) >= 2.0**-126)
    ours = np.array([exact.multiply(*ab) for ab in zip(a.tolist(), b.tolist())], np.uint32)
    assert normal.sum() > 10_000
    assert np.array_equal(as_bits(host)[normal], ours[normal])
    assert [exact.rne(v) for v in as_bits([0.5, 1.5, -2.5, 3e9, -3e9, np.inf, np.nan]).tolist()] == [
        0, 2, -2, 2**31 - 1, -2**31, 2**31 - 1, 0]


@pytest.mark.parametrize("width", [1, 33])
def test_convert_rejects(width):
    with pytest.raises(ValueError, match=rf"^width must be in 2\.\.32, not {width}$"):
        FromInteger(width)
