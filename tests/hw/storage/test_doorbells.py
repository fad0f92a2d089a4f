"""Doorbells against a model of every queue, with hosts that write what they must not."""

import random
from collections import Counter

import pytest

from tenon.hw.storage.doorbells import DoorbellError, Doorbells
from tenon.tb.simulated import simulator


class Queue:
    """Heads and tails as the specification has them."""

    def __init__(self, entries, kind):
        self.entries, self.kind, self.head, self.tail, self.phase = entries, kind, 0, 0, 1

    @property
    def used(self):
        return (self.tail - self.head) % self.entries

    def write(self, value):
        """Whether the host may."""
        if value >= self.entries:
            return False
        if self.kind == "cq":
            right = (value - self.head) % self.entries <= self.used
            self.head = value if right else self.head
        else:
            right = (value - self.tail) % self.entries <= self.entries - 1 - self.used
            self.tail = value if right else self.tail
        return right


@pytest.mark.parametrize("pairs, entries", [(1, 4), (3, 16), (5, 16)])
def test_random_histories(pairs, entries):
    dut, rng, seen = Doorbells(pairs=pairs, entries=entries), random.Random(pairs), Counter()

    async def bench(ctx):
        queues = {}
        event = None  # what waits to be told
        for _ in range(6000):
            what = rng.choices(["define", "remove", "write", "take", "push", "event"], [1, 1, 14, 8, 8, 5])[0]
            q, kind = rng.randrange(pairs), rng.choice(["sq", "cq"])
            mine = queues.get((kind, q))
            ctx.set(dut.s_queue, q)
            ctx.set(dut.c_queue, q)
            if what in ("define", "remove"):
                size = rng.randint(2, entries)
                made = {"queue": q, "completion": kind == "cq", "enable": what == "define", "last": size - 1, "valid": 1}
                for name, value in made.items():
                    ctx.set(getattr(dut, f"d_{name}"), int(value))
                queues.pop((kind, q), None)
                if what == "define":
                    queues[kind, q] = Queue(size, kind)
                await ctx.tick()
                ctx.set(dut.d_valid, 0)
            elif what == "write":
                number = 2 * q + (kind == "cq") if rng.random() < 0.95 else rng.randrange(2 * pairs, 1 << 16)
                at = (mine.head if kind == "cq" else mine.tail) if mine else 0
                near = (at + rng.randint(0, 3)) % (mine.entries if mine else entries)
                value = rng.choice([rng.randrange(entries), near, rng.getrandbits(16)])
                for name, given in (("index", number), ("value", value), ("valid", 1)):
                    ctx.set(getattr(dut, f"w_{name}"), given)
                await ctx.tick()
                ctx.set(dut.w_valid, 0)
                await ctx.tick()
                known = mine if number < 2 * pairs else None
                if not (known and known.write(value)):
                    seen["wrong", known is not None] += 1
                    event = event or (DoorbellError.VALUE if known else DoorbellError.REGISTER, number)
            elif what == "take" and (sq := queues.get(("sq", q))):
                expected = min(sq.used, sq.entries - sq.head)
                assert (ctx.get(dut.s_head), ctx.get(dut.s_count)) == (sq.head, expected)
                taken = rng.randint(0, expected)
                ctx.set(dut.s_taken, taken)
                ctx.set(dut.s_take, 1)
                sq.head = (sq.head + taken) % sq.entries
                seen["around"] += taken > 0 and sq.head == 0
                await ctx.tick()
                ctx.set(dut.s_take, 0)
            elif what == "push":
                cq = queues.get(("cq", q))
                full = cq is None or cq.used == cq.entries - 1
                assert ctx.get(dut.c_full) == full
                if cq:
                    assert (ctx.get(dut.c_tail), ctx.get(dut.c_phase)) == (cq.tail, cq.phase)
                ctx.set(dut.c_push, 1)
                if full:
                    seen["full", cq is not None] += 1
                else:
                    cq.tail = (cq.tail + 1) % cq.entries
                    cq.phase ^= cq.tail == 0
                await ctx.tick()
                ctx.set(dut.c_push, 0)
            elif what == "event" and event:
                assert ctx.get(dut.e_valid) and (ctx.get(dut.e_error), ctx.get(dut.e_index)) == event
                ctx.set(dut.e_ready, 1)
                await ctx.tick()
                ctx.set(dut.e_ready, 0)
                event = None
            assert bool(ctx.get(dut.e_valid)) == (event is not None)
            for name, which in (("pending", "sq"), ("unread", "cq")):
                expected = sum(1 << q for (k, q), queue in queues.items() if k == which and queue.used)
                assert ctx.get(getattr(dut, name)) == expected

    sim = simulator(dut)
    sim.add_testbench(bench)
    sim.run()
    assert min(seen["wrong", True], seen["wrong", False], seen["around"], seen["full", True]) > 10, seen
