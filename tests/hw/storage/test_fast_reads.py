"""Reads without firmware: exactly those that firmware would carry out are taken, and each is moved or handed over, once."""

import random
from collections import Counter, deque
from dataclasses import replace

import pytest

from tenon.hw.storage.fast_reads import FlashReads, RamReads
from tenon.hw.storage.flash.hub import HARDWARE_TAG
from tenon.hw.storage.flash.unit_reader import UnitStatus
from tenon.hw.storage.map_unit import GONE, NOWHERE
from tenon.hw.storage.memory_map import memory_map
from tenon.hw.storage.nvme.commands import Namespace, command
from tenon.hw.storage.nvme.entries import SUBMISSION, SUBMISSION_BYTES
from tenon.hw.storage.params import TRANSFER_PAGES, UNIT_BYTES
from tenon.hw.storage.presets import drive
from tenon.hw.storage.read_filter import ReadFilter
from tenon.tb.simulated import simulator

TINY, WIDE = drive("tiny"), replace(drive("dscs8"), name="wide", dies=4, channels=4)


@pytest.mark.parametrize("host_bits", [64, 128, 512])
def test_filter(host_bits):
    params = replace(TINY, name="filter", host_bits=host_bits)
    dut, rng, seen = ReadFilter(params), random.Random(host_bits), Counter()
    beats, width = max(1, 8 * SUBMISSION_BYTES // host_bits), min(host_bits, 8 * SUBMISSION_BYTES)
    read = command("read")

    def entry():
        opcode = rng.choice([read.opcode] * 6 + [command("write").opcode, rng.getrandbits(8)])
        fuse, psdt = (rng.choice([0] * 9 + [rng.getrandbits(2)]) for _ in range(2))
        nsid = rng.choice([1] * 8 + [0, 2, rng.getrandbits(32)])
        nlb = rng.choice([0, 0, 1, TRANSFER_PAGES - 1, TRANSFER_PAGES, rng.getrandbits(16)])
        slba = rng.choice([0, *(rng.randrange(params.units) for _ in range(9)), params.units - nlb - 1, params.units - nlb, params.units,
                           (1 << 32) + 1,
                           (1 << 32) - nlb, (1 << 64) - nlb - 1, rng.getrandbits(64)]) % (1 << 64)
        mine = (opcode, fuse, psdt, nsid) == (read.opcode, 0, 0, Namespace.BLOCKS) and nlb < TRANSFER_PAGES and slba + nlb < params.units
        common = SUBMISSION.pack(opcode=opcode, fuse=fuse, psdt=psdt, nsid=nsid, cid=rng.getrandbits(16), prp1=rng.getrandbits(64))
        own = read.layout.pack(slba=slba, nlb=nlb, fua=rng.getrandbits(1))
        return int.from_bytes(common, "little") | int.from_bytes(own, "little"), mine, slba, nlb

    async def bench(ctx):
        due, fast = None, deque()
        for _ in range(1200):
            text, mine, slba, nlb = entry()
            enable, queue, slot = rng.random() < 0.9, rng.randrange(params.pairs), rng.randrange(params.slots)
            for beat in range(beats):
                while True:
                    valid = rng.random() < 0.8
                    ctx.set(dut.enable, enable)
                    ctx.set(dut.w_valid, valid)
                    ctx.set(dut.w_beat, beat)
                    ctx.set(dut.w_data, text >> beat * width & (1 << width) - 1)
                    ctx.set(dut.n_valid, valid and beat == beats - 1)
                    ctx.set(dut.n_slot, slot)
                    ctx.set(dut.n_queue, queue)
                    ctx.set(dut.o_ready, rng.random() < 0.5 or len(fast) > 8)
                    if due is not None:  # the cycle after a command's last part
                        its, taken = due[:4], due[4] and enable
                        assert bool(ctx.get(dut.s_valid)) != taken
                        if taken:
                            fast.append(its)
                        else:
                            assert (ctx.get(dut.s_slot), ctx.get(dut.s_queue)) == its[:2]
                        seen["fast" if taken else "slow"] += 1
                        due = None
                    else:
                        assert not ctx.get(dut.s_valid)
                    if ctx.get(dut.o_valid) and ctx.get(dut.o_ready):
                        assert tuple(ctx.get(getattr(dut, f"o_{n}")) for n in ("slot", "queue", "block", "last")) == fast.popleft()
                    if valid and beat == beats - 1:
                        due = slot, queue, slba, nlb, mine and queue != 0
                    await ctx.tick()
                    if valid:
                        break
    sim = simulator(dut)
    sim.add_testbench(bench)
    sim.run()
    assert min(seen["fast"], seen["slow"]) > 100, seen


@pytest.mark.parametrize(("part", "params"), [(RamReads, replace(TINY, name="ram", ram_blocks=1)), (FlashReads, TINY), (FlashReads, WIDE)])
def test_reads(part, params):
    dut, rng, seen = part(params), random.Random(params.units), Counter()
    flash = part is FlashReads
    base = memory_map(params)["BUFFERS" if flash else "BLOCKS"].base
    table = {}

    def entry(block):
        if block not in table:
            table[block] = rng.randrange(1, params.raw_units if flash else params.units)
            if rng.random() < 0.05:
                table[block] = rng.choice([NOWHERE, GONE])
            if not flash and block - 1 in table and rng.random() < 0.9:
                table[block] = (table[block - 1] + 1) % (1 << 32)
        return table[block]

    async def bench(ctx):
        free, current, due = list(range(params.slots)), None, {}  # due: of each slot, its command
        looks, units, epoch = deque(), {}, 0  # units: of each tag, (command, epoch) of those that are read
        for cycle in range(30_000):
            if current is None and free and rng.random() < (0.5 if cycle // 3000 % 2 else 0.05):
                last = rng.choice([0, 0, 1, 3, TRANSFER_PAGES - 1])
                current = {"slot": free.pop(rng.randrange(len(free))), "queue": rng.randrange(params.pairs),
                           "block": rng.randrange(params.units - last), "last": last}
                due[current["slot"]] = current | {"looked": [], "read": 0, "bad": False}
            ctx.set(dut.i_valid, current is not None)
            for name, value in (current or {}).items():
                ctx.set(getattr(dut, f"i_{name}"), value)
            if rng.random() < 0.002:
                epoch ^= 1
                seen["epochs"] += 1
            ctx.set(dut.epoch, epoch)
            ctx.set(dut.k_ready, rng.random() < 0.5)
            found = looks[0] if looks and rng.random() < 0.5 else None
            ctx.set(dut.k_done, found is not None)
            ctx.set(dut.k_entry, found[1] if found else 0)
            for name in ("s_ready", "v_ready", *(("l_ready",) if flash else ())):
                ctx.set(getattr(dut, name), rng.random() < 0.5)
            ended = None
            if flash:
                ended = rng.choice(list(units)) if units and rng.random() < 0.1 else None
                status = UnitStatus.GOOD if ended is None or rng.random() < 0.97 else rng.choice([UnitStatus.FAILED, UnitStatus.ERASED])
                ctx.set(dut.e_valid, ended is not None)
                ctx.set(dut.e_tag, units[ended]["tag"] if ended is not None else 0)
                ctx.set(dut.e_status, status)
                # None of the other epoch's goes unnoticed.
                if any(u["epoch"] != epoch for u in units.values()):
                    assert ctx.get(dut.old)
                    seen["old"] += 1
            if ctx.get(dut.k_valid) and ctx.get(dut.k_ready):
                looks.append((ctx.get(dut.k_block), entry(ctx.get(dut.k_block)), current["slot"], epoch))
            if found and ctx.get(dut.k_take):
                looks.popleft()
                block, value, slot, _ = found
                command = due[slot]
                assert block == command["block"] + len(command["looked"])
                command["looked"].append(value)
            if flash and ctx.get(dut.l_valid) and ctx.get(dut.l_ready):
                slot = ctx.get(dut.l_tag) & 0xFF
                command = due[slot]
                number = (ctx.get(dut.l_addr) - base) // UNIT_BYTES - slot * TRANSFER_PAGES
                unit = command["looked"][number] - 1
                die = unit // params.page_units % params.all_dies
                told = tuple(ctx.get(getattr(dut, f"l_{n}")) for n in ("unit", "channel", "die", "row"))
                assert told == (unit % params.page_units, die % params.channels, die // params.channels,
                                unit // (params.page_units * params.all_dies))
                assert ctx.get(dut.l_tag) & HARDWARE_TAG and (slot, number) not in units
                units[slot, number] = {"tag": ctx.get(dut.l_tag), "epoch": ctx.get(dut.l_tag) >> 14 & 1}
                command["read"] += 1
            if ended is not None and ctx.get(dut.e_ready):
                del units[ended]
                due[ended[0]]["bad"] |= status != UnitStatus.GOOD
            for kind in ("s", "v"):
                if ctx.get(getattr(dut, f"{kind}_valid")) and ctx.get(getattr(dut, f"{kind}_ready")):
                    slot = ctx.get(getattr(dut, f"{kind}_slot"))
                    command = due.pop(slot)
                    looked, count = command["looked"], command["last"] + 1
                    lost = any(value in (NOWHERE, GONE) for value in looked)
                    apart = not flash and any(value != looked[0] + k for k, value in enumerate(looked))
                    assert len(looked) == count and not any(s == slot for s, _ in units), "before all of it was there"
                    assert (kind == "s") == (lost or apart or command["bad"])
                    if kind == "s":
                        assert ctx.get(dut.s_queue) == command["queue"]
                    else:
                        assert ctx.get(dut.v_dwords) == count * UNIT_BYTES // 4
                        place = slot * TRANSFER_PAGES if flash else looked[0] - 1
                        assert ctx.get(dut.v_addr) == base + place * UNIT_BYTES
                    seen[kind, count > 1] += 1
                    free.append(slot)
            took = current is not None and ctx.get(dut.i_ready)
            if due:
                assert ctx.get(dut.busy) or not flash or set(due) <= {current and current["slot"]}
            await ctx.tick()
            if took:
                current = None

    sim = simulator(dut)
    sim.add_testbench(bench)
    sim.run()
    assert min(seen[kind, more] for kind in "sv" for more in (False, True)) > 5 and seen["epochs"] > 20, seen
    assert not flash or seen["old"] > 100
