"""The code of a flash bus: what was encoded comes out again with up to t errors anywhere, and more are told."""

import random
from collections import Counter

import pytest

from tenon.hw.storage.flash.code import BchDecoder, BchEncoder
from tenon.hw.storage.flash.field import Bch
from tenon.hw.storage.flash.solver import KeySolver
from tenon.tb.simulated import simulator

DATA = (24, 40)  # bytes of two kinds of codewords


@pytest.mark.parametrize("bits", range(8, 17))
def test_fields_have_generators(bits):
    field = Bch(bits, 2).field
    assert sorted(field.powers) == list(range(1, 1 << bits))


@pytest.mark.parametrize(("m", "t", "width"), [(13, 4, 16), (13, 8, 16), (10, 3, 8), (14, 5, 32), (13, 2, 32)])
def test_codewords(m, t, width):
    rng, seen, code, each = random.Random(m * t), Counter(), Bch(m, t), width // 8
    parity_words = -(-code.parity_bits // width)
    lengths = tuple(size // each + parity_words for size in DATA)
    encoder, decoder = BchEncoder(code, width=width), BchDecoder(code, width=width, lengths=lengths)
    kinds = [rng.randrange(2) for _ in range(40)]
    data = [rng.randbytes(DATA[kind]) for kind in kinds]
    sent = []

    async def encode(ctx):
        for text in data:
            words = []
            for k in range(0, len(text), each):
                ctx.set(encoder.i_valid, 1)
                ctx.set(encoder.i_first, k == 0)
                ctx.set(encoder.i, int.from_bytes(text[k:k + each], "little"))
                words.append(int.from_bytes(text[k:k + each], "little"))
                await ctx.tick()
            ctx.set(encoder.i_valid, 0)
            ctx.set(encoder.o_next, 1)
            parity = b""
            for _ in range(parity_words):
                word = ctx.get(encoder.o)
                words.append(word)
                parity += word.to_bytes(each, "little")
                await ctx.tick()
            ctx.set(encoder.o_next, 0)
            assert int.from_bytes(parity, "big") == code.encode(text) << (8 * len(parity) - code.parity_bits)
            sent.append(words)

    sim = simulator(encoder)
    sim.add_testbench(encode)
    sim.run()

    errors = [rng.choice([0, 0, 1, 2, t - 1, t, t, t + 1, t + 3]) for _ in data]
    stream, received = [], []
    for words, count, kind in zip(sent, errors, kinds):
        words = list(words)
        for place in rng.sample(range(len(words) * width), count):
            words[place // width] ^= 1 << place % width
        stream += [(word, k == len(words) - 1, kind) for k, word in enumerate(words)]

    async def feed(ctx):
        todo = list(stream)
        while todo:
            ctx.set(decoder.i_valid, rng.random() < 0.9)
            for name, value in zip(("i", "i_last", "i_kind"), todo[0]):
                ctx.set(getattr(decoder, name), value)
            taken = ctx.get(decoder.i_valid) and ctx.get(decoder.i_ready)
            await ctx.tick()
            if taken:
                todo.pop(0)
        ctx.set(decoder.i_valid, 0)

    async def watch(ctx):
        words = []
        for _ in range(20_000):
            ctx.set(decoder.o_ready, rng.random() < 0.9)
            if ctx.get(decoder.o_valid) and ctx.get(decoder.o_ready):
                words.append(ctx.get(decoder.o))
                if ctx.get(decoder.o_last):
                    received.append((words, ctx.get(decoder.o_failed), ctx.get(decoder.o_errors), ctx.get(decoder.o_kind)))
                    words = []
                    if len(received) == len(data):
                        return
            await ctx.tick()

    sim = simulator(decoder)
    sim.add_testbench(feed)
    sim.add_testbench(watch, background=False)
    sim.run()
    assert len(received) == len(data)
    for number, (words, failed, count, kind) in enumerate(received):
        assert kind == kinds[number]
        if errors[number] <= t:
            assert not failed and count == errors[number] and words == sent[number], f"codeword {number} with {errors[number]} errors"
            seen["corrected"] += errors[number] > 0
        else:
            seen["failed"] += failed
            seen["missed"] += not failed
    assert seen["corrected"] > 10 and seen["failed"] > 3 and seen["missed"] <= 1, seen


def test_codewords_with_errors_take_as_long_as_they_are():
    """Solving is behind the next one's coming in, and the one after that fills what goes out."""
    rng, code, width, size, count = random.Random(5), Bch(13, 8), 16, 512, 6
    parity_bytes = -(-code.parity_bits // width) * width // 8
    lengths = ((size + parity_bytes) * 8 // width,) * 2
    decoder = BchDecoder(code, width=width, lengths=lengths)
    words, ends = [], []
    for _ in range(count):
        data = rng.randbytes(size)
        text = data + (code.encode(data) << 8 * parity_bytes - code.parity_bits).to_bytes(parity_bytes, "big")
        codeword = [int.from_bytes(text[k:k + width // 8], "little") for k in range(0, len(text), width // 8)]
        for place in rng.sample(range(len(codeword) * width), code.t):
            codeword[place // width] ^= 1 << place % width
        words += codeword

    async def feed(ctx):
        ctx.set(decoder.i_valid, 1)
        for number, word in enumerate(words):
            ctx.set(decoder.i, word)
            ctx.set(decoder.i_last, number % lengths[0] == lengths[0] - 1)
            while not ctx.get(decoder.i_ready):
                await ctx.tick()
            await ctx.tick()
        ctx.set(decoder.i_valid, 0)

    async def watch(ctx):
        ctx.set(decoder.o_ready, 1)
        for cycle in range(len(words) * 3):
            if ctx.get(decoder.o_valid) and ctx.get(decoder.o_last):
                assert ctx.get(decoder.o_errors) == code.t and not ctx.get(decoder.o_failed)
                ends.append(cycle)
                if len(ends) == count:
                    return
            await ctx.tick()

    sim = simulator(decoder)
    sim.add_testbench(feed)
    sim.add_testbench(watch, background=False)
    sim.run()
    assert KeySolver(code, first=[0], cycles=lengths[0]).lanes == 1, "two multipliers are enough"
    assert len(ends) == count and (ends[-1] - ends[0]) / (count - 1) < 1.02 * lengths[0], ends
