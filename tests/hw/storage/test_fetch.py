"""Fetching commands: every entry that hosts wrote comes into a slot once, in its queue's order, and nothing else is read."""

import random
from collections import Counter, deque

import pytest

from tenon.hw.axi import OKAY, SLVERR
from tenon.hw.storage.fetch import FETCH_BURST, SubmissionFetch
from tenon.hw.storage.nvme.entries import SUBMISSION_BYTES
from tenon.hw.storage.prp import PAGE_BYTES
from tenon.tb.simulated import simulator

PAIRS, SLOTS = 3, 16


class Host:
    """Rings in memory, written entry by entry; the drive's side of the doorbells and the slots."""

    def __init__(self, rng, entries, width):
        self.rng, self.width, self.memory = rng, width, {}
        self.sizes = [rng.choice([2, 5]), entries, rng.randint(10, entries)]
        self.bases = [PAGE_BYTES * (rng.getrandbits(51) + 10 * q) for q in range(PAIRS)]
        self.heads, self.tails, self.written = [0] * PAIRS, [0] * PAIRS, [deque() for _ in range(PAIRS)]
        self.free, self.requests, self.got = deque(range(SLOTS)), deque(), {}

    def submit(self, queue):
        after = (self.tails[queue] + 1) % self.sizes[queue]
        if after == self.heads[queue]:
            return
        entry = self.rng.randbytes(SUBMISSION_BYTES)
        at = self.bases[queue] + SUBMISSION_BYTES * self.tails[queue]
        self.memory |= {at + k: entry[k:k + self.width] for k in range(0, SUBMISSION_BYTES, self.width)}
        self.written[queue].append(entry)
        self.tails[queue] = after

    def count(self, queue):
        used = (self.tails[queue] - self.heads[queue]) % self.sizes[queue]
        return min(used, self.sizes[queue] - self.heads[queue])


@pytest.mark.parametrize("host_bits, entries", [(64, 16), (128, 128), (512, 1024)])
@pytest.mark.parametrize("error", [False, True])
def test_histories(host_bits, entries, error):
    rng, seen = random.Random(host_bits + error), Counter()
    dut = SubmissionFetch(pairs=PAIRS, entries=entries, slots=SLOTS, host_bits=host_bits)
    host = Host(rng, entries, host_bits // 8)

    async def bench(ctx):
        beats, busy, asked = deque(), deque(), 0
        for cycle in range(6000):
            eager = (cycle // 500) % 2  # times with full queues, and with single commands
            for queue in range(PAIRS):
                if rng.random() < (0.3 if eager else 0.01):
                    host.submit(queue)
            if busy and rng.random() < (0.02 if eager else 0.2):
                host.free.extend(busy.popleft() for _ in range(rng.choice([1, len(busy)])))
            queue = ctx.get(dut.s_queue)
            ctx.set(dut.pending, sum(1 << q for q in range(PAIRS) if host.count(q)))
            ctx.set(dut.s_base, host.bases[asked] // PAGE_BYTES)  # as a memory answers
            asked = queue
            ctx.set(dut.s_head, host.heads[queue])
            ctx.set(dut.s_count, host.count(queue))
            ctx.set(dut.free, len(host.free))
            ctx.set(dut.a_slot, host.free[0] if host.free else rng.randrange(SLOTS))
            ctx.set(dut.ar_ready, rng.random() < 0.5)
            offered = bool(beats) and rng.random() < 0.8
            ctx.set(dut.r_valid, offered)
            if offered:
                data, resp, last = beats[0]
                ctx.set(dut.r_data, int.from_bytes(data, "little"))
                ctx.set(dut.r_resp, resp)
                ctx.set(dut.r_last, last)
            if ctx.get(dut.ar_valid) and ctx.get(dut.ar_ready):
                address, length = ctx.get(dut.ar_addr), ctx.get(dut.ar_len) + 1
                size = length * host.width
                assert address // PAGE_BYTES == (address + size - 1) // PAGE_BYTES and size <= FETCH_BURST * SUBMISSION_BYTES and not beats
                wrong = error and cycle > 3000 and rng.random() < 0.2
                at = rng.randrange(length) if wrong else length
                for k in range(length):  # a key that is missing was not written
                    beats.append((host.memory[address + k * host.width], SLVERR if k == at else OKAY, k == length - 1))
                seen["bursts"] += 1
                seen["most"] = max(seen["most"], size // SUBMISSION_BYTES)
                seen["failed"] += wrong
            if ctx.get(dut.o_valid):
                slot = ctx.get(dut.o_slot)
                host.got[slot] = host.got.get(slot, b"") + ctx.get(dut.o_data).to_bytes(host.width, "little")
                assert ctx.get(dut.o_beat) == len(host.got[slot]) // host.width - 1
                if ctx.get(dut.o_end):
                    assert host.got.pop(slot) == host.written[ctx.get(dut.o_queue)].popleft(), "not the next entry of its queue"
                    assert ctx.get(dut.a_take) and host.free.popleft() == slot
                    busy.append(slot)
                    seen["commands", ctx.get(dut.o_queue)] += 1
                else:
                    assert not ctx.get(dut.a_take)
            seen["no slots"] += not host.free
            seen["error seen"] += offered and beats[0][1] == SLVERR
            assert not seen["error seen"] or not (ctx.get(dut.o_valid) or ctx.get(dut.s_take)), "it goes on after an error"
            if ctx.get(dut.s_take):
                queue = ctx.get(dut.s_queue)
                host.heads[queue] = (host.heads[queue] + ctx.get(dut.s_taken)) % host.sizes[queue]
                seen["around"] += host.heads[queue] == 0
            if offered and ctx.get(dut.r_ready):
                beats.popleft()
            await ctx.tick()
        assert bool(ctx.get(dut.o_failed)) == (seen["failed"] > 0) == error
        assert seen["failed"] <= 1, "it goes on after an error"

    sim = simulator(dut)
    sim.add_testbench(bench)
    sim.run()
    assert seen["most"] == FETCH_BURST and seen["no slots"] > 20 and seen["around"] > 2, seen
    assert min(seen["commands", q] for q in range(PAIRS)) > 20, "somebody starves"
