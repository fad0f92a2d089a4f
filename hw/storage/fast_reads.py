"""Reads without firmware: looked up, brought, and moved to the host. What does not go well is handed over to firmware as if it had come
just now, so that every other answer is firmware's."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.fifo import Fifo
from tenon.hw.memory import Memory
from tenon.hw.storage.flash.channel import ROW_BYTES, TAG_BITS
from tenon.hw.storage.flash.unit_reader import UnitStatus
from tenon.hw.storage.map_unit import ENTRY_BITS, GONE, NOWHERE
from tenon.hw.storage.memory_map import memory_map
from tenon.hw.storage.params import TRANSFER_PAGES, UNIT_BYTES, StorageParams

__all__ = ["FlashReads", "RamReads", "fast_reads"]

_UNIT_DWORDS = UNIT_BYTES // 4
_COMMANDS = 8  # that are looked up at a time


def fast_reads(params: StorageParams) -> FlashReads | RamReads:
    """The one for where a drive's blocks are."""
    return (RamReads if params.ram_blocks else FlashReads)(params)


def _members(params: StorageParams) -> dict[str, wiring.Member]:
    slot, queue, block = range(params.slots), range(params.pairs), range(params.units)
    return {
        "i_valid": In(1), "i_ready": Out(1), "i_slot": In(slot), "i_queue": In(queue), "i_block": In(block),
        "i_last": In(range(TRANSFER_PAGES)), "k_valid": Out(1), "k_ready": In(1), "k_block": Out(block), "k_done": In(1), "k_take": Out(1),
        "k_entry": In(ENTRY_BITS), "s_valid": Out(1), "s_ready": In(1), "s_slot": Out(slot), "s_queue": Out(queue),
        "v_valid": Out(1), "v_ready": In(1), "v_slot": Out(slot), "v_dwords": Out(32), "v_addr": Out(params.address_bits),
        "epoch": In(1), "old": Out(1), "busy": Out(1),
    }


class RamReads(wiring.Component):
    """Blocks in the device's memory: units of a command lie in a row, or it is firmware's. The next commands are looked up meanwhile.

    Members
    -------
    i_valid, i_ready, i_slot, i_queue, i_block, i_last : In(1), Out(1), In
        ``ReadFilter``'s.
    k_valid, k_ready, k_block, k_done, k_take, k_entry : Out(1), In(1), Out, In(1), Out(1), In
        The map.
    s_valid, s_ready, s_slot, s_queue : Out(1), In(1), Out, Out
        A command is firmware's.
    v_valid, v_ready, v_slot, v_dwords, v_addr : Out(1), In(1), Out, Out, Out
        Data go from there to the host, and with them the command ends.
    epoch, old : In(1), Out(1)
        Reads that were looked up in the other epoch are under way.
    busy : Out(1)
    """

    def __init__(self, params: StorageParams):
        self.params = params
        super().__init__(_members(params))

    def elaborate(self, platform):
        m = Module()
        base = memory_map(self.params)["BLOCKS"].base

        # Lookups, one after the other; each command goes along with its first one.
        index = Signal.like(self.i_last)
        slot, queue, last = Signal.like(self.i_slot), Signal.like(self.i_queue), Signal.like(self.i_last)
        asked = m.submodules.asked = Fifo(width=len(Cat(slot, queue, last)), depth=_COMMANDS)
        goes = Signal()
        m.d.comb += [
            self.k_valid.eq(self.i_valid & asked.i_ready), self.k_block.eq(self.i_block + index), goes.eq(self.k_valid & self.k_ready),
            asked.i_valid.eq(goes & (index == 0)), asked.i.eq(Cat(self.i_slot, self.i_queue, self.i_last)),
            self.i_ready.eq(goes & (index == self.i_last)), Cat(slot, queue, last).eq(asked.o), self.busy.eq(self.i_valid | asked.busy),
        ]
        with m.If(goes):
            m.d.sync += index.eq(Mux(index == self.i_last, 0, index + 1))

        # What is found.
        number, first, lost, unit = Signal.like(last), Signal(ENTRY_BITS, reset_less=True), Signal(), Signal(ENTRY_BITS)
        missing = (self.k_entry == NOWHERE) | (self.k_entry == GONE) | ((number != 0) & (self.k_entry != first + number))
        m.d.comb += [
            self.s_slot.eq(slot), self.s_queue.eq(queue), unit.eq(first - 1), self.v_slot.eq(slot),
            self.v_dwords.eq((last + 1) * _UNIT_DWORDS), self.v_addr.eq(base + unit * UNIT_BYTES),
        ]
        with m.FSM():
            with m.State("FOUND"):
                m.d.comb += self.k_take.eq(asked.o_valid)
                with m.If(self.k_done & asked.o_valid):
                    with m.If(number == 0):
                        m.d.sync += first.eq(self.k_entry)
                    m.d.sync += [number.eq(number + 1), lost.eq(lost | missing)]
                    with m.If(number == last):
                        m.next = "MOVE"
                        with m.If(lost | missing):
                            m.next = "GIVE UP"
            for state, valid, ready in (("MOVE", self.v_valid, self.v_ready), ("GIVE UP", self.s_valid, self.s_ready)):
                with m.State(state):
                    m.d.comb += [valid.eq(1), asked.o_ready.eq(ready)]
                    with m.If(ready):
                        m.d.sync += [number.eq(0), lost.eq(0)]
                        m.next = "FOUND"
        return m


class FlashReads(wiring.Component):
    """Blocks in flash: units of commands are read into their buffers, as many at a time as dies take; the last one moves them on.

    Members
    -------
    (of ``RamReads``)
    l_valid, l_ready, l_channel, l_die, l_row, l_unit, l_addr, l_tag : Out(1), In(1), Out
        A unit is to be read.
    e_valid, e_ready, e_tag, e_status : In(1), Out(1), In, In
        One was.
    """

    def __init__(self, params: StorageParams):
        self.params = params
        super().__init__({
            **_members(params), "l_valid": Out(1), "l_ready": In(1), "l_channel": Out(4), "l_die": Out(4), "l_row": Out(8 * ROW_BYTES),
            "l_unit": Out(2), "l_addr": Out(params.address_bits), "l_tag": Out(TAG_BITS),
            "e_valid": In(1), "e_ready": Out(1), "e_tag": In(TAG_BITS), "e_status": In(UnitStatus),
        })

    def elaborate(self, platform):
        m = Module()
        p = self.params
        base = memory_map(p)["BUFFERS"].base
        slot_bits = len(self.i_slot)

        # Of each slot: units that are still to come, whether one did not, how many there are, whose it is.
        shape = {"left": len(self.i_last) + 1, "bad": 1, "last": len(self.i_last), "queue": len(self.i_queue)}
        fresh, found, changed = ({name: Signal(bits, name=f"{prefix}_{name}") for name, bits in shape.items()}
                                 for prefix in ("fresh", "found", "changed"))
        records = emit.instance(m, "records", Memory(width=sum(shape.values()), depth=p.slots))
        begins, store = Signal(), Signal()  # a command's record is made; one is changed
        event, failed = Signal(slot_bits, reset_less=True), Signal()  # a unit of this slot has ended
        m.d.comb += [
            records.w_en.eq(begins | store), records.w_addr.eq(Mux(store, event, self.i_slot)),
            records.w_data.eq(Mux(store, Cat(changed.values()), Cat(fresh.values()))), Cat(found.values()).eq(records.r_data),
            fresh["left"].eq(self.i_last + 1), fresh["bad"].eq(0), fresh["last"].eq(self.i_last), fresh["queue"].eq(self.i_queue),
            changed["left"].eq(found["left"] - 1), changed["bad"].eq(found["bad"] | failed), changed["last"].eq(found["last"]),
            changed["queue"].eq(found["queue"]),
        ]

        # Units one after the other: looked up, and given to their die.
        index, unit, mine = Signal.like(self.i_last), Signal(ENTRY_BITS, reset_less=True), Signal()
        under_way = Signal()  # a unit was looked up, or is about to be
        missed = Signal()  # it is nowhere
        taken = Signal()  # whoever counts units has noticed
        place = unit
        parts = {}
        for name, count in (("unit", p.page_units), ("channel", p.channels), ("die", p.dies)):  # as firmware/storage/flash.h has it
            width = (count - 1).bit_length()
            parts[name], place = place[:width], place[width:]
        m.d.comb += [
            self.k_block.eq(self.i_block + index), *(getattr(self, f"l_{name}").eq(value) for name, value in parts.items()),
            self.l_row.eq(place), self.l_addr.eq(base + Cat(index, self.i_slot) * UNIT_BYTES),
            self.l_tag.eq(Cat(self.i_slot, Const(0, TAG_BITS - 2 - slot_bits), mine, Const(1, 1))),
        ]
        with m.FSM():
            with m.State("BEGIN"):
                m.d.comb += begins.eq(self.i_valid & ~store)
                m.d.sync += mine.eq(self.epoch)
                with m.If(begins):
                    m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += [self.k_valid.eq(1), under_way.eq(1)]
                with m.If(self.k_ready):
                    m.next = "FOUND"
            with m.State("FOUND"):
                m.d.comb += [under_way.eq(1), self.k_take.eq(1)]
                m.d.sync += unit.eq(self.k_entry - 1)
                with m.If(self.k_done):
                    m.next = "READ"
                    with m.If((self.k_entry == NOWHERE) | (self.k_entry == GONE)):
                        m.next = "MISS"
            for state, valid, ready in (("READ", self.l_valid, self.l_ready), ("MISS", missed, taken)):
                with m.State(state):
                    m.d.comb += [valid.eq(1), under_way.eq(1)]
                    with m.If(ready):
                        m.d.sync += [mine.eq(self.epoch), index.eq(index + 1)]
                        m.next = "ASK"
                        with m.If(index == self.i_last):
                            m.d.comb += self.i_ready.eq(1)
                            m.d.sync += index.eq(0)
                            m.next = "BEGIN"

        # Reads under way, by the epoch in which they were looked up.
        counts = Array(Signal(range(p.slots * TRANSFER_PAGES + 1), name=f"reads{epoch}") for epoch in range(2))
        for epoch, count in enumerate(counts):
            more = self.l_valid & self.l_ready & (mine == epoch)
            less = self.e_valid & self.e_ready & (self.e_tag[TAG_BITS - 2] == epoch)
            m.d.sync += count.eq(count + more - less)
        m.d.comb += self.old.eq((counts[~self.epoch] != 0) | (under_way & (mine != self.epoch)))

        # Units that have ended, one after the other.
        left = Signal()
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(self.i_valid | (counts[0] != 0) | (counts[1] != 0) | ~fsm.ongoing("NEXT"))
            with m.State("NEXT"):
                m.d.comb += [self.e_ready.eq(1), taken.eq(missed & ~self.e_valid), records.r_en.eq(1),
                             records.r_addr.eq(Mux(self.e_valid, self.e_tag, self.i_slot))]
                m.d.sync += [event.eq(records.r_addr), failed.eq(~self.e_valid | (self.e_status != UnitStatus.GOOD))]
                with m.If(self.e_valid | missed):
                    m.next = "COUNT"
            with m.State("COUNT"):
                m.d.comb += [store.eq(1), left.eq(changed["left"] != 0)]
                m.d.sync += [self.v_slot.eq(event), self.v_dwords.eq((found["last"] + 1) * _UNIT_DWORDS), self.s_slot.eq(event),
                             self.s_queue.eq(found["queue"]), self.v_addr.eq(base + event * (TRANSFER_PAGES * UNIT_BYTES))]
                m.next = "NEXT"
                with m.If(~left):
                    m.next = "MOVE"
                    with m.If(changed["bad"]):
                        m.next = "GIVE UP"
            for state, valid, ready in (("MOVE", self.v_valid, self.v_ready), ("GIVE UP", self.s_valid, self.s_ready)):
                with m.State(state):
                    m.d.comb += valid.eq(1)
                    with m.If(ready):
                        m.next = "NEXT"
        return m
