"""The hardware's judgement of instructions against the covenant's: legal ones, one word too far, and bad fields."""

from __future__ import annotations

import random
from collections import Counter

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from tenon.acg.mnemonic import accesses
from tenon.acg.random_fields import random_fields
from tenon.hw.covenant import covenant
from tenon.hw.encoding import ENCODING
from tenon.hw.registers import ErrorCode
from tenon.tb.bench_params import bench_params
from tenon.tb.engine_driver import reset

_CASES = 400
_CYCLE_LIMIT = 200  # of one judgement


def _cases(graph, rng: random.Random):
    """(instruction, expected verdict, what it is): a kind's name, or the field that is bad."""
    sizes = graph.memory_bytes | dict.fromkeys(graph.segment_names, 1 << 14)
    loose = [(m, f.name) for m in graph.mnemonics for f, _, width, _ in ENCODING.places(m)
             if f.kind != "f32" and f.high - f.low < (1 << width) - 1]
    for number in range(_CASES):
        kind = ("legal", "beyond", "field", "opcode")[number % 4]
        # bad values go round the fields, so that each is met whatever the random numbers are
        mnemonic, bad = loose[number // 4 % len(loose)] if kind == "field" else (rng.choice(graph.mnemonics), "")
        env = random_fields(mnemonic, sizes, rng, work=300)
        word = int.from_bytes(ENCODING.encode(mnemonic, env), "little")
        if kind == "legal":
            yield word, ErrorCode.NONE, kind
        elif kind == "beyond":
            chosen = [a for a in accesses(mnemonic) if a.chosen(env) and a.memory in graph.memory_bytes]
            access = rng.choice(chosen)
            _, last = access.corners(env)
            moved = env[access.base] + (graph.memory_bytes[access.memory] - 1 - last) // access.unit + 1
            if moved > mnemonic.field(access.base).high:
                continue
            env = {**env, access.base: moved}
            assert mnemonic.violations(env, graph.memory_bytes)
            yield int.from_bytes(ENCODING.encode(mnemonic, env), "little"), ErrorCode.ADDRESS, kind
        elif kind == "field":
            f, offset, width = next((f, o, w) for f, o, w, _ in ENCODING.places(mnemonic) if f.name == bad)
            bits = rng.choice([b for b in range(1 << width) if not f.low <= f.decode(b) <= f.high])
            yield word & ~((1 << width) - 1 << offset) | bits << offset, ErrorCode.FIELD, f.name
        else:
            known = {m.opcode for m in graph.mnemonics}
            yield word & ~15 | rng.choice([o for o in range(16) if o not in known]), ErrorCode.OPCODE, kind


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def verdicts(dut):
    await reset(dut)
    seen = Counter()
    for word, expected, kind in _cases(covenant(bench_params()), random.Random(1)):
        dut.i_instr.value = word
        dut.start.value = 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        for _ in range(_CYCLE_LIMIT):
            await FallingEdge(dut.clk)
            if dut.finish.value:
                break
        else:
            raise AssertionError(f"no verdict on a {kind} instruction")
        verdict = ErrorCode(dut.error.value.to_unsigned())
        assert verdict == expected, f"{kind}: {verdict.name}, not {expected.name}"
        seen[expected] += 1
        seen[kind] += 1
        await RisingEdge(dut.clk)
    assert min(seen[code] for code in (ErrorCode.NONE, ErrorCode.ADDRESS, ErrorCode.FIELD, ErrorCode.OPCODE)) > 40
    assert {"mem", "init", "za", "zw", "x_sel", "y_sel", "zx", "zy"} <= set(seen)
