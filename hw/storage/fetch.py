"""Fetches commands: submission queue entries come from the host's memory into slots of the drive."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.axi import OKAY
from tenon.hw.storage.nvme.entries import SUBMISSION_BYTES
from tenon.hw.storage.prp import HOST_ADDRESS_BITS, PAGE_BYTES

__all__ = ["FETCH_BURST", "SubmissionFetch"]

#: Entries of a burst at most, after which another queue has its turn.
FETCH_BURST = 8

_PAGE_ENTRIES = PAGE_BYTES // SUBMISSION_BYTES
_BASE_BITS = HOST_ADDRESS_BITS - (PAGE_BYTES - 1).bit_length()


class SubmissionFetch(wiring.Component):
    """Takes entries from queues that have some, round robin, as many as there are free slots for, and none that the host did not write.

    A queue lies in one piece, from a page's beginning on. One burst is under way at a time; it crosses no page. What the bus answers with
    an error is in no slot, its queue is not gone on with, and ``o_failed`` says so until reset: the controller has failed.

    Members
    -------
    pending : In(pairs)
        Queues with entries.
    s_queue, s_base, s_head, s_count, s_take, s_taken : Out, In, In, In, Out(1), Out
        The queue that is looked at: the page where it begins, its first entry, how many follow before its end; so many are taken.
        ``s_base`` may come a cycle late.
    free : In
        Slots that are free.
    a_slot, a_take : In, Out(1)
        The next free one, and that it is taken.
    ar_valid, ar_ready, ar_addr, ar_len, r_valid, r_ready, r_data, r_resp, r_last :
        The host's memory.
    o_valid, o_slot, o_beat, o_data : Out(1), Out, Out, Out(host_bits)
        A part of an entry for a slot, in order.
    o_end, o_queue : Out(1), Out
        It was the entry's last part, and of which queue it is.
    busy, o_failed : Out(1)
        A burst is under way; the controller has failed.
    """

    def __init__(self, *, pairs: int, entries: int, slots: int, host_bits: int):
        self.pairs, self.entries, self.slots, self.host_bits = pairs, entries, slots, host_bits
        self.beats = max(1, 8 * SUBMISSION_BYTES // host_bits)
        count = range(entries + 1)
        super().__init__({
            "pending": In(pairs), "s_queue": Out(range(pairs)), "s_base": In(_BASE_BITS), "s_head": In(range(entries)),
            "s_count": In(count), "s_take": Out(1), "s_taken": Out(count),
            "free": In(range(slots + 1)), "a_slot": In(range(slots)), "a_take": Out(1),
            "ar_valid": Out(1), "ar_ready": In(1), "ar_addr": Out(HOST_ADDRESS_BITS), "ar_len": Out(8),
            "r_valid": In(1), "r_ready": Out(1), "r_data": In(host_bits), "r_resp": In(2), "r_last": In(1),
            "o_valid": Out(1), "o_slot": Out(range(slots)), "o_beat": Out(range(self.beats)), "o_data": Out(host_bits), "o_end": Out(1),
            "o_queue": Out(range(pairs)), "busy": Out(1), "o_failed": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        most = range(FETCH_BURST + 1)

        # The next queue with entries behind the one that was served last, around the end.
        later, turn = Signal(self.pairs), Signal(range(self.pairs))
        m.d.comb += later.eq(self.pending & ~((2 << self.s_queue) - 1)[:self.pairs])
        candidates = Signal(self.pairs)
        m.d.comb += candidates.eq(Mux(later.any(), later, self.pending))
        for queue in reversed(range(self.pairs)):
            with m.If(candidates[queue]):
                m.d.comb += turn.eq(queue)

        # Of its entries: those before the end of the page and of the ring, for which there are slots.
        to_page, here, count = Signal(range(_PAGE_ENTRIES + 1)), Signal(most), Signal(most, reset_less=True)
        in_page = self.s_head[:(_PAGE_ENTRIES - 1).bit_length()]
        m.d.comb += to_page.eq(_PAGE_ENTRIES - in_page)
        least = _least(_least(self.s_count, to_page), _least(self.free, Const(FETCH_BURST)))
        m.d.comb += here.eq(least)

        beat, entry = Signal(range(self.beats), reset_less=True), Signal(most, reset_less=True)
        m.d.comb += [
            self.ar_addr.eq((self.s_base << (PAGE_BYTES - 1).bit_length()) + self.s_head * SUBMISSION_BYTES),
            self.ar_len.eq(count * self.beats - 1), self.s_taken.eq(count), self.o_queue.eq(self.s_queue),
            self.o_slot.eq(self.a_slot), self.o_beat.eq(beat), self.o_data.eq(self.r_data),
        ]
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("PICK"))
            with m.State("PICK"):
                with m.If(self.pending.any() & (self.free != 0) & ~self.o_failed):
                    m.d.sync += self.s_queue.eq(turn)
                    m.next = "LOOK"
            with m.State("LOOK"):
                m.d.sync += [count.eq(here), beat.eq(0), entry.eq(0)]
                m.next = "ASK"
                with m.If(here == 0):  # it was removed meanwhile
                    m.next = "PICK"
            with m.State("ASK"):
                m.d.comb += self.ar_valid.eq(1)
                with m.If(self.ar_ready):
                    m.next = "DATA"
            with m.State("DATA"):
                last = Signal()
                m.d.comb += [self.r_ready.eq(1), last.eq(beat == self.beats - 1)]
                with m.If(self.r_valid):
                    with m.If((self.r_resp != OKAY) | self.o_failed):
                        m.d.sync += self.o_failed.eq(1)
                    with m.Else():
                        m.d.comb += [self.o_valid.eq(1), self.o_end.eq(last), self.a_take.eq(last)]
                    m.d.sync += beat.eq(Mux(last, 0, beat + 1))
                    with m.If(self.r_last):
                        m.d.comb += self.s_take.eq(~self.o_failed & (self.r_resp == OKAY))
                        m.next = "PICK"
        return m


def _least(a, b):
    return Mux(a < b, a, b)
