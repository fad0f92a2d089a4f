"""The static checker: what the compiler writes passes, and whatever is taken away from it does not."""

from dataclasses import replace

import pytest

from tenon.acg.encoding import Header
from tenon.compiler import checker
from tenon.compiler.checker import IllegalProgram, check_program, decode_image
from tenon.compiler.compile import compile_graph
from tenon.compiler.errors import CompileError
from tenon.compiler.instruction import Instruction
from tenon.compiler.tokens import place_tokens
from tenon.hw.encoding import ENCODING
from tenon.tb.kernel_networks import COVENANTS, small_network

GRAPH = COVENANTS["tiny"]
SIZES = {"CONSTANTS": 4096, "ARENA": 4096, "INPUTS": 4096, "OUTPUTS": 4096}
OPEN = {"y_lim": 1, "x_lim": 1}


@pytest.fixture(scope="module")
def program():
    return compile_graph(small_network(), GRAPH, effort=1)


def image(code) -> bytes:
    return b"".join(ENCODING.encode(i.mnemonic, i.fields, i.header) for i in code) + bytes(128)


def make(name, header=None, **fields) -> Instruction:
    mnemonic = GRAPH.mnemonic(name)
    return Instruction(mnemonic, mnemonic.complete(fields), header or Header())


def test_decoding_gives_the_program_back(program):
    decoded = decode_image(GRAPH, program.image())
    assert [(i.mnemonic.name, i.fields, i.header) for i in decoded] == [
        (i.mnemonic.name, i.fields, i.header) for i in program.instructions]


def without_a_wait(code):
    """``code`` without any one wait and the signal that belongs to it."""
    given: dict[int, list[tuple[int, str]]] = {}
    seen: dict[int, int] = {}
    pairs = []
    for k, i in enumerate(code):
        for token in (t for t in range(16) if i.header.waits >> t & 1):
            pairs.append((token, k, *given[token][seen.get(token, 0)]))
            seen[token] = seen.get(token, 0) + 1
        for kind in ("release", "done"):
            for token in (t for t in range(16) if getattr(i.header, kind) >> t & 1):
                given.setdefault(token, []).append((k, kind))
    for token, waiter, signaller, kind in pairs:
        broken = list(code)
        broken[waiter] = replace(code[waiter], header=replace(code[waiter].header, waits=code[waiter].header.waits ^ 1 << token))
        head = broken[signaller].header
        broken[signaller] = replace(broken[signaller], header=replace(head, **{kind: getattr(head, kind) ^ 1 << token}))
        yield broken


def refusal(code, program):
    try:
        check_program(GRAPH, image(code), program.segments)
    except IllegalProgram as error:
        return str(error)


def test_tokens_are_needed(program):
    """Without any one wait the program is not legal, but for one in a hundred: hazards are
    found by boxes around what instructions touch, and checked element by element."""
    refusals = [refusal(code, program) for code in without_a_wait(list(program.instructions))]
    assert len(refusals) > 150 and refusals.count(None) <= len(refusals) // 100
    assert all("may still be using" in said for said in refusals if said is not None)


def test_what_is_forgotten_is_over(program, monkeypatch):
    """With a history that forgets all the time, and one that never does, the same is said of each program."""
    broken = list(without_a_wait(list(program.instructions)))[::4]
    monkeypatch.setattr(checker, "_ROWS", 2)
    said = [refusal(code, program) for code in (program.instructions, *broken)]
    monkeypatch.setattr(checker, "_ROWS", 1 << 14)
    assert said == [refusal(code, program) for code in (program.instructions, *broken)] and said[0] is None


def test_a_wait_without_a_signal_would_stop_for_ever(program):
    code = list(program.instructions)
    k = next(k for k, i in enumerate(code) if i.header.done)
    code[k] = replace(code[k], header=replace(code[k].header, done=0))
    with pytest.raises(IllegalProgram, match=r"^instruction \d+: .* waits for token \d+ more often than anything before it signals it$"):
        check_program(GRAPH, image(code), program.segments)


@pytest.mark.parametrize(("code", "message"), [
    ([make("LOAD", n=4, **OPEN), make("MATRIX")], r"1: MATRIX reads bytes of ACT that instruction 0 \(LOAD\) may still be using"),
    ([make("MATRIX"), make("LOAD", n=4, **OPEN)], r"1: LOAD writes bytes of ACT that instruction 0 \(MATRIX\) may still be using"),
    ([make("VECTOR", d=4), make("VECTOR", x_sel="u8", x=4)],
     r"1: VECTOR reads bytes of VEC that instruction 0 \(VECTOR\) may still be using"),
    ([make("LOAD", n=4, s=4095, **OPEN)], r"0: LOAD touches bytes 4095\.\.4098 of CONSTANTS, which has 4096"),
    ([make("STORE", n=4, d=-1)], r"0: STORE touches bytes -1\.\.2 of CONSTANTS, which has 4096"),
    ([make("LOAD", n=4, d=8190, **OPEN)], r"0: LOAD writes ACT bytes 8190\.\.8193 of 8192"),
    ([make("VECTOR", n_o0=2)], r"0: VECTOR writes a byte of VEC twice"),
    ([make("VECTOR", x_sel="u8", n_o0=2, x_o0=1, d=1, d_o0=1)], r"0: VECTOR reads bytes of VEC that it writes"),
    ([make("LOAD", Header(done=1), n=4, **OPEN), make("VECTOR", Header(done=1))],
     r"1: token 0 is signalled by LOAD done and VECTOR done"),
    ([make("LOAD", Header(done=1), n=4, **OPEN), make("LOAD", Header(done=1), n=4, **OPEN), make("MATRIX", Header(waits=1)),
      make("STORE", Header(waits=1))], r"3: STORE waits for token 0, which MATRIX waits for too"),
    ([make("LOAD", Header(done=1), n=4, **OPEN)] * 255, r"\d+: token 0 can be signalled more than 255 times ahead"),
])
def test_illegal_programs(code, message):
    with pytest.raises(IllegalProgram, match=f"^instruction {message}$"):
        check_program(GRAPH, image(code), SIZES)


def test_the_accumulators_are_kept_in_order_by_their_unit():
    check_program(GRAPH, image([make("MATRIX"), make("MATRIX", init="keep")]), SIZES)


def test_guards_keep_virtual_addresses_out():
    outside = make("LOAD", n=8, s=-4, x=-4, x_run="on", x_lim=4, y_lim=1)
    check_program(GRAPH, image([outside]), SIZES)
    with pytest.raises(IllegalProgram, match="bytes -1..2 of CONSTANTS"):
        check_program(GRAPH, image([replace(outside, fields={**outside.fields, "x": -3})]), SIZES)


def test_undecodable_images():
    with pytest.raises(IllegalProgram, match=r"^instruction 1: the program has no END$"):
        check_program(GRAPH, image([make("MATRIX")])[:-128], SIZES)
    with pytest.raises(IllegalProgram, match=r"^instruction 0: no instruction has opcode 15$"):
        check_program(GRAPH, bytes([15]) + bytes(255), SIZES)


def test_too_few_counters_are_shared_or_refused(program):
    bare = [replace(i, header=Header()) for i in program.instructions]
    needed = {t for i in program.instructions for t in range(16) if i.header.waits >> t & 1}
    few = replace(GRAPH, sequencer=replace(GRAPH.sequencer, tokens=len(needed) - 1))
    check_program(GRAPH, image(place_tokens(few, bare)), program.segments)
    none = replace(GRAPH, sequencer=replace(GRAPH.sequencer, tokens=2))
    with pytest.raises(CompileError, match=r"^the program needs \d+ token counters; tiny has 2$"):
        place_tokens(none, bare)


@pytest.mark.parametrize("lead", [300, 600], ids=["a later signal", "an earlier wait"])
def test_no_counter_overflows_however_far_its_producer_is_ahead(lead):
    words = GRAPH.memory("ACT").words
    loads = [make("LOAD", n=4, d=4 * (k % words), **OPEN) for k in range(600)]
    products = [make("MATRIX", a=k % words, d=k % 16) for k in range(600)]
    rest = loads[lead:]
    code = [*loads[:lead], *(i for pair in zip(products, rest) for i in pair), *products[len(rest):]]
    placed = place_tokens(GRAPH, code)
    check_program(GRAPH, image(placed), SIZES)
    assert sum(i.header.done != 0 for i in placed) > 240
