"""Dwords come out as they went in, whatever the lanes on both sides."""

import random
from collections import Counter, deque

import pytest

from tenon.hw.storage.dword_fifo import DwordFifo
from tenon.tb.simulated import simulator


@pytest.mark.parametrize(("i_lanes", "o_lanes"), [(1, 1), (2, 1), (1, 4), (4, 4), (8, 2)])
def test_histories(i_lanes, o_lanes):
    rng, seen = random.Random(10 * i_lanes + o_lanes), Counter()
    dut, rows = DwordFifo(i_lanes=i_lanes, o_lanes=o_lanes, rows=4), 4
    capacity = rows * max(i_lanes, o_lanes)

    async def bench(ctx):
        held, shown = deque(), None
        for cycle in range(3600):
            assert ctx.get(dut.stored) == len(held)
            seen["empty"] += not held
            if shown is not None:
                first, dwords = shown
                assert [ctx.get(dut.o) >> 32 * (first + k) & 0xFFFFFFFF for k in range(len(dwords))] == dwords
            greedy = cycle // 150 % 2
            count = min(capacity - len(held), rng.randrange(i_lanes + 1)) if rng.random() < (0.9 if greedy else 0.1) else 0
            first = rng.randrange(i_lanes - count + 1) if count < i_lanes or count == 0 else 0
            first = min(first, i_lanes - 1)
            word = rng.getrandbits(32 * i_lanes)
            take = min(len(held), rng.randrange(1, o_lanes + 1)) if rng.random() < (0.1 if greedy else 0.95) else 0
            o_first = rng.randrange(o_lanes - take + 1) if take < o_lanes else 0
            o_first = min(o_first, o_lanes - 1)
            ctx.set(dut.i_count, count)
            ctx.set(dut.i_first, first)
            ctx.set(dut.i, word)
            ctx.set(dut.o_count, take or 1)
            ctx.set(dut.o_first, o_first)
            ctx.set(dut.o_enable, take > 0)
            if take:
                shown = o_first, [held.popleft() for _ in range(take)]
            held.extend(word >> 32 * (first + k) & 0xFFFFFFFF for k in range(count))
            seen["full"] += len(held) == capacity
            seen["both"] += count > 0 and take > 0
            await ctx.tick()

    sim = simulator(dut)
    sim.add_testbench(bench)
    sim.run()
    assert min(seen[k] for k in ("full", "empty", "both")) > 15, seen
