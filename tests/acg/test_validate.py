"""A graph that describes no machine is refused in a line that names the part and the rule."""

from dataclasses import replace

import pytest

from tenon.acg.encoding import Encoding
from tenon.acg.errors import CovenantError
from tenon.acg.expr import Aff, Choose, Load, Lookup, Loop, Nest, Op, Operand, Reduce, Val, field
from tenon.acg.graph import Edge, Graph, Memory, Role, Segment
from tenon.acg.mnemonic import real
from tenon.acg.validate import validate
from tenon.hw.covenant import covenant
from tenon.hw.presets import PRESETS, preset

TINY = covenant(preset("tiny"))


@pytest.mark.parametrize("name", PRESETS)
def test_generated_graphs_are_valid(name):
    validate(covenant(preset(name)))


def with_effect(name, effect, **changes):
    return replace(TINY, mnemonics=tuple(replace(m, effect=effect(m.effect), **changes) if m.name == name else m for m in TINY.mnemonics))


def encoded(bits=1024, **places):
    header = tuple((name, *places.get(name, (offset, width))) for name, offset, width in TINY.sequencer.encoding.header)
    return replace(TINY, sequencer=replace(TINY.sequencer, encoding=Encoding(bits, header)))


def reading(memory="VEC", element="u8", form=None):
    """STORE of something else."""
    return lambda e: Nest(e.loops, e.destination, Load(Operand(memory, element, (1,)), (form or field("s"),)))


@pytest.mark.parametrize(("graph", "message"), [
    (replace(TINY, memories=(*TINY.memories, TINY.memories[0])), "ACT is there 2 times among memories"),
    (replace(TINY, segments=(*TINY.segments, TINY.segments[1])), "ARENA is there 2 times among segments"),
    (replace(TINY, units=(*TINY.units[:-1], replace(TINY.units[-1], name="ACT"))),
     "ACT is there 2 times among memories, units and segments"),
    (replace(TINY, mnemonics=tuple(replace(m, opcode=3) for m in TINY.mnemonics)), "3 is there 5 times among opcodes"),
    (with_effect("STORE", lambda e: e, opcode=16), r"STORE's opcode must be in 1\.\.15, not 16"),
    (with_effect("STORE", lambda e: e, opcode=0), r"STORE's opcode must be in 1\.\.15, not 0"),
    (with_effect("STORE", lambda e: e, fields=(*TINY.mnemonic("STORE").fields, *(real(f"p{i}") for i in range(31)))),
     "STORE must have at most 1024 bits, not 1[0-9]{3}"),
    (encoded(bits=1020), "an instruction must have whole bytes, not 1020 bits"),
    (encoded(waits=(3, 16)), "the encoding's waits must have bits of its own"),
    (encoded(mark=(52, 0)), "the encoding's mark must have bits of its own"),
    (encoded(done=(36, 8)), "waits, release and done of the encoding must be of the same tokens"),
    (replace(TINY, segments=TINY.segments[:3]), "there is no segment for outputs"),
    (replace(TINY, segments=(*TINY.segments, Segment("MORE", Role.INPUTS))), "inputs is there 2 times among roles of segments"),
    (replace(TINY, bus_bytes=0), "bus_bytes must be at least 1, not 0"),
    (replace(TINY, sequencer=replace(TINY.sequencer, tokens=0)), "tokens must be at least 1, not 0"),
    (replace(TINY, memories=(*TINY.memories, Memory("LUT", 4, 0))), "memory LUT must have words, bytes in them and banks"),
    (replace(TINY, units=TINY.units[1:]), "LOAD is of unit LOAD, which there is not"),
    (replace(TINY, units=(replace(TINY.units[0], ordered=("SUMS",)), *TINY.units[1:])),
     "unit LOAD keeps the order of SUMS, which is no memory"),
    (with_effect("STORE", reading("LUT")), "STORE: there is no memory or segment LUT"),
    (with_effect("STORE", reading(element="u16")), "STORE: an element of VEC must be one of u8, i8, i32, f32, not 'u16'"),
    (with_effect("STORE", reading(form=field("nowhere"))), "STORE: there is no field nowhere"),
    (with_effect("STORE", reading(form=field("s") + Loop("other", 1))), "STORE: there is no loop other"),
    (with_effect("STORE", reading(form=Aff.of(0))), "STORE: an access of VEC must have one field as its base, not 0"),
    (with_effect("STORE", lambda e: Nest((*e.loops, e.loops[0]), e.destination, e.expr)), "STORE: l3 is there 2 times among its loops"),
    (with_effect("STORE", lambda e: Nest(e.loops, e.destination, Reduce("add", (Loop("l3", 2),), e.expr))), "STORE: loop l3 has 2 extents"),
    (with_effect("STORE", lambda e: Nest(e.loops, e.destination, Reduce("add", (e.loops[0],), e.expr))), "STORE: loop l3 is open already"),
    (with_effect("STORE", lambda e: Nest(e.loops, e.destination, Op("add", (Reduce("add", (Loop("r", 2),), Val(1)), Val(field("s") + Loop(
        "r", 2)))))), "STORE: there is no loop r"),
    (with_effect("STORE", lambda e: Nest(e.loops, e.destination, Val(field("s") + field("d")))),
     "STORE: d \\+ s must have at most one field as its base"),
    (with_effect("STORE", lambda e: Nest(e.loops, e.destination, Val(field("s") * e.loops[0] + e.loops[0] * 3))),
     ".* must have at most one field as its base, and one field or number as each loop's step"),
    (with_effect("VECTOR", lambda e: Nest(e.loops, e.destination, Val(field("f1_p") + 1))),
     "VECTOR: f1_p is binary32, and no part of an index"),
    (with_effect("STORE", lambda e: Nest(e.loops, e.destination, Choose("s", (e.expr,)))),
     "STORE: s must have choices, by which it chooses"),
    (with_effect("VECTOR", lambda e: Nest(e.loops, e.destination, Lookup(Operand("TAB", "i32", (4,)), field("t"), e.expr))),
     "VECTOR: a table's elements must be u8, not i32"),
    (replace(TINY, sequencer=replace(TINY.sequencer, tokens=17)), "tokens must be at most 16, as many as an instruction can name, not 17"),
    (with_effect("STORE", lambda e: Nest((*e.loops, Loop("more", "n_more")), e.destination, e.expr)), "STORE: there is no field n_more"),
    (with_effect("STORE", lambda e: Nest((*e.loops, Loop("more", "s")), e.destination, e.expr)),
     "STORE: s, the extent of loop more, must be a whole number, at least 1"),
    (with_effect("STORE", lambda e: Nest((*e.loops, Loop("s", 2)), e.destination, e.expr)), "STORE: s is a loop and a field"),
    (with_effect("STORE", lambda e: Nest((*e.loops, Loop("none", 0)), e.destination, e.expr)),
     "STORE: loop none must have at least one step"),
    (with_effect("STORE", lambda e: Nest(e.loops, e.destination, Choose("seg", (e.expr, e.expr)))),
     r"STORE: seg must be in 0\.\.1, of which there are alternatives, not in 0\.\.3"),
    (with_effect("STORE", lambda e: Nest(e.loops, e.destination, Choose("which", (e.expr,)))), "STORE: there is no field which"),
    (with_effect("STORE", lambda e: Nest(e.loops, e.destination, Op("cube", (e.expr,)))), "STORE: there is no operation cube of 1"),
    (with_effect("STORE", lambda e: Nest(e.loops, e.destination, Op("add", (e.expr,)))), "STORE: there is no operation add of 1"),
    (with_effect("STORE", lambda e: Nest(e.loops, e.destination, Reduce("mul", (Loop("r", 2),), e.expr))),
     "STORE: a reduction must be by add, max, min, not by mul"),
    (with_effect("STORE", lambda e: Nest(e.loops, Op("u8", (e.destination,)), e.expr)),
     "STORE: what is written must be an element of a memory"),
    (replace(TINY, edges=(*TINY.edges, Edge("VEC", "NOWHERE", 4))), "the edge from VEC to NOWHERE ends at NOWHERE, which there is not"),
    (replace(TINY, edges=(*TINY.edges, Edge("TAB", "STORE", 4))), "no instruction moves anything from TAB to STORE"),
    (replace(TINY, edges=TINY.edges[1:]), "there is no edge from DRAM to LOAD, which instructions take"),
    (replace(TINY, memories=(*TINY.memories, Memory("LUT", 4, 16))), "nothing writes memory LUT"),
])
def test_what_is_no_machine(graph, message):
    with pytest.raises(CovenantError, match=f"^tiny: {message}") as error:
        validate(graph)
    assert "\n" not in str(error.value)


def test_a_file_is_validated():
    graph = replace(TINY, edges=TINY.edges[1:])
    with pytest.raises(CovenantError, match="there is no edge from DRAM to LOAD"):
        Graph.from_json(graph.to_json())
