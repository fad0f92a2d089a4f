"""The guard: what lies in a window passes as it is, anything else is answered with an error and touches nothing."""

import random
from collections import Counter, deque

import pytest

from tenon.hw.axi import OKAY, PAGE_BYTES, SLVERR
from tenon.hw.storage.guard import Window, WindowGuard
from tenon.tb.simulated import simulator
from tenon.tb.simulated_bus import ReadSide, WriteSide


@pytest.mark.parametrize("bits", [32, 128])
def test_random_bursts(bits):
    rng, seen, width = random.Random(bits), Counter(), bits // 8
    dut = WindowGuard(address_bits=16, bits=bits)
    windows = {w: (0x1000 * (2 * w + 1) + rng.randrange(3 * width), rng.choice([64, 500, 4096])) for w in Window}
    windows[Window.CONSTANTS] = (windows[Window.CONSTANTS][0], 0)  # closed
    contents, written = {}, {}

    def byte(address):
        return contents.setdefault(address, rng.getrandbits(8))

    def store(address, value):
        written[address] = value
        return True

    def inside(address, beats, write):
        return any(base <= address and address + beats * width <= base + size for w, (base, size) in windows.items()
                   if w.writable or not write)

    def burst(write):
        base, size = windows[rng.choice(list(Window))]
        address = max(0, base + rng.choice([0, -width, size - width, rng.randrange(-40, size + 40)])) // width * width
        beats = min(rng.choice([1, 1, 2, rng.randint(1, 8)]), (PAGE_BYTES - address % PAGE_BYTES) // width)
        return address % (1 << 16), beats

    reads = ReadSide(dut, "", bits, byte, rng)
    writes = WriteSide(dut, "", bits, store, rng)

    async def bench(ctx):
        for w, (base, size) in windows.items():
            ctx.set(dut.base[w], base)
            ctx.set(dut.bytes[w], size)
        for _ in range(3):
            await ctx.tick()
        data, awaited, answers = deque(), deque(), deque()
        offer_r, offer_w = burst(False), burst(True)
        expected, allowed = {}, {}
        for _ in range(6000):
            ctx.set(dut.i_ar_valid, rng.random() < 0.5)
            ctx.set(dut.i_ar_addr, offer_r[0])
            ctx.set(dut.i_ar_len, offer_r[1] - 1)
            ctx.set(dut.i_aw_valid, rng.random() < 0.5)
            ctx.set(dut.i_aw_addr, offer_w[0])
            ctx.set(dut.i_aw_len, offer_w[1] - 1)
            ctx.set(dut.i_w_valid, bool(data) and rng.random() < 0.8)
            if data:
                for name, value in zip(("data", "strb", "last"), data[0]):
                    ctx.set(getattr(dut, f"i_w_{name}"), value)
            ctx.set(dut.i_r_ready, rng.random() < 0.8)
            ctx.set(dut.i_b_ready, rng.random() < 0.8)
            for side in (reads, writes):
                side.before(ctx)
            if ctx.get(dut.i_r_valid) and ctx.get(dut.i_r_ready):
                address, beats, whole = awaited[0]
                good = inside(*whole, False)
                assert ctx.get(dut.i_r_resp) == (OKAY if good else SLVERR)
                assert ctx.get(dut.i_r_last) == (beats == 1)
                assert ctx.get(dut.i_r_data) == (sum(byte(address + k) << 8 * k for k in range(width)) if good else 0)
                awaited.popleft()
                if beats > 1:
                    awaited.appendleft((address + width, beats - 1, whole))
                seen["read", good] += 1
            if ctx.get(dut.i_b_valid) and ctx.get(dut.i_b_ready):
                good = answers.popleft()
                assert ctx.get(dut.i_b_resp) == (OKAY if good else SLVERR)
                seen["write", good] += 1
            if ctx.get(dut.i_w_valid) and ctx.get(dut.i_w_ready):
                data.popleft()
            if ctx.get(dut.i_ar_valid) and ctx.get(dut.i_ar_ready):
                awaited.append((*offer_r, offer_r))
                offer_r = burst(False)
            if ctx.get(dut.i_aw_valid) and ctx.get(dut.i_aw_ready):
                address, beats = offer_w
                good = inside(address, beats, True)
                answers.append(good)
                for n in range(beats):
                    word, strobes = rng.getrandbits(bits), rng.getrandbits(width)
                    data.append((word, strobes, n == beats - 1))
                    for k in range(width):
                        if good and strobes >> k & 1:
                            expected[address + n * width + k] = word >> 8 * k & 0xFF
                            allowed[address + n * width + k] = True
                offer_w = burst(True)
            for side in (reads, writes):
                side.after(ctx)
            await ctx.tick()
        assert set(written) <= set(allowed), "a byte outside the windows was written"
        assert all(inside(address, 1, False) for address in reads.read), "a word outside the windows was read"

    sim = simulator(dut)
    sim.add_testbench(bench)
    sim.run()
    assert min(seen[kind, good] for kind in ("read", "write") for good in (True, False)) > 50, seen
