"""The map: every access finds what the last store before it left; swaps store exactly if they find what they expect."""

import random
from collections import Counter, deque

import pytest

from tenon.hw.storage.map_unit import GONE, MapOp, MapUnit
from tenon.tb.simulated import simulator
from tenon.tb.simulated_bus import ReadSide, WriteSide

BASE, BLOCKS, BROKEN = 0x3000, 24, 20


@pytest.mark.parametrize("bits", [32, 64, 256])
def test_random_histories(bits):
    rng, seen = random.Random(bits), Counter()
    dut = MapUnit(base=BASE, blocks=BLOCKS, address_bits=36, bits=bits)
    memory = {BASE + k: 0 for k in range(-32, 4 * BLOCKS + 32)}
    outside = {at: 0x5A for at in memory if not BASE <= at < BASE + 4 * BLOCKS}
    memory |= outside
    broken = range(BASE + 4 * BROKEN & ~(bits // 8 - 1), (BASE + 4 * BROKEN | bits // 8 - 1) + 1)

    def byte(address):
        return None if address in broken else memory[address]

    def store(address, value):
        memory[address] = value
        return True

    async def bench(ctx):
        sides = [ReadSide(dut, "m_", bits, byte, rng), WriteSide(dut, "m_", bits, store, rng)]
        held = [0] * BLOCKS  # as of the last store that is done
        asked, looks, changing = None, deque(), None
        for _ in range(6000):
            for side in sides:
                side.before(ctx)
            if rng.random() < 0.3 or ctx.get(dut.a_valid):
                block = ctx.get(dut.a_block) if ctx.get(dut.a_valid) else rng.randrange(4) if rng.random() < 0.7 else rng.randrange(BLOCKS)
                ctx.set(dut.a_valid, 1)
                ctx.set(dut.a_block, block)
            if asked is None and rng.random() < 0.3:
                block = rng.randrange(4) if rng.random() < 0.8 else rng.randrange(BLOCKS)
                expected = held[block] if rng.random() < 0.6 else rng.getrandbits(32)
                asked = rng.choice(list(MapOp)), block, expected, rng.getrandbits(32)
            ctx.set(dut.b_valid, asked is not None and changing is None)
            for name, value in zip(("op", "block", "expected", "value"), asked or (0, 0, 0, 0)):
                ctx.set(getattr(dut, f"b_{name}"), value)
            ctx.set(dut.a_take, rng.random() < 0.7)
            if ctx.get(dut.a_valid) and ctx.get(dut.a_ready):
                block = ctx.get(dut.a_block)
                looks.append((block, {held[block], changing[1] if changing and changing[0] == block else held[block]}))
                seen["several"] += len(looks) > 2
            if ctx.get(dut.b_valid) and ctx.get(dut.b_ready):
                op, block, expected, value = asked
                found = GONE if BASE + 4 * block in broken else held[block]
                stores = op == MapOp.STORE or (op == MapOp.SWAP and found == expected)
                changing = block, value if stores else held[block], found
                seen[op, stores] += 1
                for at, values in looks:
                    if at == block:
                        values.add(changing[1])
            if ctx.get(dut.a_done) and ctx.get(dut.a_take):
                block, values = looks.popleft()
                assert ctx.get(dut.a_entry) in ({GONE} if BASE + 4 * block in broken else values)
                seen["gone"] += BASE + 4 * block in broken
                seen["meanwhile"] += len(values) > 1
            if ctx.get(dut.b_done):
                block, value, found = changing
                assert ctx.get(dut.b_entry) == found
                held[block], asked, changing = value, None, None
                assert int.from_bytes(bytes(memory[BASE + 4 * block + k] for k in range(4)), "little") == value
            for side in sides:
                side.after(ctx)
            await ctx.tick()
            if ctx.get(dut.a_ready):
                ctx.set(dut.a_valid, 0)
        assert {at: memory[at] for at in outside} == outside

    sim = simulator(dut)
    sim.add_testbench(bench)
    sim.run()
    assert min(seen[what] for what in ("several", "gone", "meanwhile", (MapOp.SWAP, True), (MapOp.SWAP, False), (MapOp.STORE,
                                                                                                                 True))) > 10, seen
