"""Posting completions: each is in its queue once, in the order in which they were taken, with the right phase; nothing else is written."""

import random
from collections import Counter, deque

import pytest

from tenon.hw.axi import OKAY, SLVERR
from tenon.hw.storage.complete import CompletionPost
from tenon.hw.storage.nvme.entries import COMPLETION, COMPLETION_BYTES
from tenon.hw.storage.prp import PAGE_BYTES
from tenon.tb.simulated import simulator

PAIRS = 3


@pytest.mark.parametrize("host_bits", [64, 128, 512])
@pytest.mark.parametrize("error", [False, True])
def test_histories(host_bits, error):
    rng, seen = random.Random(host_bits + error), Counter()
    dut, width = CompletionPost(pairs=PAIRS, entries=16, host_bits=host_bits, tag_bits=8, note_bits=4), host_bits // 8

    async def bench(ctx):
        sizes, bases = [2, 5, 16], [PAGE_BYTES * (rng.getrandbits(51) + 10 * q) for q in range(PAIRS)]
        belongs = [rng.randrange(PAIRS) for _ in range(PAIRS - 1)] + [2]
        heads, tails, phases, fetched = [0] * PAIRS, [0] * PAIRS, [1] * PAIRS, [rng.randrange(16) for _ in range(PAIRS)]
        memory, waiting, current, expected = {}, deque(), None, deque()
        addresses, beats, answer, asked, whole = [], [], None, (0, 0), max(1, COMPLETION_BYTES // width)
        for cycle in range(9000):
            if current is None and rng.random() < 0.5:
                if not waiting or rng.random() < 0.6:
                    waiting.append((rng.randrange(PAIRS), rng.getrandbits(16), rng.getrandbits(15), rng.getrandbits(64),
                                    rng.getrandbits(8)))
                current = waiting.popleft()
            for q in range(PAIRS):  # the host reads
                if heads[q] != tails[q] and rng.random() < 0.01:
                    heads[q] = (heads[q] + 1) % sizes[q]
            ctx.set(dut.i_valid, current is not None)
            for name, value in zip(("queue", "cid", "status", "result", "tag"), current or (0, 0, 0, 0, 0)):
                ctx.set(getattr(dut, f"i_{name}"), value)
            ctx.set(dut.s_head, fetched[asked[0]])  # as memories answer
            ctx.set(dut.s_completion, belongs[asked[0]])
            ctx.set(dut.c_base, bases[asked[1]] // PAGE_BYTES)
            ctx.set(dut.c_note, asked[1] + 7)
            c = ctx.get(dut.c_queue)
            asked = ctx.get(dut.s_queue), c
            ctx.set(dut.c_tail, tails[c])
            ctx.set(dut.c_phase, phases[c])
            full = (tails[c] + 1) % sizes[c] == heads[c]
            ctx.set(dut.c_full, full)
            ctx.set(dut.aw_ready, rng.random() < 0.5)
            ctx.set(dut.w_ready, rng.random() < 0.5)
            ctx.set(dut.b_valid, answer is not None)
            ctx.set(dut.b_resp, answer or OKAY)
            if ctx.get(dut.i_ready):
                queue, cid, status, result, tag = current
                if ctx.get(dut.i_again):
                    assert full and not ctx.get(dut.c_push)
                    waiting.append(current)
                    seen["again"] += 1
                else:
                    assert not full and ctx.get(dut.c_push) and c == belongs[queue]
                    text = COMPLETION.pack(result=result, sq_head=fetched[queue], sq_id=queue, cid=cid, phase=phases[c], sc=status & 0xFF,
                                           sct=status >> 8 & 7, crd=status >> 11 & 3, more=status >> 13 & 1, dnr=status >> 14)
                    expected.append((c, bases[c] + tails[c] * COMPLETION_BYTES, text, tag))
                    seen["several"] += len(expected) > 2
                    tails[c] = (tails[c] + 1) % sizes[c]
                    phases[c] ^= tails[c] == 0
                    seen["around"] += tails[c] == 0
                current = None
            if ctx.get(dut.aw_valid) and ctx.get(dut.aw_ready):
                addresses.append(ctx.get(dut.aw_addr))
                assert addresses[-1] % width == 0 and ctx.get(dut.aw_len) + 1 == max(1, COMPLETION_BYTES // width)
            if ctx.get(dut.w_valid) and ctx.get(dut.w_ready):
                beats.append((ctx.get(dut.w_data).to_bytes(width, "little"), ctx.get(dut.w_strb)))
                assert ctx.get(dut.w_last) == (len(beats) % whole == 0)
            answered = answer is not None and ctx.get(dut.b_ready)
            assert bool(ctx.get(dut.posted)) == bool(answered and answer == OKAY)
            if answered:
                where, at, text, tag = expected.popleft()
                assert ctx.get(dut.o_tag) == tag and ctx.get(dut.o_note) == where + 7
                assert {at + k: text[k] for k in range(COMPLETION_BYTES)} == memory, "not the entry, or not alone"
                seen["posted", where] += answer == OKAY
                memory, answer = {}, None
            elif answer is None and addresses and len(beats) >= whole and rng.random() < (0.3 if cycle // 500 % 2 else 0.02):
                memory = {addresses[0] + width * n + k: word[k] for n, (word, strobes) in enumerate(beats[:whole]) for k in range(width)
                          if strobes >> k & 1}
                del addresses[0], beats[:whole]
                answer = SLVERR if error and cycle > 6000 else OKAY
                seen["failed"] += answer != OKAY
            await ctx.tick()
        assert bool(ctx.get(dut.o_failed)) == (seen["failed"] > 0) == error, seen

    sim = simulator(dut)
    sim.add_testbench(bench)
    sim.run()
    assert seen["several"] > 20 and seen["again"] > 20 and seen["around"] > 5, seen
