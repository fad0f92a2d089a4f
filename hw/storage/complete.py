"""Posts completions: queue entries go into the host's memory, and then an interrupt may say so."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.axi import OKAY
from tenon.hw.fifo import Fifo
from tenon.hw.storage.nvme.entries import COMPLETION, COMPLETION_BYTES
from tenon.hw.storage.prp import HOST_ADDRESS_BITS, PAGE_BYTES

__all__ = ["STATUS_BITS", "CompletionPost"]

#: Code, type, retry delay, more, do not retry: the bits above the phase.
STATUS_BITS = 15

_SENT = 8  # completions on their way

_BASE_BITS = HOST_ADDRESS_BITS - (PAGE_BYTES - 1).bit_length()


class CompletionPost(wiring.Component):
    """Writes a command's completion into the queue that belongs to its submission queue, once there is room for it.

    Several may be on their way: a write is answered before ``posted`` says that the host can see it. A completion whose queue is full
    goes back to whoever brought it, so that others are not held up. What the bus answers with an error sets ``o_failed``.

    Members
    -------
    i_valid, i_ready, i_again, i_queue, i_cid, i_status, i_result, i_tag : In(1), Out(1), Out(1), In, In(16), In(15), In(64), In
        A completion. It is taken, or with ``i_again`` as well, it is to be brought again.
    s_queue, s_head, s_completion : Out, In, In
        Its submission queue: the first entry that was not fetched, and its completion queue. Both may come a cycle late.
    c_queue, c_base, c_note, c_tail, c_phase, c_full, c_push : Out, In, In, In, In(1), In(1), Out(1)
        The completion queue: the page where it begins and what is to be remembered of it (they may come a cycle late), where the next entry
        goes, its phase, whether it is full.
    aw_valid, aw_ready, aw_addr, aw_len, w_valid, w_ready, w_data, w_strb, w_last, b_valid, b_ready, b_resp :
        The host's memory.
    posted, o_tag, o_note : Out(1), Out, Out
        An entry is written: ``i_tag`` of its completion, ``c_note`` of its queue.
    busy, o_failed : Out(1)
        A completion is under way; the controller has failed.
    """

    def __init__(self, *, pairs: int, entries: int, host_bits: int, tag_bits: int, note_bits: int):
        self.pairs, self.entries, self.host_bits = pairs, entries, host_bits
        self.beats = max(1, 8 * COMPLETION_BYTES // host_bits)
        queue, entry = range(pairs), range(entries)
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_again": Out(1), "i_queue": In(queue), "i_cid": In(16), "i_status": In(STATUS_BITS),
            "i_result": In(64), "i_tag": In(tag_bits), "o_tag": Out(tag_bits), "c_note": In(note_bits), "o_note": Out(note_bits),
            "s_queue": Out(queue), "s_head": In(entry), "s_completion": In(queue),
            "c_queue": Out(queue), "c_base": In(_BASE_BITS), "c_tail": In(entry), "c_phase": In(1), "c_full": In(1), "c_push": Out(1),
            "aw_valid": Out(1), "aw_ready": In(1), "aw_addr": Out(HOST_ADDRESS_BITS), "aw_len": Out(8),
            "w_valid": Out(1), "w_ready": In(1), "w_data": Out(host_bits), "w_strb": Out(host_bits // 8), "w_last": Out(1),
            "b_valid": In(1), "b_ready": Out(1), "b_resp": In(2), "posted": Out(1), "busy": Out(1), "o_failed": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        entry = data.View(COMPLETION.shape, Signal(8 * COMPLETION_BYTES, reset_less=True))
        address = Signal(HOST_ADDRESS_BITS, reset_less=True)
        beat = Signal(range(self.beats))
        asked, written = Signal(), Signal()  # address and data have been taken
        sent = m.submodules.sent = Fifo(width=len(Cat(self.i_tag, self.c_note)), depth=_SENT)
        m.d.comb += [
            sent.i.eq(Cat(self.i_tag, self.c_note)), Cat(self.o_tag, self.o_note).eq(sent.o), self.b_ready.eq(sent.o_valid),
            sent.o_ready.eq(self.b_valid), self.posted.eq(self.b_valid & self.b_ready & (self.b_resp == OKAY)),
        ]
        with m.If(self.b_valid & self.b_ready & (self.b_resp != OKAY)):
            m.d.sync += self.o_failed.eq(1)
        m.d.comb += [self.s_queue.eq(self.i_queue), self.aw_addr.eq(address), self.aw_len.eq(self.beats - 1)]

        # A narrow bus takes the entry in parts; on a wide one it stands at its place in the word.
        width, whole = self.host_bits, 8 * COMPLETION_BYTES
        if width <= whole:
            m.d.comb += [self.w_data.eq(entry.as_value().word_select(beat, width)), self.w_strb.eq(-1)]
        else:
            place = address[(COMPLETION_BYTES - 1).bit_length():(width // 8 - 1).bit_length()]
            m.d.comb += [self.w_data.eq(entry.as_value().replicate(width // whole)), self.aw_addr.eq(address & ~(width // 8 - 1)),
                         self.w_strb.eq(Cat((place == k).replicate(COMPLETION_BYTES) for k in range(width // whole)))]

        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE") | sent.busy)
            with m.State("IDLE"):
                with m.If(self.i_valid & ~self.o_failed):
                    m.next = "SUBMISSION"
            with m.State("SUBMISSION"):
                m.d.sync += self.c_queue.eq(self.s_completion)
                m.next = "QUEUE"
            with m.State("QUEUE"):  # whose base comes
                m.next = "ENTRY"
            with m.State("ENTRY"):
                m.d.comb += [self.i_ready.eq(self.c_full | sent.i_ready), self.i_again.eq(self.c_full)]
                m.d.sync += [
                    entry.as_value().eq(Cat(
                        self.i_result, Cat(self.s_head, Const(0, 16))[:16], Cat(self.i_queue, Const(0, 16))[:16], self.i_cid, self.c_phase,
                        self.i_status)),
                    address.eq((self.c_base << (PAGE_BYTES - 1).bit_length()) + self.c_tail * COMPLETION_BYTES),
                    asked.eq(0), written.eq(0), beat.eq(0),
                ]
                with m.If(self.c_full):
                    m.next = "IDLE"
                with m.Elif(sent.i_ready):
                    m.d.comb += [self.c_push.eq(1), sent.i_valid.eq(1)]
                    m.next = "WRITE"
            with m.State("WRITE"):
                ends = Signal()  # the last of its data goes, or is gone
                m.d.comb += [self.aw_valid.eq(~asked), self.w_valid.eq(~written), self.w_last.eq(beat == self.beats - 1),
                             ends.eq(written | (self.w_ready & self.w_last))]
                with m.If(self.aw_valid & self.aw_ready):
                    m.d.sync += asked.eq(1)
                with m.If(self.w_valid & self.w_ready):
                    m.d.sync += [beat.eq(Mux(self.w_last, 0, beat + 1)), written.eq(self.w_last)]
                with m.If((asked | self.aw_ready) & ends):
                    m.next = "IDLE"
        return m
