"""The PRP walker against the rules, on random commands over random lists, with whoever reads and takes being late."""

import random
from collections import Counter

import pytest

from tenon.hw.storage.prp import LIST_BURST, PrpFault, PrpWalker
from tenon.tb.simulated import simulator

MAX_PAGES = 40


def described(prp1, prp2, dwords, memory, page):
    """Pieces as the specification has them, the fault, and entries of lists that the command needs."""
    pieces, read = [], []
    if prp1 % 4:
        return pieces, PrpFault.OFFSET, read
    room = (page - prp1 % page) // 4
    pieces.append((prp1, min(room, dwords)))
    left = dwords - pieces[0][1]
    if not left:
        return pieces, PrpFault.NONE, read
    if left <= page // 4:
        if prp2 % page:
            return pieces, PrpFault.OFFSET, read
        return [*pieces, (prp2, left)], PrpFault.NONE, read
    if prp2 % 8:
        return pieces, PrpFault.OFFSET, read
    at = prp2
    while left:
        read.append(at)
        entry = memory.get(at)
        if entry is None:
            return pieces, PrpFault.BUS, read
        if entry % page:
            return pieces, PrpFault.OFFSET, read
        if at % page == page - 8 and left > page // 4:
            at = entry
            continue
        pieces.append((entry, min(left, page // 4)))
        left -= pieces[-1][1]
        at += 8
    return pieces, PrpFault.NONE, read


def command(rng, page):
    """Two entries, a length, and memory with lists as long as they have to be, or too short, or with a wrong entry."""
    at = {"next": 0}

    def fresh():
        at["next"] += rng.randint(1, 3)
        return rng.choice([0, 1 << 40, (1 << 63)]) + at["next"] * page

    kind = rng.choice(["one", "two", "list", "list", "list", "wrong first", "wrong second", "wrong entry", "no memory"])
    offset = rng.choice([0, 4, page - 4, 4 * rng.randrange(page // 4)])
    room = (page - offset) // 4
    prp1, memory = fresh() + offset, {}
    if kind == "one":
        return kind, prp1, rng.getrandbits(64), rng.randint(1, room), memory
    if kind in ("two", "wrong second"):
        wrong = rng.randrange(1, page) if kind == "wrong second" else 0
        return kind, prp1, fresh() + wrong, room + rng.choice([1, page // 4, rng.randint(1, page // 4)]), memory
    pages = rng.randint(2, MAX_PAGES - 2)
    dwords = room + (pages - 1) * page // 4 + rng.choice([1, page // 4, rng.randint(1, page // 4)])
    first = here = fresh() + 8 * rng.choice([0, page // 8 - 1, page // 8 - 2, rng.randrange(page // 8)])
    for number in range(pages):
        if here % page == page - 8 and number < pages - 1:
            memory[here] = here = fresh()
        memory[here] = fresh()
        here += 8
    if kind == "wrong first":
        prp1 += rng.randint(1, 3)
    elif kind == "wrong entry":
        memory[rng.choice(list(memory))] += rng.randrange(1, page)
    elif kind == "no memory":
        del memory[rng.choice(list(memory))]
    return kind, prp1, first + (rng.randint(1, 7) if rng.random() < 0.1 else 0), dwords, memory


@pytest.mark.parametrize("page", [64, 4096])
def test_random_commands(page):
    dut = PrpWalker(max_pages=MAX_PAGES, page_bytes=page)
    rng, seen, cycles = random.Random(page), Counter(), 0

    async def bench(ctx):
        nonlocal cycles
        for number in range(150):
            kind, prp1, prp2, dwords, memory = command(rng, page)
            expected, fault, needed = described(prp1, prp2, dwords, memory, page)
            pace = rng.choice([0.2, 0.7, 1.0])
            for name, value in (("i_prp1", prp1), ("i_prp2", prp2), ("i_dwords", dwords), ("i_valid", 1)):
                ctx.set(getattr(dut, name), value)
            pieces, read, entries, ended, taken = [], [], [], None, False
            limit = cycles + 4000
            while ended is None or entries or ctx.get(dut.l_valid) or not ctx.get(dut.i_ready):
                ctx.set(dut.o_ready, rng.random() < pace)
                ctx.set(dut.l_ready, rng.random() < pace)
                ready = bool(entries) and rng.random() < pace
                ctx.set(dut.d_valid, ready)
                if ready:
                    ctx.set(dut.d, entries[0] if entries[0] is not None else 0)
                    ctx.set(dut.d_error, entries[0] is None)
                if ctx.get(dut.o_valid) and ctx.get(dut.o_ready):
                    assert ended is None
                    if ctx.get(dut.o_last):
                        ended = PrpFault(ctx.get(dut.o_fault))
                    if ctx.get(dut.o_dwords):
                        pieces.append((ctx.get(dut.o_addr), ctx.get(dut.o_dwords)))
                if ctx.get(dut.l_valid) and ctx.get(dut.l_ready):
                    first, count = ctx.get(dut.l_addr), ctx.get(dut.l_count) + 1
                    assert first % page // 8 + count <= page // 8 and first // 8 % LIST_BURST + count <= LIST_BURST
                    read += range(first, first + 8 * count, 8)
                    entries += [memory.get(a) for a in range(first, first + 8 * count, 8)]
                assert len(entries) <= 2 * LIST_BURST, "more is asked for than there is room for"
                seen["full"] += len(entries) == 2 * LIST_BURST
                if ready and ctx.get(dut.d_ready):
                    entries.pop(0)
                taken = taken or bool(ctx.get(dut.i_ready))
                await ctx.tick()
                if taken:
                    ctx.set(dut.i_valid, 0)
                cycles += 1
                assert cycles < limit, f"command {number}, {kind}: it does not end"
            assert (pieces, ended) == (expected, fault), f"command {number}, {kind}"
            # Of a list that is right nothing else is read; of one that is wrong, what follows in the same page at most.
            assert read == needed if fault == PrpFault.NONE else read[:len(needed)] == needed, f"command {number}, {kind}"
            seen[kind, fault.name] += 1
            seen["links"] += len(needed) - len(expected) + 1 if needed and fault == PrpFault.NONE else 0

    sim = simulator(dut)
    sim.add_testbench(bench)
    sim.run()
    assert seen["links"] > 20 and len(seen) >= 10 and (seen["full"] or page == 64), seen
