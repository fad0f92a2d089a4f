"""Other words for a statement say the same, to the bit."""

import numpy as np
import pytest

from tenon.acg.expr import Load, Nest, Op, Operand, Reduce
from tenon.acg.interpret import run as interpret
from tenon.compiler.codelets.codelet import loops
from tenon.compiler.codelets.conv import conv
from tenon.compiler.codelets.depthwise import depthwise
from tenon.compiler.codelets.elementwise import add, largest, lookup, multiply
from tenon.compiler.codelets.pool import average_pool, global_pool, max_pool
from tenon.compiler.layout import dense
from tenon.compiler.packets.statement import canonical, raw, unrolled, whole
from tests.compiler.packets.kernels import placed

EXTENTS = {"n": 1, "oh": 3, "ow": 5, "oc": 16, "kh": 2, "kw": 3, "ic": 4}
ATTRIBUTES = {"stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1, "pad_top": 0, "pad_left": 0, "za": 7, "zb": -3,
              "zx": 5, "zw": -2, "zy": 6.0, "ra": 0.61, "rb": 0.43, "fixed": -3.5, "scale": 0.007,
              "sx": 0.02, "over_count": 1 / 6, "over_scale": 37.5}
INNER = {"x": dense([("n", 1, 1), ("h", 4, 1), ("w", 7, 1), ("c", 16, 1)]), "table": dense([("i", 256, 1)])}
OUTER = dense([("n", 1, 1), ("h", 3, 1), ("w", 5, 1), ("c", 16, 1)])


def nest_of(codelet, bounds):
    names = {n for n in codelet.dims if n != "acc"}
    layouts = {n: INNER[n] if n == "table" or n == "x" and codelet.name == "pool" else OUTER for n in names}
    return layouts, placed(codelet.statements["finish"], codelet.dims, layouts, EXTENTS, ATTRIBUTES | dict(zip(("lo", "hi"), bounds)))


CASES = [(f"{c.__name__} {a} {b}", c(a, b), bounds) for c in (add, multiply, largest) for a, b in (("u8", "i8"), ("i8", "u8"))
         for bounds in ((0, 255), (3, 250))]
CASES += [(f"{c.__name__} {kind}", c(kind), bounds) for c in (lookup, max_pool, average_pool, global_pool)
          for kind, bounds in (("u8", (0, 255)), ("i8", (-128, 127)), ("u8", (9, 200)))]


def outcome(nest, layouts, contents):
    base, at = {}, 0
    for name, layout in layouts.items():
        base[name], at = at, at + -(-layout.bytes // 512) * 512
    memory = np.resize(contents, at).copy()
    interpret(nest, base, {"SPM": memory})
    return memory


@pytest.mark.parametrize(("codelet", "bounds"), [case[1:] for case in CASES], ids=[case[0] + str(case[2]) for case in CASES])
def test_other_words_say_the_same(codelet, bounds):
    layouts, nest = nest_of(codelet, bounds)
    expr, element = raw(canonical(nest.expr), "u8")
    target = nest.destination
    other = Nest(nest.loops, Load(Operand(target.operand.name, element, (1,)), target.index), unrolled(expr))
    contents = np.random.default_rng(1).integers(0, 256, 1 << 14, dtype=np.uint8)
    assert np.array_equal(outcome(nest, layouts, contents), outcome(other, layouts, contents))


def test_bytes_are_not_rounded_and_the_largest_is_found_among_bytes():
    for kind, bounds in (("u8", (0, 255)), ("i8", (-128, 127))):
        _, nest = nest_of(max_pool(kind), bounds)
        expr, element = raw(canonical(nest.expr), "u8")
        assert isinstance(expr, Reduce) and isinstance(expr.body, Load) and element == kind
        assert isinstance(unrolled(expr), Op)
    _, nest = nest_of(max_pool("u8"), (1, 255))
    assert raw(canonical(nest.expr), "u8")[0].name == "u8"


def test_sums_stay_in_the_order_of_their_loops():
    """Sums of integers are left to instructions, those of binary32 begin with their first two terms."""
    _, nest = nest_of(average_pool("u8"), (0, 255))
    total = unrolled(canonical(nest.expr))
    adds = [e for e in chain(total) if isinstance(e, Op) and e.name == "add"]
    assert adds and not any(isinstance(e, Reduce) for e in chain(total))
    outer = loops("n")
    sums = Reduce("add", outer, Load(Operand("x", "i32", (4,)), (outer[0],)))
    assert unrolled(sums) is not None and isinstance(unrolled(sums), Reduce)


def chain(expr):
    yield expr
    for child in expr.children:
        yield from chain(child)


def test_two_statements_in_one():
    start, end = depthwise("u8", "i8"), conv("u8", "i8", scale_per_channel=True)
    joined = whole(start.statements["start"], end.statements["finish"])
    reads = {e.operand.name for e in chain(joined.expr) if isinstance(e, Load)}
    assert reads == {"x", "w", "bias", "scale"} and joined.destination.operand.name == "y"
