"""Instruction selection: which instruction a statement becomes, and with what fields."""

from dataclasses import replace

import pytest

from tenon.acg.expr import Aff, Load, Lookup, Loop, Nest, Op, Operand, Reduce, Val, field
from tenon.acg.field import extent, integer
from tenon.acg.mnemonic import Mnemonic
from tenon.compiler.codelets import average_pool, conv, max_pool
from tenon.compiler.layout import blocked, dense
from tenon.compiler.machine import Machine
from tenon.compiler.placing import Tile, place
from tenon.compiler.select import patterns_of, routes, select
from tenon.tb.kernel_networks import COVENANTS

EDGE16 = COVENANTS["edge16"]
WINDOW = {"stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1, "pad_top": 1, "pad_left": 1}
SCALARS = {"zx": 3, "zw": 0, "zy": 7, "lo": 0, "hi": 255, "ra": 0.5, "rb": 0.25, "fixed": 1.0, "sum_lo": 1, "sum_hi": 254,
           "scale": 0.125}
TILES = {
    "x": Tile("ACT", blocked((1, 10, 58, 64), 16)),
    "w": Tile("WGT", dense([("ic", 4, 16), ("oc", 4, 16), ("kh", 3, 1), ("kw", 3, 1), ("ic", 16, 1), ("oc", 16, 1)])),
    "acc": Tile("ACC", dense([("c", 4, 16), ("n", 1, 1), ("h", 8, 1), ("w", 56, 1), ("c", 16, 1)], 4)),
    "bias": Tile("PAR", dense([("oc", 64, 1)], 4)), "scale": Tile("PAR", dense([("oc", 64, 1)], 4)),
    "y": Tile("VEC", blocked((1, 8, 56, 64), 16)), "r": Tile("VEC", blocked((1, 8, 56, 64), 16)),
}
EXTENTS = {"n": 1, "oh": 8, "ow": 56, "oc": 64, "ic": 64, "kh": 3, "kw": 3}


def placed(codelet, statement, tiles=TILES, extents=EXTENTS, graph=EDGE16, **more):
    return selected(place(codelet.statements[statement], codelet.dims, tiles, extents, WINDOW | SCALARS | more), graph)


def selected(statement, graph=EDGE16):
    return select(patterns_of(graph.mnemonics, statement), statement)


def test_products_go_to_the_array():
    template = placed(conv("u8", "i8"), "start")
    assert template.mnemonic.name == "MATRIX"
    fields = template.at(x=16 * 5, w=16 * 7, acc=64 * 2, bias=64 * 3)
    expected = {"a": 5, "w": 7, "d": 2, "b": 3, "za": 3, "act_signed": 0, "wgt_signed": 1, "n_n": 4, "n_m1": 8, "n_m0": 56,
                "a_m1": 58, "a_m0": 1, "d_n": 448, "w_n": 144, "init": 2}
    assert {k: fields[k] for k in expected} == expected
    levels = {(fields[f"n_k{i}"], fields[f"a_k{i}"], fields[f"w_k{i}"]) for i in range(4) if fields[f"n_k{i}"] > 1}
    assert levels == {(3, 58, 48), (3, 1, 16), (4, 580, 576)}


def test_later_chunks_add_to_the_sums():
    assert placed(conv("i8", "u8"), "resume").fields["init"] == 1


def test_an_operand_between_words_has_no_instruction():
    template = placed(conv("u8", "i8"), "start")
    with pytest.raises(ValueError, match=r"^MATRIX\.a must count units of 16 bytes$"):
        template.at(x=8, w=0, acc=0, bias=0)
    crooked = TILES | {"x": Tile("ACT", dense([("c", 4, 16), ("n", 1, 1), ("h", 10, 1), ("w", 58, 1), ("c", 24, 1)]))}
    assert placed(conv("u8", "i8"), "start", crooked) is None


@pytest.mark.parametrize(("side", "swap"), [("a", 0), ("b", 1)])
def test_a_residual_addition_is_one_pass_in_either_order(side, swap):
    template = placed(conv("u8", "i8", residual=side, residual_type="i8", scale_per_channel=True), "finish")
    fields = template.fields
    assert (template.mnemonic.name, fields["swap"], fields["rc"], fields["rc_off"]) == ("VECTOR", swap, 1, 7)
    assert (fields["f1_p"], fields["f1_q"], fields["f2_p"]) == (0.25, 1.0, 0.5)
    assert (fields["post"], fields["lo"], fields["hi"], fields["s_sel"]) == (0, 1, 254, 1)


def test_a_product_through_an_adder_adds_minus_zero():
    tiles = {"x": Tile("VEC", blocked((1, 8, 8, 16), 16)), "y": Tile("VEC", blocked((1, 4, 4, 16), 16))}
    extents = {"n": 1, "oh": 4, "ow": 4, "oc": 16, "kh": 2, "kw": 2}
    template = placed(average_pool("u8"), "finish", tiles, extents, sx=0.5, over_count=0.25, over_scale=2.0, zy=3.0,
                      stride_h=2, stride_w=2)
    fields = template.fields
    assert str(fields["f1_q"]) == "-0.0" and fields["f1_p"] == 0.25 and fields["f2_q"] == 3.0
    assert fields["n_q1"] * fields["n_q0"] == 4 and fields["n_i"] > 1, "sums interleave outputs"
    assert (fields["x_q1"], fields["x_q0"]) == (8, 1), "row-major order"
    template = placed(max_pool("u8"), "finish", tiles, extents, stride_h=2, stride_w=2)
    assert template.fields["reduce"] == 1


def test_runs_are_as_long_as_memory_allows():
    row, run = Loop("row", 10), Loop("run", 928)
    source = Load(Operand("ARENA", "u8", (1,)), (field("far") + row * 896 + run,))
    target = Load(Operand("ACT", "u8", (1,)), (field("near") + row * 928 + run,))
    guard = Op("and", (Op("within", (Val(field("y") + row), Val(8))), Op("within", (Val(field("x") + run), Val(896)))))
    template = selected(Nest((row, run), target, Op("select", (guard, source, Val(9)))))
    assert template.mnemonic.name == "LOAD"
    fields = template.at(far=-912, near=64, y=-1, x=-16)
    expected = {"n": 928, "n_l0": 10, "x_run": 1, "fill": 9, "s": -912, "d": 64, "y": -1, "y_l0": 1, "x": -16, "y_lim": 8,
                "x_lim": 896, "mem": 0, "seg": 1}
    assert {k: fields[k] for k in expected} == expected


def test_what_no_instruction_does_is_none():
    i, k = Loop("i", 16), Loop("k", 4)
    read = Load(Operand("VEC", "u8", (1,)), (Aff.of(i) + k * 16,))
    summed = Nest((i,), Load(Operand("WGT", "u8", (1,)), (Aff.of(i),)), Reduce("add", (k,), read))
    assert selected(summed) is None


@pytest.mark.parametrize(("name", "lanes"), [("edge16", (16, 16)), ("4x16", (4, 16)), ("16x8", (16, 8))])
def test_memories_and_lanes_are_found_by_matching(name, lanes):
    machine = Machine(COVENANTS[name])
    assert machine.products.memory == {"x": "ACT", "w": "WGT", "acc": "ACC", "bias": "PAR", "zero": "PAR"}
    assert machine.epilogue.memory == {"acc": "ACC", "y": "VEC", "r": "VEC", "scale": "PAR", "table": "TAB"}
    assert (machine.reduction_lanes, machine.channel_lanes) == lanes


def lanes_only(*loops):
    """An instruction without levels: for its lanes B and C, from one address, are multiplied."""
    form = field("s")
    for step, loop in zip((1, 4), loops):
        form = form + loop * step
    product = Op("mul", (Load(Operand("B", "i32", (4,)), (form,)), Load(Operand("C", "i32", (4,)), (form,))))
    target = Load(Operand("D", "i32", (4,)), (form - field("s") + field("d"),))
    return Mnemonic("PRODUCT", 1, "UNIT", (integer("s", 0, 99), integer("d", 0, 99)), Nest(loops, target, product))


def product_of(b, c):
    lane = Loop("i", 4)
    return Nest((lane,), Load(Operand("D", "i32", (4,)), (field("d") + lane,)),
                Op("mul", (Load(Operand("B", "i32", (4,)), (field(b) + lane,)), Load(Operand("C", "i32", (4,)), (field(c) + lane,)))))


def summing(element, loops):
    """An instruction that sums 16 numbers, four of them in lanes."""
    lane, level = Loop("r", 4), Loop("q", "n")
    body = Load(Operand("B", element, (4,)), (field("s") + lane + level * 4,))
    target = Load(Operand("D", element, (4,)), (field("d"),))
    return Mnemonic("SUM", 1, "UNIT", (extent("n"), integer("s", 0, 99), integer("d", 0, 99)),
                    Nest((), target, Reduce("add", (lane, level)[::loops], body)))


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(("element", "found"), [("i32", True), ("f32", False)])
def test_lanes_have_no_order_for_sums_of_binary32(element, found, order):
    k = Loop("k", 16)
    statement = Nest((), Load(Operand("D", element, (4,)), (field("d"),)),
                     Reduce("add", (k,), Load(Operand("B", element, (4,)), (field("b") + k,))))
    assert (select(patterns_of([summing(element, order)], statement), statement) is not None) == found


@pytest.mark.parametrize("element", ["u8", "i32"])
def test_tables_have_their_elements(element):
    i = Loop("i", 4)
    index = Load(Operand("B", "u8", (1,)), (field("b") + i,))
    effect = Nest((i,), Load(Operand("D", "u8", (1,)), (field("d") + i,)), Lookup(
        Operand("T", element, (1,)), field("t"), Load(Operand("B", "u8", (1,)), (field("s") + i,))))
    mnemonic = Mnemonic("LOOK", 1, "UNIT", tuple(integer(name, 0, 99) for name in "std"), effect)
    statement = Nest((i,), Load(Operand("D", "u8", (1,)), (field("d") + i,)), Lookup(Operand("T", "u8", (1,)), field("table"), index))
    assert (select(patterns_of([mnemonic], statement), statement) is not None) == (element == "u8")


def test_one_field_has_one_value():
    mnemonic = lanes_only(Loop("l", 4))
    template = select(patterns_of([mnemonic], product_of("x", "x")), product_of("x", "x"))
    assert template.at(x=8, d=4) == {"s": 8, "d": 4}
    assert select(patterns_of([mnemonic], product_of("x", "y")), product_of("x", "y")) is None, "one address is not two"


@pytest.mark.parametrize("order", [1, -1])
def test_neighbouring_lanes_take_the_innermost_loop(order):
    near, far = Loop("near", 4), Loop("far", 2)
    mnemonic = lanes_only(near, far)
    mnemonic = replace(mnemonic, effect=replace(mnemonic.effect, loops=(near, far)[::order]))
    outer, inner = Loop("outer", 2), Loop("inner", 4)

    def element(name):
        return Load(Operand(f"?{name}", "i32", (4,)), (field(name) + outer * 4 + inner,))

    statement = Nest((outer, inner), element("d"), Op("mul", (element("b"), element("c"))))
    (route,) = routes([mnemonic], statement)
    assert route.lanes == {"inner": 4, "outer": 2}
