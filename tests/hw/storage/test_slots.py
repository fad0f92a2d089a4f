"""Slots: every command that came in is brought to its completion once, as it was ended first."""

import random
from collections import Counter, deque

import pytest

from tenon.hw.storage.slots import SlotTable
from tenon.tb.simulated import simulator


@pytest.mark.parametrize("pairs, slots", [(2, 16), (9, 64)])
def test_histories(pairs, slots):
    dut, rng, seen = SlotTable(pairs=pairs, slots=slots), random.Random(slots), Counter()

    async def bench(ctx):
        free, held, told, open_, ended = set(range(slots)), {}, deque(), {}, {}
        arriving, taken = deque(), deque()
        for cycle in range(8000):
            eager = (cycle // 700) % 2
            # Fetch: a slot is taken, and a command is in it some cycles later.
            ctx.set(dut.n_valid, 0)
            ctx.set(dut.s_valid, 0)
            if arriving and rng.random() < 0.5:
                slot = arriving.popleft()
                held[slot] = rng.randrange(pairs), rng.getrandbits(16)
                for name, value in (("valid", 1), ("slot", slot), ("queue", held[slot][0]), ("cid", held[slot][1])):
                    ctx.set(getattr(dut, f"n_{name}"), value)
                    if name != "cid":
                        ctx.set(getattr(dut, f"s_{name}"), value)
                told.append(slot)
            may = ctx.get(dut.free)
            assert may <= len(free)
            take = may and rng.random() < (0.6 if eager else 0.05)
            ctx.set(dut.a_take, bool(take))
            if take:
                slot = ctx.get(dut.a_slot)
                assert slot in free, "a slot is given out twice"
                free.remove(slot)
                arriving.append(slot)
            seen["none free"] += not may
            # Firmware hears of commands, and ends them in any order; at times twice, or others.
            ctx.set(dut.m_ready, rng.random() < 0.5)
            if ctx.get(dut.m_valid) and ctx.get(dut.m_ready):
                slot = ctx.get(dut.m_slot)
                assert told and slot == told.popleft()
                open_[slot] = held.pop(slot)
            which = rng.choice(list(open_)) if open_ and rng.random() < 0.8 else rng.randrange(slots)
            unknown = which in held  # it is there, and firmware was not told yet
            finish = rng.random() < 0.2 and not unknown
            status, result = rng.getrandbits(15), rng.getrandbits(64)
            for name, value in (("valid", finish), ("slot", which), ("status", status), ("result", result)):
                ctx.set(getattr(dut, f"f_{name}"), int(value))
            # Completions.
            ctx.set(dut.p_ready, rng.random() < 0.3)
            ctx.set(dut.p_again, rng.random() < 0.4)
            posted = bool(taken) and rng.random() < 0.3  # in the order in which they were taken
            for name, value in zip(("posted", "posted_slot", "posted_queue"), (1, *taken[0]) if posted else (0, 0, 0)):
                ctx.set(getattr(dut, name), value)
            if finish and ctx.get(dut.f_ready):
                assert bool(ctx.get(dut.f_wrong)) == (which not in open_)
                seen["wrong"] += which not in open_
                if which in open_:
                    ended[which] = *open_.pop(which), status, result
                    seen["ended"] += 1
            elif finish:
                seen["held up"] += 1
            else:
                assert not ctx.get(dut.f_wrong)
            if posted:
                free.add(taken.popleft()[0])
                seen["several"] += len(taken) > 1
            if ctx.get(dut.p_valid) and ctx.get(dut.p_ready):
                shown = tuple(ctx.get(getattr(dut, f"p_{name}")) for name in ("queue", "cid", "status", "result"))
                (slot,) = [s for s, end in ended.items() if end == shown]
                if ctx.get(dut.p_again):
                    seen["again"] += 1
                else:
                    assert ctx.get(dut.p_slot) == slot
                    taken.append((slot, ended.pop(slot)[0]))
                    seen["posted"] += 1
            await ctx.tick()
            assert ctx.get(dut.open) == sum(1 << s for s in {**open_, **held})

    sim = simulator(dut)
    sim.add_testbench(bench)
    sim.run()
    assert seen["posted"] > 3 * slots and min(seen[what] for what in ("wrong", "again", "several", "held up", "none free")) > 20, seen
