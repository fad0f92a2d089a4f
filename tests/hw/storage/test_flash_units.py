"""Units into flash and out of it: bytes as the format has them; bit errors are corrected, blank and spoilt units told."""

import random
from collections import Counter, deque

import pytest

from tenon.hw.presets import preset
from tenon.hw.storage.flash.page import UnitFormat
from tenon.hw.storage.flash.unit_reader import UnitReader, UnitStatus
from tenon.hw.storage.flash.unit_writer import UnitWriter
from tenon.hw.storage.params import UNIT_BYTES, StorageParams
from tenon.tb.simulated import simulator
from tenon.tb.simulated_bus import ReadSide, WriteSide

SHAPES = {
    "tiny": StorageParams(accelerator=preset("tiny"), bch_t=4, burst_bytes=64),
    "wide": StorageParams(accelerator=preset("edge8"), flash_bytes_per_cycle=4, bch_bytes=1024, bch_t=6, page_bytes=16384, spare_bytes=448),
    "narrow": StorageParams(accelerator=preset("edge16"), flash_bytes_per_cycle=1, bch_t=8),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_written_as_the_format_has_it(shape):
    params, rng = SHAPES[shape], random.Random(7)
    dut, unit, width = UnitWriter(params), UnitFormat(params), params.flash_bytes_per_cycle
    units = [(rng.randbytes(UNIT_BYTES), rng.getrandbits(48), rng.getrandbits(48), rng.getrandbits(31)) for _ in range(2)]
    memory = {n * 0x10000 + k: byte for n, (text, *_) in enumerate(units) for k, byte in enumerate(text)}
    reads = ReadSide(dut, "", params.memory_bits, memory.get, rng)

    async def bench(ctx):
        waiting, words, written = deque(enumerate(units)), b"", []
        for _ in range(60_000):
            if waiting:
                number, (_, lba, sequence, place) = waiting[0]
                for name, value in (("addr", number * 0x10000), ("lba", lba), ("sequence", sequence), ("place", place)):
                    ctx.set(getattr(dut, f"i_{name}"), value)
            ctx.set(dut.i_valid, bool(waiting))
            ctx.set(dut.o_ready, rng.random() < 0.9)
            reads.before(ctx)
            if waiting and ctx.get(dut.i_ready):
                waiting.popleft()
            if ctx.get(dut.o_valid) and ctx.get(dut.o_ready):
                words += ctx.get(dut.o).to_bytes(width, "little")
                if ctx.get(dut.o_last):
                    assert not ctx.get(dut.o_error)
                    written.append(words)
                    words = b""
            reads.after(ctx)
            if len(written) == len(units):
                break
            await ctx.tick()
        assert written == [unit.encode(*given) for given in units]
        assert len(written[0]) == unit.size

    sim = simulator(dut)
    sim.add_testbench(bench)
    sim.run()


@pytest.mark.parametrize("shape", ["tiny", "wide"])
def test_read_with_errors(shape):
    params, rng, seen = SHAPES[shape], random.Random(11), Counter()
    dut, unit, width = UnitReader(params), UnitFormat(params), params.flash_bytes_per_cycle
    kinds = ["errors", "blank", "spoilt", "good"] if shape == "tiny" else ["errors", "good"]
    units, texts, written = [], [], {}
    for kind in kinds:
        given = (rng.randbytes(UNIT_BYTES), rng.getrandbits(48), rng.getrandbits(48), rng.getrandbits(31))
        text, flipped = bytearray(unit.encode(*given)), 0
        if kind == "blank":
            text = bytearray(b"\xFF" * len(text))
            text[rng.randrange(len(text))] ^= 4
        elif kind == "errors":
            begin = 0
            for part in range(unit.parts):
                size = unit.lengths[part == unit.parts - 1] * width
                count = rng.choice([0, 1, params.bch_t])
                for bit in rng.sample(range(8 * size), count):
                    text[begin + bit // 8] ^= 1 << bit % 8
                flipped += count
                begin += size
        elif kind == "spoilt":
            for bit in rng.sample(range(8 * params.bch_bytes), 3 * params.bch_t):
                text[bit // 8] ^= 1 << bit % 8
        units.append((given, flipped))
        texts.append(bytes(text))
    writes = WriteSide(dut, "", params.memory_bits, lambda a, v: written.__setitem__(a, v) or True, rng)

    async def bench(ctx):
        announced, told = 0, 0
        words = deque(text[k:k + width] for text in texts for k in range(0, len(text), width))
        for _ in range(80_000):
            ctx.set(dut.j_valid, announced < len(units))
            ctx.set(dut.j_addr, announced * 0x10000)
            ctx.set(dut.j_place, units[min(announced, len(units) - 1)][0][3])
            ctx.set(dut.i_valid, bool(words) and len(words) > (len(units) - announced) * unit.words - 1)
            ctx.set(dut.i, int.from_bytes(words[0], "little") if words else 0)
            ctx.set(dut.o_ready, rng.random() < 0.3)
            writes.before(ctx)
            if ctx.get(dut.i_valid) and ctx.get(dut.i_ready):
                words.popleft()
            if announced < len(units) and ctx.get(dut.j_ready):
                announced += 1
            if ctx.get(dut.o_valid) and ctx.get(dut.o_ready):
                (text, lba, sequence, _), flipped = units[told]
                kind, status = kinds[told], ctx.get(dut.o_status)
                due = {"blank": UnitStatus.ERASED, "spoilt": UnitStatus.FAILED}.get(kind, UnitStatus.GOOD)
                assert status == due, f"unit {told} ({kind})"
                if due is UnitStatus.GOOD:
                    assert (ctx.get(dut.o_lba), ctx.get(dut.o_sequence), ctx.get(dut.o_errors)) == (lba, sequence, flipped)
                    assert bytes(written[told * 0x10000 + k] for k in range(UNIT_BYTES)) == text
                seen[kind] += 1
                told += 1
            writes.after(ctx)
            if told == len(units):
                break
            await ctx.tick()
        assert told == len(units), seen

    sim = simulator(dut)
    sim.add_testbench(bench)
    sim.run()
